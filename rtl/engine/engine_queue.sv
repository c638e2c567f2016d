// Command queue of one engine: command memory, waits, issue.
//
// The head is issued ISSUE_CYCLES after its waits hold and `ready` is set (both then stay so). A wait compares one of the
// four completion counts. Words 0 and 1 of a command hold its waits, {array, load} and {store, vector}, 16 bits each.
`default_nettype none

module engine_queue #(
    parameter integer WORDS        = 8,   // 32-bit words of a command
    parameter integer DEPTH        = 64,  // commands, a power of two
    parameter integer ISSUE_CYCLES = 1,   // 1 or more
    parameter integer INDEX_W      = $clog2(DEPTH)
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 running,    // 0: go back to the first command
    input  wire                 wr_en,      // write one word of the memory, while not running
    input  wire [  INDEX_W-1:0] wr_command,
    input  wire [          4:0] wr_word,
    input  wire [         31:0] wr_data,
    input  wire [         15:0] count,      // commands of this run
    input  wire [         15:0] done_load,
    input  wire [         15:0] done_array,
    input  wire [         15:0] done_vector,
    input  wire [         15:0] done_store,
    input  wire                 ready,
    output wire                 issue,
    output wire [32*WORDS-1:0] command
);

  localparam integer WAIT_W = ISSUE_CYCLES > 1 ? $clog2(ISSUE_CYCLES) : 1;

  initial begin
    if (ISSUE_CYCLES < 1) $fatal(1, "%m: ISSUE_CYCLES must be 1 or more");
    if (DEPTH < 2 || DEPTH != (1 << INDEX_W)) $fatal(1, "%m: DEPTH must be a power of two, 2 or more");
    if (WORDS < 3 || WORDS > 32) $fatal(1, "%m: WORDS must be 3 to 32");
  end

  logic [15:0] issued;
  logic [WAIT_W-1:0] waited;
  // Before a run the first command is read, so that it stands here whenever the start comes.
  wire [INDEX_W-1:0] rd_command = running ? INDEX_W'(issued) + INDEX_W'(issue) : '0;

  generate
    for (genvar w = 0; w < WORDS; w++) begin : g_word
      logic [31:0] memory[0:DEPTH-1];
      logic [31:0] read;
      always_ff @(posedge clk) begin
        if (wr_en && wr_word == 5'(w)) memory[wr_command] <= wr_data;
        read <= memory[rd_command];
      end
      assign command[32*w+:32] = read;
    end
  endgenerate

  wire waits_hold = (done_load >= command[15:0]) & (done_array >= command[31:16]) &
                    (done_vector >= command[47:32]) & (done_store >= command[63:48]);
  wire may = running & (issued != count) & ready & waits_hold;
  assign issue = may & (waited == WAIT_W'(ISSUE_CYCLES - 1));

  always_ff @(posedge clk) begin
    if (rst | ~running) begin
      issued <= '0;
      waited <= '0;
    end else begin
      if (issue) issued <= issued + 16'd1;
      if (issue) waited <= '0;
      else if (may) waited <= waited + 1'b1;
    end
  end

endmodule

`default_nettype wire
