// Column of a zero-point correction: y = sum + folded - zero * row, modulo 2**OUT_W.
//
// Latency: two enabled edges (product beside sum plus constant, difference). OUT_W holds every true result, so what
// overflows on the way does no harm.
`default_nettype none

module zero_point_lane #(
    parameter integer SUM_W         = 32,  // bits of a raw sum
    parameter integer SUM_SIGNED    = 1,   // 1: two's complement, 0: unsigned
    parameter integer ROW_W         = 16,  // bits of a row sum
    parameter integer ROW_SIGNED    = 1,
    parameter integer WEIGHT_W      = 8,   // bits of a zero point
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer OUT_W         = 32
) (
    input  wire                clk,
    input  wire                ce,
    input  wire [   SUM_W-1:0] sum,
    input  wire [   ROW_W-1:0] row,     // sum of the activations of the reduction
    input  wire [WEIGHT_W-1:0] zero,    // zero point of the column
    input  wire [   OUT_W-1:0] folded,  // constant of the column
    output wire [   OUT_W-1:0] y
);

  // One bit more makes every operand signed whatever its format.
  wire signed [SUM_W:0] sum_signed = $signed({(SUM_SIGNED != 0) & sum[SUM_W-1], sum});
  wire signed [ROW_W:0] row_signed = $signed({(ROW_SIGNED != 0) & row[ROW_W-1], row});
  wire signed [WEIGHT_W:0] zero_signed = $signed({(WEIGHT_SIGNED != 0) & zero[WEIGHT_W-1], zero});

  logic signed [OUT_W-1:0] product, base, difference;
  wire unused_ok = &{1'b0, sum_signed, row_signed};  // high bits of an array that is wider than its sums need

  assign y = $unsigned(difference);

  always_ff @(posedge clk) begin
    if (ce) begin
      product    <= OUT_W'(zero_signed) * OUT_W'(row_signed);
      base       <= OUT_W'(sum_signed) + $signed(folded);
      difference <= base - product;
    end
  end

endmodule

`default_nettype wire
