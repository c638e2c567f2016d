// Normalise, round to nearest even and pack a binary floating-point number. Combinational.
//
// The number is significand * 2**(exponent - bias - (SIG_W-1)): `exponent` is the biased exponent that the number has if
// the top bit of `significand` is set; it may be any number, and the significand need not be normalised. Its lowest bit
// may stand for "something below". Subnormals are exact; overflow gives infinity; not-a-number is the canonical quiet
// one: sign 0, only the top mantissa bit set.
`default_nettype none

module fp_round #(
    parameter integer EXP_W  = 5,
    parameter integer MAN_W  = 10,  // stored bits
    parameter integer SIG_W  = 15,  // at least MAN_W + 3
    parameter integer WIDE_W = 7    // bits of `exponent`, signed; also holds SIG_W
) (
    input  wire                     is_nan,
    input  wire                     is_inf,
    input  wire                     sign,
    input  wire signed [WIDE_W-1:0] exponent,
    input  wire        [ SIG_W-1:0] significand,
    output wire        [EXP_W+MAN_W:0] word
);

  localparam integer SPECIAL = (1 << EXP_W) - 1;
  localparam logic [SIG_W-1:0] ONES = '1;

  logic signed [WIDE_W-1:0] zeros;
  always_comb begin  // leading zeros
    zeros = WIDE_W'(SIG_W);
    for (int i = 0; i < SIG_W; i++) if (significand[i]) zeros = WIDE_W'(SIG_W - 1 - i);
  end

  // To the left as far as the number or the smallest exponent allows; to the right where the exponent is below that.
  wire signed [WIDE_W-1:0] room = exponent - WIDE_W'(1);
  wire below = room[WIDE_W-1];
  wire signed [WIDE_W-1:0] left = zeros < room ? zeros : room;
  wire signed [WIDE_W-1:0] right = -room;
  wire lost = |(significand & ~(ONES << right));
  wire [SIG_W-1:0] lowered = (significand >> right) | SIG_W'(lost);
  wire [SIG_W-1:0] shifted = below ? lowered : significand << left;

  wire normal = ~below & shifted[SIG_W-1];
  wire [WIDE_W-1:0] field = normal ? $unsigned(exponent - left) : '0;
  wire [MAN_W-1:0] mantissa = shifted[SIG_W-2-:MAN_W];
  wire half = shifted[SIG_W-2-MAN_W];
  wire rest = |shifted[SIG_W-3-MAN_W:0];
  wire up = half & (rest | mantissa[0]);
  wire [WIDE_W+MAN_W-1:0] rounded = {field, mantissa} + (WIDE_W + MAN_W)'(up);
  wire over = rounded[WIDE_W+MAN_W-1:MAN_W] >= WIDE_W'(SPECIAL);

  wire [EXP_W+MAN_W-1:0] quiet = {{(EXP_W + 1) {1'b1}}, {(MAN_W - 1) {1'b0}}};
  wire [EXP_W+MAN_W-1:0] infinite = {{EXP_W{1'b1}}, {MAN_W{1'b0}}};
  assign word = is_nan ? {1'b0, quiet} : {sign, is_inf | over ? infinite : rounded[EXP_W+MAN_W-1:0]};

endmodule

`default_nettype wire
