// Accumulator scratchpad of an engine with an input-stationary array: engine_accumulator, but a bank of its own address per
// lane, and lanes turned.
//
// Column c of the array adds to bank (c + in_turn) mod COLS at its own address, where in_mask has it; lane l of the vector
// unit reads bank (l + rd_turn) mod COLS, all at one address. Stages and rules are those of engine_accumulator.
`default_nettype none

module engine_accumulator_is #(
    parameter integer COLS   = 4,
    parameter integer ACC_W  = 32,
    parameter integer DEPTH  = 64,                 // vectors of one half
    parameter integer ADDR_W = $clog2(DEPTH) + 1,
    parameter integer TURN_W = 2
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    in_valid,
    input  wire                    in_first,
    input  wire                    in_job_last,
    input  wire  [       COLS-1:0] in_mask,
    input  wire  [COLS*ADDR_W-1:0] in_addr,
    input  wire  [     TURN_W-1:0] in_turn,
    input  wire  [ COLS*ACC_W-1:0] in_sums,      // a cycle behind their addresses
    output wire                    done,
    input  wire                    rd_en,
    input  wire  [     ADDR_W-1:0] rd_addr,
    input  wire  [     TURN_W-1:0] rd_turn,
    output wire  [ COLS*ACC_W-1:0] rd_sums
);

  localparam integer INDEX_W = ADDR_W - 1;

  initial if (DEPTH < 2 || ADDR_W != $clog2(DEPTH) + 1) $fatal(1, "%m: DEPTH must be 2 or more");

  logic add_valid, add_first, add_job_last, rd_half;
  logic [TURN_W-1:0] add_turn, rd_turned;

  assign done = add_valid & add_job_last;

  always_ff @(posedge clk) begin
    if (rst) add_valid <= 1'b0;
    else add_valid <= in_valid;
    add_first    <= in_first;
    add_job_last <= in_job_last;
    add_turn     <= in_turn;
    if (rd_en) rd_half <= rd_addr[ADDR_W-1];
    if (rd_en) rd_turned <= rd_turn;
  end

  // Nets, not slices of one vector: event simulators re-evaluate every reader of a vector that changes.
  wire [ADDR_W-1:0] column_at[0:COLS-1];
  wire [ACC_W-1:0] column_sum[0:COLS-1];
  wire [ACC_W-1:0] bank_sum[0:COLS-1];

  generate
    for (genvar c = 0; c < COLS; c++) begin : g_column
      assign column_at[c]  = in_addr[c*ADDR_W+:ADDR_W];
      assign column_sum[c] = in_sums[c*ACC_W+:ACC_W];
    end
    for (genvar b = 0; b < COLS; b++) begin : g_bank
      logic [ACC_W-1:0] low[0:DEPTH-1];
      logic [ACC_W-1:0] high[0:DEPTH-1];
      logic [ACC_W-1:0] from_low, from_high, ahead;
      logic bank_valid, forward;
      logic [ADDR_W-1:0] add_addr;

      // Which column this bank takes
      wire [TURN_W:0] back = (TURN_W + 1)'(b + COLS) - {1'b0, in_turn};
      wire [TURN_W:0] add_back = (TURN_W + 1)'(b + COLS) - {1'b0, add_turn};
      wire [TURN_W-1:0] column = back >= (TURN_W + 1)'(COLS) ? TURN_W'(back - (TURN_W + 1)'(COLS)) : TURN_W'(back);
      wire [TURN_W-1:0] added = add_back >= (TURN_W + 1)'(COLS) ? TURN_W'(add_back - (TURN_W + 1)'(COLS)) :
                                TURN_W'(add_back);
      wire valid = in_valid & in_mask[column];
      wire [ADDR_W-1:0] at = column_at[column];

      // Each half has one read port: the array's while it works there, the vector unit's otherwise.
      wire low_array = valid & ~at[ADDR_W-1];
      wire high_array = valid & at[ADDR_W-1];
      wire [INDEX_W-1:0] low_at = low_array ? at[INDEX_W-1:0] : rd_addr[INDEX_W-1:0];
      wire [INDEX_W-1:0] high_at = high_array ? at[INDEX_W-1:0] : rd_addr[INDEX_W-1:0];

      wire [ACC_W-1:0] stored = add_addr[ADDR_W-1] ? from_high : from_low;
      wire [ACC_W-1:0] partial = forward ? ahead : stored;
      wire [ACC_W-1:0] sum = column_sum[added] + (add_first ? '0 : partial);

      always_ff @(posedge clk) begin
        if (rst) bank_valid <= 1'b0;
        else bank_valid <= valid;
        add_addr <= at;
        forward  <= bank_valid & (add_addr == at);
        if (bank_valid & ~add_addr[ADDR_W-1]) low[add_addr[INDEX_W-1:0]] <= sum;
        if (bank_valid & add_addr[ADDR_W-1]) high[add_addr[INDEX_W-1:0]] <= sum;
        from_low  <= low[low_at];
        from_high <= high[high_at];
        ahead     <= sum;
      end

      assign bank_sum[b] = rd_half ? from_high : from_low;
    end
    for (genvar l = 0; l < COLS; l++) begin : g_lane
      wire [TURN_W:0] place = (TURN_W + 1)'(l) + {1'b0, rd_turned};
      wire [TURN_W-1:0] bank = place >= (TURN_W + 1)'(COLS) ? TURN_W'(place - (TURN_W + 1)'(COLS)) : TURN_W'(place);
      assign rd_sums[l*ACC_W+:ACC_W] = bank_sum[bank];
    end
  endgenerate

endmodule

`default_nettype wire
