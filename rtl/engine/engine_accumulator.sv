// Accumulator scratchpad of two halves: the array adds to one while the vector unit reads the other.
//
// Array side, two stages: read what stands at the address, then add and write. in_sums come a cycle after their address,
// in the second stage. in_first starts a sum instead of adding.
// A vector that follows one cycle behind on the same address takes the sum from the stage ahead. `done` tells, in the
// cycle before the edge that writes it, that the last vector of a job is in.
// Vector side: sums one cycle after rd_en. Addresses are {half, vector}; the two sides never use one half at a time.
`default_nettype none

module engine_accumulator #(
    parameter integer COLS   = 4,
    parameter integer ACC_W  = 32,
    parameter integer DEPTH  = 64,                 // vectors of one half
    parameter integer ADDR_W = $clog2(DEPTH) + 1
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   in_valid,
    input  wire                   in_first,
    input  wire                   in_job_last,
    input  wire  [    ADDR_W-1:0] in_addr,
    input  wire  [COLS*ACC_W-1:0] in_sums,
    output wire                   done,
    input  wire                   rd_en,
    input  wire  [    ADDR_W-1:0] rd_addr,
    output wire  [COLS*ACC_W-1:0] rd_sums
);

  localparam integer INDEX_W = ADDR_W - 1;

  initial if (DEPTH < 2 || ADDR_W != $clog2(DEPTH) + 1) $fatal(1, "%m: DEPTH must be 2 or more");

  logic add_valid, add_first, add_job_last, forward, rd_half;
  logic [ADDR_W-1:0] add_addr;

  assign done = add_valid & add_job_last;

  always_ff @(posedge clk) begin
    if (rst) add_valid <= 1'b0;
    else add_valid <= in_valid;
    add_first    <= in_first;
    add_job_last <= in_job_last;
    add_addr     <= in_addr;
    forward      <= add_valid & (add_addr == in_addr);
    if (rd_en) rd_half <= rd_addr[ADDR_W-1];
  end

  generate
    for (genvar c = 0; c < COLS; c++) begin : g_lane
      logic [ACC_W-1:0] low[0:DEPTH-1];
      logic [ACC_W-1:0] high[0:DEPTH-1];
      logic [ACC_W-1:0] from_low, from_high, ahead;

      // Each half has one read port: the array's while it works there, the vector unit's otherwise.
      wire low_array = in_valid & ~in_addr[ADDR_W-1];
      wire high_array = in_valid & in_addr[ADDR_W-1];
      wire [INDEX_W-1:0] low_at = low_array ? in_addr[INDEX_W-1:0] : rd_addr[INDEX_W-1:0];
      wire [INDEX_W-1:0] high_at = high_array ? in_addr[INDEX_W-1:0] : rd_addr[INDEX_W-1:0];

      wire [ACC_W-1:0] stored = add_addr[ADDR_W-1] ? from_high : from_low;
      wire [ACC_W-1:0] partial = forward ? ahead : stored;
      wire [ACC_W-1:0] sum = in_sums[c*ACC_W+:ACC_W] + (add_first ? '0 : partial);

      always_ff @(posedge clk) begin
        if (add_valid & ~add_addr[ADDR_W-1]) low[add_addr[INDEX_W-1:0]] <= sum;
        if (add_valid & add_addr[ADDR_W-1]) high[add_addr[INDEX_W-1:0]] <= sum;
        from_low  <= low[low_at];
        from_high <= high[high_at];
        ahead     <= sum;
      end

      assign rd_sums[c*ACC_W+:ACC_W] = rd_half ? from_high : from_low;
    end
  endgenerate

endmodule

`default_nettype wire
