// Floating-point product, rounded once to nearest even into a format of its own; IEEE 754 with subnormals.
//
// Latency: STAGES enabled edges, shared out between the integer product and the rounding; 0 is combinational.
// Infinity times zero and any not-a-number give the canonical quiet not-a-number.
`default_nettype none

module fp_mul #(
    parameter integer EXP_W     = 5,   // of the operands
    parameter integer MAN_W     = 10,
    parameter integer OUT_EXP_W = 5,   // of the product, at least EXP_W
    parameter integer OUT_MAN_W = 10,
    parameter integer STAGES    = 1
) (
    input  wire                         clk,
    input  wire                         ce,
    input  wire [      EXP_W+MAN_W:0] a,
    input  wire [      EXP_W+MAN_W:0] b,
    output wire [OUT_EXP_W+OUT_MAN_W:0] y
);

  localparam integer FULL_W = 2 * MAN_W + 2;
  localparam integer SIG_W = FULL_W > OUT_MAN_W + 3 ? FULL_W : OUT_MAN_W + 3;
  localparam integer WIDE_W = OUT_EXP_W + 2;
  // Biased exponent of the top bit of the full product is ea + eb + OFFSET.
  localparam integer OFFSET = (1 << (OUT_EXP_W - 1)) - (1 << EXP_W) + 2;
  localparam integer FIRST = (STAGES + 1) / 2;
  localparam integer BUNDLE_W = 3 + WIDE_W + FULL_W;

  wire [EXP_W-1:0] ea = a[MAN_W+:EXP_W];
  wire [EXP_W-1:0] eb = b[MAN_W+:EXP_W];
  wire [MAN_W-1:0] ma = a[MAN_W-1:0];
  wire [MAN_W-1:0] mb = b[MAN_W-1:0];
  wire a_special = &ea;
  wire b_special = &eb;
  wire a_normal = |ea;
  wire b_normal = |eb;
  wire a_zero = ~a_normal & ~|ma;
  wire b_zero = ~b_normal & ~|mb;
  wire is_nan = (a_special & |ma) | (b_special & |mb) | (a_special & b_zero) | (b_special & a_zero);
  wire is_inf = a_special | b_special;
  wire sign = a[EXP_W+MAN_W] ^ b[EXP_W+MAN_W];
  wire [FULL_W-1:0] full = FULL_W'({a_normal, ma}) * FULL_W'({b_normal, mb});
  wire [WIDE_W-1:0] exponent =
      WIDE_W'(a_normal ? ea : EXP_W'(1)) + WIDE_W'(b_normal ? eb : EXP_W'(1)) + WIDE_W'(OFFSET);

  wire nan_q, inf_q, sign_q;
  wire signed [WIDE_W-1:0] exponent_q;
  wire [FULL_W-1:0] full_q;
  wire [SIG_W-1:0] significand = SIG_W'(full_q) << (SIG_W - FULL_W);
  wire [OUT_EXP_W+OUT_MAN_W:0] word;

  tw_delay #(
      .DATA_W(BUNDLE_W),
      .DEPTH (FIRST)
  ) u_product (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  ({is_nan, is_inf, sign, exponent, full}),
      .q  ({nan_q, inf_q, sign_q, exponent_q, full_q})
  );

  fp_round #(
      .EXP_W (OUT_EXP_W),
      .MAN_W (OUT_MAN_W),
      .SIG_W (SIG_W),
      .WIDE_W(WIDE_W)
  ) u_round (
      .is_nan     (nan_q),
      .is_inf     (inf_q),
      .sign       (sign_q),
      .exponent   (exponent_q),
      .significand(significand),
      .word       (word)
  );

  tw_delay #(
      .DATA_W(1 + OUT_EXP_W + OUT_MAN_W),
      .DEPTH (STAGES - FIRST)
  ) u_result (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  (word),
      .q  (y)
  );

endmodule

`default_nettype wire
