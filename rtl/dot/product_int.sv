// p = a * w; each operand signed or unsigned by parameter.
`default_nettype none

module product_int #(
    parameter integer INPUT_W       = 8,
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer P_W           = 16  // bits of the product, signed
) (
    input  wire [ INPUT_W-1:0] a,
    input  wire [WEIGHT_W-1:0] w,
    output wire [     P_W-1:0] p
);

  // One bit more makes both operands signed whatever their format.
  wire signed [INPUT_W:0] a_signed = $signed({(INPUT_SIGNED != 0) & a[INPUT_W-1], a});
  wire signed [WEIGHT_W:0] w_signed = $signed({(WEIGHT_SIGNED != 0) & w[WEIGHT_W-1], w});
  wire signed [P_W-1:0] product = P_W'(a_signed) * P_W'(w_signed);

  assign p = $unsigned(product);

endmodule

`default_nettype wire
