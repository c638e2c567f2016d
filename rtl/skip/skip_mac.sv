// Multiply-add of one PE: a product register and an accumulator.
//
// Latency: operands are in the sum two edges later. The sum starts afresh with `product_first`.
`default_nettype none

module skip_mac #(
    parameter integer INPUT_W       = 8,
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer P_W           = 16,  // bits of a product, signed
    parameter integer ACC_W         = 32   // bits of the sum; wraps modulo 2**ACC_W
) (
    input  wire                 clk,
    input  wire                 ce,
    input  wire  [ INPUT_W-1:0] a,
    input  wire  [WEIGHT_W-1:0] w,
    input  wire                 product_valid,
    input  wire                 product_first,
    output wire  [   ACC_W-1:0] total
);

  wire [P_W-1:0] p;
  logic signed [P_W-1:0] product;
  logic signed [ACC_W-1:0] sum;

  assign total = $unsigned(sum);

  product_int #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W),
      .WEIGHT_SIGNED(WEIGHT_SIGNED),
      .P_W          (P_W)
  ) u_product (
      .a(a),
      .w(w),
      .p(p)
  );

  always_ff @(posedge clk) begin
    if (ce) begin
      product <= $signed(p);
      if (product_valid) sum <= (product_first ? ACC_W'(0) : sum) + ACC_W'(product);
    end
  end

endmodule

`default_nettype wire
