// Operand side of a dot-product core: joins the activation and the weight stream beat by beat.
//
// Both `tready` come from registers. A pair of beats is taken when both are there and the pipeline moves (`ce`); it
// stands in the operand register after the edge of its handshake.
`default_nettype none

module dot_front #(
    parameter integer A_W = 32,  // bits of an activation beat
    parameter integer W_W = 32   // bits of a weight beat
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            ce,
    input  wire            s_axis_a_tvalid,
    output wire            s_axis_a_tready,
    input  wire [ A_W-1:0] s_axis_a_tdata,
    input  wire            s_axis_a_tlast,   // last beat of a reduction
    input  wire            s_axis_w_tvalid,
    output wire            s_axis_w_tready,
    input  wire [ W_W-1:0] s_axis_w_tdata,
    output logic           op_valid,
    output logic           op_last,
    output logic [A_W-1:0] op_a,
    output logic [W_W-1:0] op_w
);

  wire a_valid, w_valid, a_last;
  wire [A_W-1:0] a_data;
  wire [W_W-1:0] w_data;

  wire take = ce & a_valid & w_valid;

  tw_skid #(
      .DATA_W(A_W + 1)
  ) u_skid_a (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_a_tvalid),
      .in_ready (s_axis_a_tready),
      .in_data  ({s_axis_a_tlast, s_axis_a_tdata}),
      .out_valid(a_valid),
      .out_ready(take),
      .out_data ({a_last, a_data})
  );

  tw_skid #(
      .DATA_W(W_W)
  ) u_skid_w (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_w_tvalid),
      .in_ready (s_axis_w_tready),
      .in_data  (s_axis_w_tdata),
      .out_valid(w_valid),
      .out_ready(take),
      .out_data (w_data)
  );

  always_ff @(posedge clk) begin
    if (rst) op_valid <= 1'b0;
    else if (ce) op_valid <= take;
    if (take) begin
      op_last <= a_last;
      op_a    <= a_data;
      op_w    <= w_data;
    end
  end

endmodule

`default_nettype wire
