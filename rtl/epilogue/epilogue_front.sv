// Operand side of a requantiser: joins vectors of accumulators, per tile the coefficients of its channels and, with
// RESIDUAL, a vector of residual codes for every vector of accumulators.
//
// All `tready` come from registers. A vector is taken when it, its residual and, for the first vector of a tile, the
// tile's coefficients are there and the pipeline moves (`ce`); it stands in the operand registers after the edge of its
// handshake. The last vector of a tile carries `tlast`; the coefficients stay until the next tile's.
`default_nettype none

module epilogue_front #(
    parameter integer X_W      = 128,  // bits of a vector of accumulators
    parameter integer C_W      = 320,  // bits of the coefficients of a tile
    parameter integer RESIDUAL = 0,    // 0: there is no residual stream, its inputs are not looked at
    parameter integer R_W      = 32    // bits of a vector of residual codes
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            ce,
    input  wire            s_axis_x_tvalid,
    output wire            s_axis_x_tready,
    input  wire  [X_W-1:0] s_axis_x_tdata,
    input  wire            s_axis_x_tlast,   // last vector of a tile
    input  wire            s_axis_c_tvalid,
    output wire            s_axis_c_tready,
    input  wire  [C_W-1:0] s_axis_c_tdata,
    input  wire            s_axis_r_tvalid,
    output wire            s_axis_r_tready,
    input  wire  [R_W-1:0] s_axis_r_tdata,
    output logic           op_valid,
    output logic           op_last,
    output logic [X_W-1:0] op_x,
    output logic [C_W-1:0] op_c,
    output logic [R_W-1:0] op_r
);

  logic open;  // a tile is under way, its coefficients are in
  wire x_valid, x_last, c_valid, r_valid;
  wire [X_W-1:0] x;
  wire [C_W-1:0] c;
  wire [R_W-1:0] r;
  wire take = ce & x_valid & r_valid & (open | c_valid);

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
      .DATA_W(C_W)
  ) u_skid_c (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_c_tvalid),
      .in_ready (s_axis_c_tready),
      .in_data  (s_axis_c_tdata),
      .out_valid(c_valid),
      .out_ready(take & ~open),
      .out_data (c)
  );

  if (RESIDUAL != 0) begin : g_residual
    tw_skid #(
        .DATA_W(R_W)
    ) u_skid_r (
        .clk      (clk),
        .rst      (rst),
        .in_valid (s_axis_r_tvalid),
        .in_ready (s_axis_r_tready),
        .in_data  (s_axis_r_tdata),
        .out_valid(r_valid),
        .out_ready(take),
        .out_data (r)
    );
  end else begin : g_none
    wire unused_ok = &{1'b0, s_axis_r_tvalid, s_axis_r_tdata};
    assign {s_axis_r_tready, r_valid} = 2'b11;
    assign r = '0;
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      op_valid <= 1'b0;
      open     <= 1'b0;
    end else begin
      if (ce) op_valid <= take;
      if (take) open <= ~x_last;
    end
    if (take) begin
      op_last <= x_last;
      op_x    <= x;
      op_r    <= r;
      if (~open) op_c <= c;
    end
  end

endmodule

`default_nettype wire
