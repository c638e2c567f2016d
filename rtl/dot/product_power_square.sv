// Power-exponent lane for exponent 1/2, squarer form: the product of the magnitude codes, squared, with its sign.
`default_nettype none

module product_power_square #(
    parameter integer BITS = 4,   // bits of a code: sign above, magnitude below
    parameter integer P_W  = 13   // bits of the product, signed
) (
    input  wire [BITS-1:0] a,
    input  wire [BITS-1:0] w,
    output wire [ P_W-1:0] p
);

  localparam integer CODE_W = 2 * BITS - 2;

  wire negative = a[BITS-1] ^ w[BITS-1];
  wire [CODE_W-1:0] code = CODE_W'(a[BITS-2:0]) * CODE_W'(w[BITS-2:0]);
  wire [P_W-1:0] magnitude = P_W'(code) * P_W'(code);

  assign p = (magnitude ^ {P_W{negative}}) + P_W'(negative);

endmodule

`default_nettype wire
