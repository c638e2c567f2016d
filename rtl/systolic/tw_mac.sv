// sum = addend + a * w, modulo 2**ACC_W; each operand signed or unsigned by parameter.
`default_nettype none

module tw_mac #(
    parameter integer INPUT_W       = 8,   // bits of an activation
    parameter integer INPUT_SIGNED  = 1,   // 1: two's complement, 0: unsigned
    parameter integer WEIGHT_W      = 8,   // bits of a weight
    parameter integer WEIGHT_SIGNED = 1,   // 1: two's complement, 0: unsigned
    parameter integer ACC_W         = 32   // bits of a sum, enough for one product
) (
    input  wire [ INPUT_W-1:0] a,
    input  wire [WEIGHT_W-1:0] w,
    input  wire [   ACC_W-1:0] addend,
    output wire [   ACC_W-1:0] sum
);

  // Enough for the greatest unsigned product and its sign; a narrower sum needs no more than its own width.
  localparam integer EXACT_W = INPUT_W + WEIGHT_W + 1;
  localparam integer PRODUCT_W = ACC_W < EXACT_W ? ACC_W : EXACT_W;

  // One bit more makes both operands signed whatever their format.
  wire signed [INPUT_W:0] a_signed = $signed({(INPUT_SIGNED != 0) & a[INPUT_W-1], a});
  wire signed [WEIGHT_W:0] w_signed = $signed({(WEIGHT_SIGNED != 0) & w[WEIGHT_W-1], w});
  wire signed [PRODUCT_W-1:0] product = PRODUCT_W'(a_signed) * PRODUCT_W'(w_signed);
  wire signed [ACC_W-1:0] extended = ACC_W'(product);

  assign sum = addend + $unsigned(extended);

endmodule

`default_nettype wire
