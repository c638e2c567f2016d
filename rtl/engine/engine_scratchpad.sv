// Scratchpad of byte banks: reads and writes of consecutive bytes start at any byte.
//
// Byte address a lies in bank a mod BANKS at word a / BANKS, so any BANKS consecutive bytes are in different banks and a
// read or a write never meets a conflict. One write and one read a cycle.
//   write  byte i of wr_data goes to wr_addr + i where wr_mask[i] is set; addresses wrap
//   read   rd_data holds the bytes from rd_addr one cycle after rd_en, and keeps them until the next rd_en
// A read beside a write of the same byte gives the old byte, with THROUGH the new one.
`default_nettype none

module engine_scratchpad #(
    parameter integer BANKS    = 8,   // a power of two, at least WR_BYTES and RD_BYTES
    parameter integer DEPTH    = 64,  // words of BANKS bytes, a power of two
    parameter integer WR_BYTES = 8,
    parameter integer RD_BYTES = 4,
    parameter integer THROUGH  = 0,
    parameter integer ADDR_W   = $clog2(BANKS * DEPTH)
) (
    input  wire                  clk,
    input  wire [  WR_BYTES-1:0] wr_mask,
    input  wire [    ADDR_W-1:0] wr_addr,
    input  wire [8*WR_BYTES-1:0] wr_data,
    input  wire                  rd_en,
    input  wire [    ADDR_W-1:0] rd_addr,
    output wire [8*RD_BYTES-1:0] rd_data
);

  localparam integer BANK_W = $clog2(BANKS);
  localparam integer WORD_W = ADDR_W - BANK_W;

  initial begin
    if (BANKS < 2 || BANKS != (1 << BANK_W)) $fatal(1, "%m: BANKS must be a power of two, 2 or more");
    if (DEPTH < 2 || ADDR_W != $clog2(BANKS * DEPTH)) $fatal(1, "%m: DEPTH must be a power of two, 2 or more");
    if (WR_BYTES > BANKS || RD_BYTES > BANKS) $fatal(1, "%m: WR_BYTES and RD_BYTES must not exceed BANKS");
  end

  wire  [BANK_W-1:0] wr_first = wr_addr[BANK_W-1:0];
  wire  [BANK_W-1:0] rd_first = rd_addr[BANK_W-1:0];
  wire  [WORD_W-1:0] wr_word = wr_addr[ADDR_W-1:BANK_W];
  wire  [WORD_W-1:0] rd_word = rd_addr[ADDR_W-1:BANK_W];
  wire  [       7:0] bank_data[0:BANKS-1];
  logic [BANK_W-1:0] first;

  wire  [  BANKS-1:0] mask = BANKS'(wr_mask);
  wire  [8*BANKS-1:0] data = (8 * BANKS)'(wr_data);

  always_ff @(posedge clk) if (rd_en) first <= rd_first;

  generate
    for (genvar b = 0; b < BANKS; b++) begin : g_bank
      logic [7:0] memory[0:DEPTH-1];
      logic [7:0] read;

      // Which byte of the write this bank takes; banks below the first one hold the word after.
      wire [BANK_W-1:0] wr_byte = BANK_W'(b) - wr_first;
      wire [WORD_W-1:0] wr_at = wr_word + WORD_W'((BANK_W + 1)'(wr_first) > (BANK_W + 1)'(b));
      wire [WORD_W-1:0] rd_at = rd_word + WORD_W'((BANK_W + 1)'(rd_first) > (BANK_W + 1)'(b));

      always_ff @(posedge clk) begin
        if (mask[wr_byte]) memory[wr_at] <= data[8*wr_byte+:8];
        if (rd_en) read <= memory[rd_at];
      end
      if (THROUGH == 0) begin : g_old
        assign bank_data[b] = read;
      end else begin : g_new
        logic beside;
        logic [7:0] written;
        always_ff @(posedge clk) begin
          if (rd_en) beside <= mask[wr_byte] & (wr_at == rd_at);
          if (rd_en) written <= data[8*wr_byte+:8];
        end
        assign bank_data[b] = beside ? written : read;
      end
    end
    for (genvar i = 0; i < RD_BYTES; i++) begin : g_read
      wire [BANK_W-1:0] bank = first + BANK_W'(i);
      assign rd_data[8*i+:8] = bank_data[bank];
    end
  endgenerate

endmodule

`default_nettype wire
