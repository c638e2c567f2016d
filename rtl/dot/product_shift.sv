// Power-of-two lane: a weight is 0 or plus or minus 2**e, and its product a shift.
//
// Weight word: {sign, e + 1}, where e + 1 = 0 is the weight 0.
`default_nettype none

module product_shift #(
    parameter integer INPUT_W      = 8,
    parameter integer INPUT_SIGNED = 1,
    parameter integer EXPONENT_W   = 3,  // bits of e + 1
    parameter integer P_W          = 16  // bits of the product, signed
) (
    input  wire [   INPUT_W-1:0] a,
    input  wire [  EXPONENT_W:0] w,
    output wire [       P_W-1:0] p
);

  wire signed [INPUT_W:0] a_signed = $signed({(INPUT_SIGNED != 0) & a[INPUT_W-1], a});
  wire [P_W-1:0] value = $unsigned(P_W'(a_signed));
  wire [EXPONENT_W-1:0] code = w[EXPONENT_W-1:0];
  wire [P_W-1:0] shifted = value << (code - EXPONENT_W'(1));

  assign p = (code == '0) ? '0 : (shifted ^ {P_W{w[EXPONENT_W]}}) + P_W'(w[EXPONENT_W]);

endmodule

`default_nettype wire
