// Binary lane: BITS products of {-1, +1} by {-1, +1}, where a bit 1 stands for +1.
//
// p = 2 * popcount(~(a ^ w) & keep) - popcount(keep). Activation word: the bits below, `keep` above; a bit that is not
// kept counts nothing, so a reduction need not be a multiple of BITS long.
`default_nettype none

module product_xnor #(
    parameter integer BITS = 32,
    parameter integer P_W  = 7    // bits of the sum of BITS products, signed
) (
    input  wire [2*BITS-1:0] a,
    input  wire [  BITS-1:0] w,
    output wire [   P_W-1:0] p
);

  wire [BITS-1:0] keep = a[BITS+:BITS];
  wire [BITS-1:0] agree = ~(a[BITS-1:0] ^ w) & keep;
  wire [BITS-1:0] differ = (a[BITS-1:0] ^ w) & keep;
  logic [P_W-1:0] total;

  always_comb begin
    total = '0;
    for (int b = 0; b < BITS; b++) total = total + P_W'(agree[b]) - P_W'(differ[b]);
  end

  assign p = total;

endmodule

`default_nettype wire
