// Ternary lane: TRITS products of {-1, 0, 1} by {-1, 0, 1} without a multiplier.
//
// A trit is two bits, two's complement: 00 is 0, 01 is 1, 11 is -1. A product is not zero where both are not, and
// negative where the signs differ: p = popcount(positive) - popcount(negative).
`default_nettype none

module product_ternary #(
    parameter integer TRITS = 16,
    parameter integer P_W   = 6    // bits of the sum of TRITS products, signed
) (
    input  wire [2*TRITS-1:0] a,
    input  wire [2*TRITS-1:0] w,
    output wire [    P_W-1:0] p
);

  logic [P_W-1:0] total;

  always_comb begin
    total = '0;
    for (int t = 0; t < TRITS; t++)
      if (a[2*t] & w[2*t]) total = (a[2*t+1] ^ w[2*t+1]) ? total - P_W'(1) : total + P_W'(1);
  end

  assign p = total;

endmodule

`default_nettype wire
