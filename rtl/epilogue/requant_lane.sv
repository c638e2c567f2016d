// Channel of a requantiser: y = clamp(zero + round(((x + bias) * multiplier + (r - r_zero) * r_multiplier) / 2**shift)).
//
// The part with r is there with RESIDUAL only. SUM_W holds every exact sum, VALUE_W every rounded sum with its zero
// point. Rounding: the floor, plus the bit below it (half up); with HALF_EVEN a half goes to the even neighbour.
// Latency: five enabled edges (biased, product, shifted, offset, clamped), six with RESIDUAL (sum of both products).
// `zero` comes SHIFTED = 3 + RESIDUAL edges after x, `low` and `high` one edge after `zero`.
`default_nettype none

module requant_lane #(
    parameter integer ACC_W      = 32,  // bits of an accumulator and of a bias, signed
    parameter integer MULT_W     = 31,  // bits of a multiplier, unsigned
    parameter integer SHIFT_W    = 6,
    parameter integer OUT_W      = 8,
    parameter integer OUT_SIGNED = 1,
    parameter integer HALF_EVEN  = 0,
    parameter integer RESIDUAL   = 0,
    parameter integer RES_W      = 8,   // bits of a residual code
    parameter integer RES_SIGNED = 1,
    parameter integer SUM_W      = 64,
    parameter integer VALUE_W    = 64
) (
    input  wire                clk,
    input  wire                ce,
    input  wire  [  ACC_W-1:0] x,
    input  wire  [  ACC_W-1:0] bias,
    input  wire  [ MULT_W-1:0] multiplier,
    input  wire  [SHIFT_W-1:0] shift,
    input  wire  [  RES_W-1:0] r,
    input  wire  [  RES_W-1:0] r_zero,
    input  wire  [ MULT_W-1:0] r_multiplier,
    input  wire  [  OUT_W-1:0] zero,
    input  wire  [  OUT_W-1:0] low,
    input  wire  [  OUT_W-1:0] high,
    output logic [  OUT_W-1:0] y
);

  localparam integer WIDE_W = SUM_W + 1;
  localparam integer PLACES = RESIDUAL != 0 ? 3 : 2;  // edges from the shift's arrival to its use

  logic signed [ACC_W:0] biased;
  logic [MULT_W-1:0] factor;
  logic signed [SUM_W-1:0] product;
  wire signed [SUM_W-1:0] total;
  wire [SHIFT_W-1:0] places;

  always_ff @(posedge clk) begin
    if (ce) begin
      biased  <= $signed({x[ACC_W-1], x}) + $signed({bias[ACC_W-1], bias});
      factor  <= multiplier;
      product <= SUM_W'(biased) * $signed(SUM_W'(factor));
    end
  end

  tw_delay #(
      .DATA_W(SHIFT_W),
      .DEPTH (PLACES)
  ) u_places (
      .clk(clk),
      .rst(1'b0),
      .ce (ce),
      .d  (shift),
      .q  (places)
  );

  if (RESIDUAL != 0) begin : g_residual
    // One bit more makes a code signed whatever its format.
    wire signed [RES_W:0] r_signed = $signed({(RES_SIGNED != 0) & r[RES_W-1], r});
    wire signed [RES_W:0] r_zero_signed = $signed({(RES_SIGNED != 0) & r_zero[RES_W-1], r_zero});
    logic signed [RES_W:0] difference;
    logic [MULT_W-1:0] r_factor;
    logic signed [SUM_W-1:0] r_product, sum;
    always_ff @(posedge clk) begin
      if (ce) begin
        difference <= r_signed - r_zero_signed;
        r_factor   <= r_multiplier;
        r_product  <= SUM_W'(difference) * $signed(SUM_W'(r_factor));
        sum        <= product + r_product;
      end
    end
    assign total = sum;
  end else begin : g_none
    wire unused_ok = &{1'b0, r, r_zero, r_multiplier};
    assign total = product;
  end

  // A zero below the sum becomes the bit below the floor; for no shift it is 0, and nothing is rounded.
  wire signed [SUM_W:0] shifted = $signed({total, 1'b0}) >>> places;
  wire round_up;
  if (HALF_EVEN != 0) begin : g_even
    wire [SUM_W:0] cut = {$unsigned(total), 1'b0} & ~({WIDE_W{1'b1}} << places);
    assign round_up = shifted[0] & (shifted[1] | (|cut));
  end else begin : g_up
    assign round_up = shifted[0];
  end

  logic signed [SUM_W-1:0] floor;
  logic up;
  logic signed [VALUE_W-1:0] value;
  wire signed [OUT_W:0] zero_signed = $signed({(OUT_SIGNED != 0) & zero[OUT_W-1], zero});
  wire signed [OUT_W:0] low_signed = $signed({(OUT_SIGNED != 0) & low[OUT_W-1], low});
  wire signed [OUT_W:0] high_signed = $signed({(OUT_SIGNED != 0) & high[OUT_W-1], high});

  always_ff @(posedge clk) begin
    if (ce) begin
      floor <= $signed(shifted[SUM_W:1]);
      up    <= round_up;
      value <= VALUE_W'(floor) + VALUE_W'($signed({1'b0, up})) + VALUE_W'(zero_signed);
      if (VALUE_W'(low_signed) > value) y <= low;
      else if (value > VALUE_W'(high_signed)) y <= high;
      else y <= $unsigned(value[OUT_W-1:0]);
    end
  end

endmodule

`default_nettype wire
