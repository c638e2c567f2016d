// First-in first-out queue whose head is visible in the cycle after the push; nothing passes through in the same cycle.
`default_nettype none

module engine_fifo #(
    parameter integer DATA_W = 8,
    parameter integer DEPTH  = 4   // words, 1 or more
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              push,  // not while DEPTH words are held, unless pop
    input  wire [DATA_W-1:0] in,
    input  wire              pop,   // only while valid
    output wire              valid,
    output wire [DATA_W-1:0] out
);

  localparam integer INDEX_W = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam integer COUNT_W = $clog2(DEPTH + 1);

  logic [ DATA_W-1:0] words[0:DEPTH-1];
  logic [INDEX_W-1:0] head, tail;
  logic [COUNT_W-1:0] count;

  assign valid = count != '0;
  assign out   = words[head];

  always_ff @(posedge clk) begin
    if (rst) begin
      head  <= '0;
      tail  <= '0;
      count <= '0;
    end else begin
      if (push) tail <= tail == INDEX_W'(DEPTH - 1) ? '0 : tail + 1'b1;
      if (pop) head <= head == INDEX_W'(DEPTH - 1) ? '0 : head + 1'b1;
      if (push & ~pop) count <= count + 1'b1;
      if (pop & ~push) count <= count - 1'b1;
    end
    if (push) words[tail] <= in;
  end

endmodule

`default_nettype wire
