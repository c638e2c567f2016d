// Operand side of a zero-point correction: joins vectors of raw sums, row sums, and per tile the constants of its columns.
//
// All `tready` come from registers. A vector is taken when it, its row sum and, for the first vector of a tile, the
// tile's constants are there and the pipeline moves (`ce`); it stands in the operand registers after the edge of its
// handshake. The last row sum of a tile carries `tlast`; the constants stay until the next tile's.
`default_nettype none

module zero_point_front #(
    parameter integer SUMS_W  = 128,  // bits of a vector of raw sums
    parameter integer ROW_W   = 16,   // bits of a row sum
    parameter integer CONST_W = 160   // bits of the constants of a tile
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                ce,
    input  wire                s_axis_p_tvalid,
    output wire                s_axis_p_tready,
    input  wire  [ SUMS_W-1:0] s_axis_p_tdata,
    input  wire                s_axis_p_tlast,   // last vector of a result
    input  wire                s_axis_r_tvalid,
    output wire                s_axis_r_tready,
    input  wire  [  ROW_W-1:0] s_axis_r_tdata,
    input  wire                s_axis_r_tlast,   // last row of a tile
    input  wire                s_axis_c_tvalid,
    output wire                s_axis_c_tready,
    input  wire  [CONST_W-1:0] s_axis_c_tdata,
    output logic               op_valid,
    output logic               op_last,
    output logic [ SUMS_W-1:0] op_sums,
    output logic [  ROW_W-1:0] op_row,
    output logic [CONST_W-1:0] op_const
);

  logic open;  // a tile is under way, its constants are in
  wire sums_valid, sums_last, row_valid, row_last, const_valid;
  wire [SUMS_W-1:0] sums;
  wire [ROW_W-1:0] row;
  wire [CONST_W-1:0] columns;
  wire take = ce & sums_valid & row_valid & (open | const_valid);

  tw_skid #(
      .DATA_W(SUMS_W + 1)
  ) u_skid_p (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_p_tvalid),
      .in_ready (s_axis_p_tready),
      .in_data  ({s_axis_p_tlast, s_axis_p_tdata}),
      .out_valid(sums_valid),
      .out_ready(take),
      .out_data ({sums_last, sums})
  );

  tw_skid #(
      .DATA_W(ROW_W + 1)
  ) u_skid_r (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_r_tvalid),
      .in_ready (s_axis_r_tready),
      .in_data  ({s_axis_r_tlast, s_axis_r_tdata}),
      .out_valid(row_valid),
      .out_ready(take),
      .out_data ({row_last, row})
  );

  tw_skid #(
      .DATA_W(CONST_W)
  ) u_skid_c (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_c_tvalid),
      .in_ready (s_axis_c_tready),
      .in_data  (s_axis_c_tdata),
      .out_valid(const_valid),
      .out_ready(take & ~open),
      .out_data (columns)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      op_valid <= 1'b0;
      open   <= 1'b0;
    end else begin
      if (ce) op_valid <= take;
      if (take) open <= ~row_last;
    end
    if (take) begin
      op_last <= sums_last;
      op_sums <= sums;
      op_row  <= row;
      if (~open) op_const <= columns;
    end
  end

endmodule

`default_nettype wire
