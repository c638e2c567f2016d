// Floating-point multiply-add core: one multiplier, one pipelined adder, INTERLEAVE running sums in rotation.
//
// Pair j belongs to sum j % INTERLEAVE, counted from reset; a sum starts at +0 and ends with the pair that has `tlast`.
// A pair waits at the adder while its sum is still in there: never if INTERLEAVE >= ADD_LATENCY. `stall_cycles` counts
// those waits since reset, not the ones for a result that nobody takes.
// Latency: a pair is at the adder MUL_LATENCY edges after the edge that follows its handshake, its sum stands at the
// output ADD_LATENCY edges later. Both `tready` come from registers.
`default_nettype none

module fp_mac #(
    parameter integer EXP_W       = 5,   // of the operands
    parameter integer MAN_W       = 10,
    parameter integer ACC_EXP_W   = 5,   // of products and sums
    parameter integer ACC_MAN_W   = 10,
    parameter integer INTERLEAVE  = 4,
    parameter integer ADD_LATENCY = 4,   // edges from adder input to a sum that may be added to again, 1 or more
    parameter integer MUL_LATENCY = 1    // 1 or more
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire                           s_axis_a_tvalid,
    output wire                           s_axis_a_tready,
    input  wire [        EXP_W+MAN_W:0] s_axis_a_tdata,
    input  wire                           s_axis_a_tlast,
    input  wire                           s_axis_w_tvalid,
    output wire                           s_axis_w_tready,
    input  wire [        EXP_W+MAN_W:0] s_axis_w_tdata,
    output wire                           m_axis_o_tvalid,
    input  wire                           m_axis_o_tready,
    output wire [ACC_EXP_W+ACC_MAN_W:0] m_axis_o_tdata,
    output wire                           m_axis_o_tlast,
    output wire [                   31:0] stall_cycles
);

  localparam integer SLOT_W = INTERLEAVE > 1 ? $clog2(INTERLEAVE) : 1;
  localparam integer ACC_W = 1 + ACC_EXP_W + ACC_MAN_W;

  wire op_valid, op_last, p_valid, p_last, y_valid, y_last;
  wire [EXP_W+MAN_W:0] op_a, op_w;
  wire [ACC_W-1:0] product, start, y;
  wire [SLOT_W-1:0] y_slot;

  logic [ACC_W-1:0] sums[0:INTERLEAVE-1];
  logic [INTERLEAVE-1:0] fresh;    // the sum has not begun
  logic [INTERLEAVE-1:0] pending;  // the sum is in the adder
  logic [SLOT_W-1:0] slot;
  logic done;
  logic [ACC_W-1:0] result;
  logic [31:0] stalls;

  wire move = ~done | m_axis_o_tready;
  wire stall = p_valid & pending[slot];
  wire step = move & ~stall;

  assign start = fresh[slot] ? '0 : sums[slot];
  assign m_axis_o_tvalid = done;
  assign m_axis_o_tdata = result;
  assign m_axis_o_tlast = 1'b1;
  assign stall_cycles = stalls;

  dot_front #(
      .A_W(1 + EXP_W + MAN_W),
      .W_W(1 + EXP_W + MAN_W)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (step),
      .s_axis_a_tvalid(s_axis_a_tvalid),
      .s_axis_a_tready(s_axis_a_tready),
      .s_axis_a_tdata (s_axis_a_tdata),
      .s_axis_a_tlast (s_axis_a_tlast),
      .s_axis_w_tvalid(s_axis_w_tvalid),
      .s_axis_w_tready(s_axis_w_tready),
      .s_axis_w_tdata (s_axis_w_tdata),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_a           (op_a),
      .op_w           (op_w)
  );

  fp_mul #(
      .EXP_W    (EXP_W),
      .MAN_W    (MAN_W),
      .OUT_EXP_W(ACC_EXP_W),
      .OUT_MAN_W(ACC_MAN_W),
      .STAGES   (MUL_LATENCY)
  ) u_mul (
      .clk(clk),
      .ce (step),
      .a  (op_a),
      .b  (op_w),
      .y  (product)
  );

  tw_delay #(
      .DATA_W(2),
      .DEPTH (MUL_LATENCY),
      .RESET (1)
  ) u_mul_flags (
      .clk(clk),
      .rst(rst),
      .ce (step),
      .d  ({op_valid, op_last}),
      .q  ({p_valid, p_last})
  );

  fp_add #(
      .EXP_W (ACC_EXP_W),
      .MAN_W (ACC_MAN_W),
      .STAGES(ADD_LATENCY - 1)
  ) u_add (
      .clk(clk),
      .ce (move),
      .a  (start),
      .b  (product),
      .y  (y)
  );

  tw_delay #(
      .DATA_W(2 + SLOT_W),
      .DEPTH (ADD_LATENCY - 1),
      .RESET (1)
  ) u_add_flags (
      .clk(clk),
      .rst(rst),
      .ce (move),
      .d  ({p_valid & ~stall, p_last, slot}),
      .q  ({y_valid, y_last, y_slot})
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      slot    <= '0;
      fresh   <= '1;
      pending <= '0;
      done    <= 1'b0;
      stalls  <= '0;
    end else if (move) begin
      if (p_valid & ~stall) begin
        slot          <= slot == SLOT_W'(INTERLEAVE - 1) ? '0 : slot + 1'b1;
        fresh[slot]   <= p_last;
        pending[slot] <= 1'b1;
      end
      if (y_valid) pending[y_slot] <= 1'b0;  // with ADD_LATENCY 1 in the cycle in which it would begin
      done <= y_valid & y_last;
      if (stall) stalls <= stalls + 1'b1;
    end
    if (move & y_valid) begin
      sums[y_slot] <= y;
      result       <= y;
    end
  end

endmodule

`default_nettype wire
