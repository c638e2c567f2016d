// Power-exponent lane, product-table form: the pair of magnitude codes chooses the product's magnitude.
//
// TABLE holds the magnitude of the product of codes i and j at entry i * 2**(BITS-1) + j, ENTRY_W bits each, unsigned.
`default_nettype none

module product_power_table #(
    parameter integer BITS    = 4,   // bits of a code: sign above, magnitude below
    parameter integer ENTRY_W = 12,
    parameter logic [(1<<(2*BITS-2))*ENTRY_W-1:0] TABLE = '0,
    parameter integer P_W     = 13   // bits of the product, signed
) (
    input  wire [BITS-1:0] a,
    input  wire [BITS-1:0] w,
    output wire [ P_W-1:0] p
);

  localparam integer ENTRIES = 1 << (2 * BITS - 2);

  wire [ENTRY_W-1:0] entry[0:ENTRIES-1];
  for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
    assign entry[i] = TABLE[i*ENTRY_W+:ENTRY_W];
  end

  wire negative = a[BITS-1] ^ w[BITS-1];
  wire [P_W-1:0] magnitude = P_W'(entry[{a[BITS-2:0], w[BITS-2:0]}]);

  assign p = (magnitude ^ {P_W{negative}}) + P_W'(negative);

endmodule

`default_nettype wire
