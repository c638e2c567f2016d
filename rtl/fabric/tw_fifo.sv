// Synchronous FIFO of DEPTH words, any DEPTH from 2 on.
//
// All outputs are registers. DEPTH - 1 words are held in a memory with asynchronous read (distributed RAM), one in the
// output register. A word that meets an empty FIFO goes straight to the output register: latency 1 cycle from the
// handshake of a word to the earliest at which it leaves. One word per cycle in and out; `in_ready` falls when DEPTH
// words are held and rises one edge after one has left.
`default_nettype none

module tw_fifo #(
    parameter integer DEPTH  = 4,  // words, the output register included
    parameter integer DATA_W = 8   // bits of a word
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    output wire               in_ready,
    input  wire  [DATA_W-1:0] in_data,
    output logic              out_valid,
    input  wire               out_ready,
    output logic [DATA_W-1:0] out_data
);

  localparam integer WORDS = DEPTH - 1;
  localparam integer PTR_W = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam integer COUNT_W = $clog2(WORDS + 1);

  logic [DATA_W-1:0] memory[0:WORDS-1];
  logic [PTR_W-1:0] write_at, read_at;
  logic [COUNT_W-1:0] stored;  // words in the memory; more than none only while the output register is taken
  logic full;

  wire empty = stored == '0;
  wire free = ~out_valid | out_ready;  // the output register takes a word at the next edge
  wire take = in_valid & ~full;
  wire push = take & ~(free & empty);
  wire pop = free & ~empty;
  wire [COUNT_W-1:0] stored_next = stored + COUNT_W'(push) - COUNT_W'(pop);

  assign in_ready = ~full;

  always_ff @(posedge clk) begin
    if (rst) begin
      stored    <= '0;
      full      <= 1'b0;
      write_at  <= '0;
      read_at   <= '0;
      out_valid <= 1'b0;
    end else begin
      stored <= stored_next;
      full   <= stored_next == COUNT_W'(WORDS);
      if (push) write_at <= write_at == PTR_W'(WORDS - 1) ? '0 : write_at + 1'b1;
      if (pop) read_at <= read_at == PTR_W'(WORDS - 1) ? '0 : read_at + 1'b1;
      if (free) out_valid <= take | ~empty;
    end
    if (free) out_data <= empty ? in_data : memory[read_at];
    if (push) memory[write_at] <= in_data;
  end

endmodule

`default_nettype wire
