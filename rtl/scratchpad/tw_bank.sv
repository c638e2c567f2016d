// Single-port memory: one read or one write per enabled edge. `q` is the word of the last read.
`default_nettype none

module tw_bank #(
    parameter integer WORDS  = 64,
    parameter integer ADDR_W = 6,   // bits of an address
    parameter integer DATA_W = 8    // bits of a word
) (
    input  wire               clk,
    input  wire               en,
    input  wire               we,
    input  wire  [ADDR_W-1:0] addr,
    input  wire  [DATA_W-1:0] d,
    output logic [DATA_W-1:0] q
);

  logic [DATA_W-1:0] memory[0:WORDS-1];

  always_ff @(posedge clk) begin
    if (en) begin
      if (we) memory[addr] <= d;
      else q <= memory[addr];
    end
  end

endmodule

`default_nettype wire
