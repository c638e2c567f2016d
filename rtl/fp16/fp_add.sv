// Floating-point sum, rounded to nearest even; IEEE 754 with subnormals and signed zeros.
//
// Latency: STAGES enabled edges, shared out between alignment, addition and rounding; 0 is combinational. A sum of
// exactly zero is +0 unless both operands are negative zeros. Infinity minus infinity and any not-a-number give the
// canonical quiet not-a-number.
`default_nettype none

module fp_add #(
    parameter integer EXP_W  = 5,
    parameter integer MAN_W  = 10,
    parameter integer STAGES = 0
) (
    input  wire                   clk,
    input  wire                   ce,
    input  wire [EXP_W+MAN_W:0] a,
    input  wire [EXP_W+MAN_W:0] b,
    output wire [EXP_W+MAN_W:0] y
);

  localparam integer WORD_W = 1 + EXP_W + MAN_W;
  localparam integer ALIGNED_W = MAN_W + 4;  // hidden bit, mantissa, two bits for rounding, one for all below
  localparam integer SIG_W = ALIGNED_W + 1;
  localparam integer WIDE_W = EXP_W + 2;
  localparam integer ALIGN = (STAGES + 1) / 3;
  localparam integer SUM = (STAGES + 2) / 3;
  localparam logic [ALIGNED_W-1:0] ONES = '1;

  // Alignment: the operand of lesser magnitude moves right.
  wire swap = a[WORD_W-2:0] < b[WORD_W-2:0];
  wire [WORD_W-1:0] big = swap ? b : a;
  wire [WORD_W-1:0] little = swap ? a : b;
  wire [EXP_W-1:0] e_big = big[MAN_W+:EXP_W];
  wire [EXP_W-1:0] e_little = little[MAN_W+:EXP_W];
  wire [EXP_W-1:0] scale_big = |e_big ? e_big : EXP_W'(1);
  wire [EXP_W-1:0] scale_little = |e_little ? e_little : EXP_W'(1);
  wire [EXP_W-1:0] distance = scale_big - scale_little;
  wire [ALIGNED_W-1:0] left = {|e_big, big[MAN_W-1:0], 3'b0};
  wire [ALIGNED_W-1:0] unmoved = {|e_little, little[MAN_W-1:0], 3'b0};
  wire lost = |(unmoved & ~(ONES << distance));
  wire [ALIGNED_W-1:0] right = (unmoved >> distance) | ALIGNED_W'(lost);
  wire subtract = big[WORD_W-1] ^ little[WORD_W-1];
  wire negative = big[WORD_W-1] & little[WORD_W-1];
  wire is_inf = &e_big;
  wire is_nan = (is_inf & |big[MAN_W-1:0]) | (subtract & is_inf & (&e_little));

  wire nan_1, inf_1, sign_1, negative_1, subtract_1;
  wire [EXP_W-1:0] scale_1;
  wire [ALIGNED_W-1:0] left_1, right_1;

  tw_delay #(
      .DATA_W(5 + EXP_W + 2 * ALIGNED_W),
      .DEPTH (ALIGN)
  ) u_align (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  ({is_nan, is_inf, big[WORD_W-1], negative, subtract, scale_big, left, right}),
      .q  ({nan_1, inf_1, sign_1, negative_1, subtract_1, scale_1, left_1, right_1})
  );

  // Sum: never negative.
  wire [SIG_W-1:0] sum = subtract_1 ? SIG_W'(left_1) - SIG_W'(right_1) : SIG_W'(left_1) + SIG_W'(right_1);
  wire sign = |sum ? sign_1 : negative_1;

  wire nan_2, inf_2, sign_2;
  wire [EXP_W-1:0] scale_2;
  wire [SIG_W-1:0] sum_2;

  tw_delay #(
      .DATA_W(3 + EXP_W + SIG_W),
      .DEPTH (SUM)
  ) u_sum (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  ({nan_1, inf_1, sign, scale_1, sum}),
      .q  ({nan_2, inf_2, sign_2, scale_2, sum_2})
  );

  wire signed [WIDE_W-1:0] exponent = $signed(WIDE_W'(scale_2)) + WIDE_W'(1);  // of the carry bit
  wire [WORD_W-1:0] word;

  fp_round #(
      .EXP_W (EXP_W),
      .MAN_W (MAN_W),
      .SIG_W (SIG_W),
      .WIDE_W(WIDE_W)
  ) u_round (
      .is_nan     (nan_2),
      .is_inf     (inf_2),
      .sign       (sign_2),
      .exponent   (exponent),
      .significand(sum_2),
      .word       (word)
  );

  tw_delay #(
      .DATA_W(WORD_W),
      .DEPTH (STAGES - ALIGN - SUM)
  ) u_result (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  (word),
      .q  (y)
  );

endmodule

`default_nettype wire
