// Add/subtract-select lane: an activation is added, subtracted or left out by its weight.
//
// BINARY: weight bit 1 is +1, 0 is -1. Otherwise two bits, two's complement: 00 is 0, 01 is 1, 11 is -1.
`default_nettype none

module product_select #(
    parameter integer INPUT_W      = 8,
    parameter integer INPUT_SIGNED = 1,
    parameter integer BINARY       = 0,
    parameter integer WEIGHT_W     = 2,  // 1 if BINARY, else 2
    parameter integer P_W          = 9   // bits of a negated activation, signed
) (
    input  wire [ INPUT_W-1:0] a,
    input  wire [WEIGHT_W-1:0] w,
    output wire [     P_W-1:0] p
);

  wire signed [INPUT_W:0] a_signed = $signed({(INPUT_SIGNED != 0) & a[INPUT_W-1], a});
  wire [P_W-1:0] value = $unsigned(P_W'(a_signed));
  wire subtract = (BINARY != 0) ? ~w[0] : w[WEIGHT_W-1];
  wire present = (BINARY != 0) | w[0];

  assign p = present ? ((value ^ {P_W{subtract}}) + P_W'(subtract)) : '0;

endmodule

`default_nettype wire
