// One lane of the vector unit: code = clamp(((sum + bias) * multiplier + second * second_multiplier + half) >> shift).
//
// half is 2**(shift - 1), 0 for shift 0: ties go up. Exact: no step wraps. Three cycles from sum to code.
`default_nettype none

module engine_lane #(
    parameter integer ACC_W  = 32,
    parameter integer CODE_W = 8    // bits of a code, signed
) (
    input  wire              clk,
    input  wire [ ACC_W-1:0] sum,
    input  wire [      31:0] bias,
    input  wire [      23:0] multiplier,         // unsigned
    input  wire [       7:0] shift,              // 0 to 59
    input  wire [CODE_W-1:0] second,
    input  wire [      23:0] second_multiplier,  // unsigned; 0 without a second operand
    input  wire              relu,
    output logic signed [CODE_W-1:0] code
);

  localparam integer WIDE_W = (ACC_W > 32 ? ACC_W : 32) + 1 + 25 + 2;
  localparam signed [WIDE_W-1:0] MAX = WIDE_W'((1 << (CODE_W - 1)) - 1);
  localparam signed [WIDE_W-1:0] MIN = -WIDE_W'(1 << (CODE_W - 1));

  logic signed [WIDE_W-1:0] biased, second_part, product;
  logic [23:0] multiplier_1;
  logic [7:0] shift_1, shift_2;

  wire signed [WIDE_W-1:0] half = shift_2 == 8'd0 ? WIDE_W'(0) : WIDE_W'(1) <<< (shift_2 - 8'd1);
  wire signed [WIDE_W-1:0] rounded = (product + half) >>> shift_2;
  wire signed [WIDE_W-1:0] low = relu ? WIDE_W'(0) : MIN;

  always_ff @(posedge clk) begin
    biased       <= WIDE_W'($signed(sum)) + WIDE_W'($signed(bias));
    second_part  <= WIDE_W'($signed(second)) * WIDE_W'($signed({1'b0, second_multiplier}));
    multiplier_1 <= multiplier;
    shift_1      <= shift;
    product      <= biased * WIDE_W'($signed({1'b0, multiplier_1})) + second_part;
    shift_2      <= shift_1;
    code         <= rounded < low ? CODE_W'(low) : rounded > MAX ? CODE_W'(MAX) : CODE_W'(rounded);
  end

endmodule

`default_nettype wire
