// Binary16 lane of a dequantise-on-read unit: y = (code - zero) * scale, scale finite, one rounding to nearest even.
//
// Latency: three enabled edges (difference, product, rounding). The difference is an integer, so a result below the
// normal range is a multiple of the least subnormal and needs no rounding: shifts go to the right only. A result too
// large becomes infinity; a difference of zero gives a zero with the sign of the scale.
`default_nettype none

module dequant_half #(
    parameter integer CODE_W = 4  // 2 to 8
) (
    input  wire               clk,
    input  wire               ce,
    input  wire  [CODE_W-1:0] code,
    input  wire  [CODE_W-1:0] zero,
    input  wire  [      15:0] scale,
    output logic [      15:0] y
);

  localparam integer P_W = CODE_W + 11;

  // Difference and the fields of the scale; a subnormal scale has the exponent of the least normal one.
  wire below = code < zero;
  wire normal = scale[14:10] != 5'd0;
  logic sign_d;
  logic [CODE_W-1:0] magnitude_d;
  logic [4:0] exponent_d;
  logic [10:0] significand_d;

  // Product: with its leading one at bit 10 it is a significand of exponent_p.
  logic sign_p;
  logic [4:0] exponent_p;
  logic [P_W-1:0] product;

  // Rounding: the carry of the fraction runs into the exponent.
  logic [3:0] shift;  // places from the leading one down to bit 10
  logic [10:0] kept;
  logic [CODE_W-1:0] tail;  // what is shifted out, highest first
  logic up;
  logic [15:0] rounded;

  always_comb begin
    shift = '0;
    for (int i = 11; i < P_W; i++) if (product[i]) shift = 4'($unsigned(i - 10));
    {kept, tail} = P_W'({product, CODE_W'(0)} >> shift);
    up = tail[CODE_W-1] & ((|tail[CODE_W-2:0]) | kept[0]);
    rounded = {kept[10] ? 6'(exponent_p) + 6'(shift) : 6'd0, kept[9:0]} + 16'(up);
  end

  always_ff @(posedge clk) begin
    if (ce) begin
      sign_d        <= scale[15] ^ below;
      magnitude_d   <= below ? zero - code : code - zero;
      exponent_d    <= normal ? scale[14:10] : 5'd1;
      significand_d <= {normal, scale[9:0]};
      sign_p        <= sign_d;
      exponent_p    <= exponent_d;
      product       <= P_W'(magnitude_d) * P_W'(significand_d);
      y             <= {sign_p, rounded >= 16'h7c00 ? 15'h7c00 : rounded[14:0]};
    end
  end

endmodule

`default_nettype wire
