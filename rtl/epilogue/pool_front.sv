// Operand side of a pooling core: counts the beats of a window.
//
// `tready` comes from a register. A beat is taken when the pipeline moves (`ce`) and stands in the operand register
// after the edge of its handshake. A window ends after WINDOW beats or with `tlast`.
`default_nettype none

module pool_front #(
    parameter integer DATA_W  = 32,  // bits of a beat
    parameter integer WINDOW  = 9,   // beats of a whole window
    parameter integer COUNT_W = 4    // bits of WINDOW
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                ce,
    input  wire                s_axis_x_tvalid,
    output wire                s_axis_x_tready,
    input  wire  [ DATA_W-1:0] s_axis_x_tdata,
    input  wire                s_axis_x_tlast,
    output logic               op_valid,
    output logic               op_first,         // first beat of a window
    output logic               op_end,           // last beat of a window
    output logic               op_last,          // last beat of a packet
    output logic [COUNT_W-1:0] op_count,         // beats of the window so far, this one included
    output logic [ DATA_W-1:0] op_x
);

  logic [COUNT_W-1:0] count;  // number of the next beat in its window, from 1
  wire x_valid, x_last;
  wire [DATA_W-1:0] x;
  wire take = ce & x_valid;
  wire ends = x_last | (count == COUNT_W'(WINDOW));

  tw_skid #(
      .DATA_W(DATA_W + 1)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_x_tvalid),
      .in_ready (s_axis_x_tready),
      .in_data  ({s_axis_x_tlast, s_axis_x_tdata}),
      .out_valid(x_valid),
      .out_ready(ce),
      .out_data ({x_last, x})
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      op_valid <= 1'b0;
      count    <= COUNT_W'(1);
    end else begin
      if (ce) op_valid <= x_valid;
      if (take) count <= ends ? COUNT_W'(1) : count + COUNT_W'(1);
    end
    if (take) begin
      op_first <= count == COUNT_W'(1);
      op_end   <= ends;
      op_last  <= x_last;
      op_count <= count;
      op_x     <= x;
    end
  end

endmodule

`default_nettype wire
