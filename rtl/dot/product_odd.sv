// Odd-code (mid-rise) lane: a weight code q stands for the odd number 2q + 1, so there is no zero weight.
//
// p = a * (2q + 1) = 2 * a * q + a; the factor 2**-b of the format is left to the epilogue.
`default_nettype none

module product_odd #(
    parameter integer INPUT_W      = 4,
    parameter integer INPUT_SIGNED = 1,
    parameter integer WEIGHT_W     = 2,
    parameter integer P_W          = 7   // bits of the product, signed
) (
    input  wire [ INPUT_W-1:0] a,
    input  wire [WEIGHT_W-1:0] w,
    output wire [     P_W-1:0] p
);

  product_int #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W + 1),
      .WEIGHT_SIGNED(1),
      .P_W          (P_W)
  ) u_product (
      .a(a),
      .w({w, 1'b1}),
      .p(p)
  );

endmodule

`default_nettype wire
