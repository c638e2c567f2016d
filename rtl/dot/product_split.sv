// Split-scale lane: a weight is a code and the cluster whose scale and zero point it has.
//
// p = a * SCALE[cluster] * (code - ZERO[cluster]). Weight word: the code below, two bits of cluster above (0, 1 or 2).
`default_nettype none

module product_split #(
    parameter integer INPUT_W      = 8,
    parameter integer INPUT_SIGNED = 1,
    parameter integer CODE_W       = 2,   // bits of a code, unsigned
    parameter integer SCALE_W      = 8,   // bits of a scale, unsigned
    parameter logic [3*SCALE_W-1:0] SCALES = '0,  // cluster c at bits c*SCALE_W
    parameter logic [3*CODE_W-1:0] ZEROS = '0,    // cluster c at bits c*CODE_W
    parameter integer P_W          = 20   // bits of the product, signed
) (
    input  wire [ INPUT_W-1:0] a,
    input  wire [CODE_W+2-1:0] w,
    output wire [     P_W-1:0] p
);

  localparam integer VALUE_W = SCALE_W + CODE_W + 2;

  wire [1:0] cluster = w[CODE_W+:2];
  logic [SCALE_W-1:0] scale;
  logic [CODE_W-1:0] zero;
  always_comb begin
    case (cluster)
      2'd0: {scale, zero} = {SCALES[0+:SCALE_W], ZEROS[0+:CODE_W]};
      2'd1: {scale, zero} = {SCALES[SCALE_W+:SCALE_W], ZEROS[CODE_W+:CODE_W]};
      2'd2: {scale, zero} = {SCALES[2*SCALE_W+:SCALE_W], ZEROS[2*CODE_W+:CODE_W]};
      default: {scale, zero} = '0;
    endcase
  end

  wire signed [CODE_W:0] offset = $signed({1'b0, w[CODE_W-1:0]}) - $signed({1'b0, zero});
  wire signed [VALUE_W-1:0] value = VALUE_W'(offset) * VALUE_W'($signed({1'b0, scale}));
  wire [VALUE_W-1:0] weight = $unsigned(value);  // a cast at the port itself stops Yosys 0.70

  product_int #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (VALUE_W),
      .WEIGHT_SIGNED(1),
      .P_W          (P_W)
  ) u_product (
      .a(a),
      .w(weight),
      .p(p)
  );

endmodule

`default_nettype wire
