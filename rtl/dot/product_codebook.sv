// Codebook lane: the weight code chooses an entry of TABLE, which is multiplied.
//
// Entry i of TABLE lies at bits i*ENTRY_W, in two's complement.
`default_nettype none

module product_codebook #(
    parameter integer INPUT_W      = 8,
    parameter integer INPUT_SIGNED = 1,
    parameter integer INDEX_W      = 4,
    parameter integer ENTRY_W      = 8,
    parameter logic [(1<<INDEX_W)*ENTRY_W-1:0] TABLE = '0,
    parameter integer P_W          = 16  // bits of the product, signed
) (
    input  wire [INPUT_W-1:0] a,
    input  wire [INDEX_W-1:0] w,
    output wire [    P_W-1:0] p
);

  wire [ENTRY_W-1:0] entry[0:(1<<INDEX_W)-1];
  for (genvar i = 0; i < (1 << INDEX_W); i++) begin : g_entry
    assign entry[i] = TABLE[i*ENTRY_W+:ENTRY_W];
  end

  product_int #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (ENTRY_W),
      .WEIGHT_SIGNED(1),
      .P_W          (P_W)
  ) u_product (
      .a(a),
      .w(entry[w]),
      .p(p)
  );

endmodule

`default_nettype wire
