// Operand side of a threshold bank: two slots of thresholds, one filled while the vectors of the other are worked on.
//
// Thresholds go in one per channel and beat, in the order of the search: node 1 is the middle, nodes 2k and 2k + 1 halve
// what node k leaves below and above. A vector is taken when its tile's slot is full and the pipeline moves (`ce`). The
// tile's last vector (`tlast`) frees the slot at once: stage k of the search reads at most k + 1 edges later, and the
// thresholds of stage k are not overwritten before, because node 2**k is beat 2**k of the slot. Both move under `ce`.
// All `tready` come from registers.
`default_nettype none

module threshold_front #(
    parameter integer X_W  = 128,  // bits of a vector of accumulators
    parameter integer T_W  = 132,  // bits of a beat of thresholds
    parameter integer BITS = 4     // bits of a code: a slot is 2**BITS - 1 beats
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             ce,
    input  wire             s_axis_x_tvalid,
    output wire             s_axis_x_tready,
    input  wire  [ X_W-1:0] s_axis_x_tdata,
    input  wire             s_axis_x_tlast,   // last vector of a tile
    input  wire             s_axis_t_tvalid,
    output wire             s_axis_t_tready,
    input  wire  [ T_W-1:0] s_axis_t_tdata,
    output wire             write,            // thresholds to be stored at this edge,
    output logic            write_slot,       // in this slot,
    output logic [BITS-1:0] write_node,       // at this node of the search
    output wire  [ T_W-1:0] write_data,
    output logic            op_valid,
    output logic            op_last,
    output logic            op_slot,
    output logic [ X_W-1:0] op_x
);

  logic read_slot;
  logic [1:0] full;
  wire x_valid, x_last, t_valid;
  wire [X_W-1:0] x;
  wire take = ce & x_valid & full[read_slot];
  wire filled = write & (&write_node);
  wire freed = take & x_last;

  assign write = ce & t_valid & ~full[write_slot];

  tw_skid #(
      .DATA_W(X_W + 1)
  ) u_skid_x (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_x_tvalid),
      .in_ready (s_axis_x_tready),
      .in_data  ({s_axis_x_tlast, s_axis_x_tdata}),
      .out_valid(x_valid),
      .out_ready(take),
      .out_data ({x_last, x})
  );

  tw_skid #(
      .DATA_W(T_W)
  ) u_skid_t (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_t_tvalid),
      .in_ready (s_axis_t_tready),
      .in_data  (s_axis_t_tdata),
      .out_valid(t_valid),
      .out_ready(write),
      .out_data (write_data)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      op_valid   <= 1'b0;
      read_slot  <= 1'b0;
      write_slot <= 1'b0;
      write_node <= BITS'(1);
      full       <= 2'b00;
    end else begin
      if (ce) op_valid <= take;
      if (write) write_node <= filled ? BITS'(1) : write_node + BITS'(1);
      if (filled) begin
        full[write_slot] <= 1'b1;
        write_slot       <= ~write_slot;
      end
      if (freed) begin
        full[read_slot] <= 1'b0;
        read_slot       <= ~read_slot;
      end
    end
    if (take) begin
      op_last <= x_last;
      op_slot <= read_slot;
      op_x    <= x;
    end
  end

endmodule

`default_nettype wire
