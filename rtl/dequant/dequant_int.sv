// Integer lane of a dequantise-on-read unit: y = (code - zero) * scale, exact.
//
// Latency: two enabled edges (difference, product).
`default_nettype none

module dequant_int #(
    parameter integer CODE_W       = 4,
    parameter integer SCALE_W      = 8,
    parameter integer SCALE_SIGNED = 1,
    parameter integer OUT_W        = 12  // bits of the product, signed
) (
    input  wire                clk,
    input  wire                ce,
    input  wire  [ CODE_W-1:0] code,
    input  wire  [ CODE_W-1:0] zero,
    input  wire  [SCALE_W-1:0] scale,
    output wire  [  OUT_W-1:0] y
);

  logic signed [CODE_W:0] difference;
  logic signed [SCALE_W:0] factor;
  logic signed [OUT_W-1:0] product;

  assign y = $unsigned(product);

  always_ff @(posedge clk) begin
    if (ce) begin
      difference <= $signed({1'b0, code}) - $signed({1'b0, zero});
      factor     <= $signed({(SCALE_SIGNED != 0) & scale[SCALE_W-1], scale});
      product    <= OUT_W'(difference) * OUT_W'(factor);
    end
  end

endmodule

`default_nettype wire
