// Weight vectors of an input-stationary job: their addresses, and where in the accumulator their sums go.
//
// Per column fold, per tap, per block of ROWS input channels, every output channel: the address of its ROWS weights in
// the weight tile [tap][output channel][input channel], and which rows hold one. The sums of an output channel lie `block`
// behind those of the first, and COLS banks are turned by `turn`: the sum of column c goes to bank (c + turn) mod COLS.
// `load` takes a job, also in the cycle of the last step of the one before.
`default_nettype none

module engine_vectors #(
    parameter integer ROWS   = 4,
    parameter integer COLS   = 4,
    parameter integer ACC_W  = 8,  // bits of an address of the accumulator
    parameter integer TURN_W = 2
) (
    input  wire               clk,
    input  wire               load,
    input  wire  [      31:0] base,
    input  wire  [      31:0] k_bytes,    // from one output channel to the next
    input  wire  [      31:0] tap_bytes,  // from one tap to the next
    input  wire  [      31:0] k_count,    // output channels
    input  wire  [      31:0] c_count,    // input channels
    input  wire  [      31:0] taps,
    input  wire  [ ACC_W-1:0] k_sums,     // from one COLS output channels to the next
    input  wire  [TURN_W-1:0] turn_first,
    input  wire               step,
    output logic [      31:0] at,
    output wire  [  ROWS-1:0] mask,
    output logic [ ACC_W-1:0] block,
    output logic [TURN_W-1:0] turn
);

  logic [31:0] j_base, j_k_bytes, j_tap_bytes, j_k, j_c, j_taps;
  logic [ACC_W-1:0] j_k_sums;
  logic [TURN_W-1:0] j_turn, lane;
  logic [31:0] block_at, tap_at, k_left, c_left, taps_left;

  wire k_done = k_left == 32'd1;
  wire tap_done = k_done & (c_left <= 32'(ROWS));
  wire col_done = tap_done & (taps_left == 32'd1);
  wire lane_last = lane == TURN_W'(COLS - 1);

  wire [31:0] next_tap = tap_at + j_tap_bytes;
  wire [31:0] next_block = block_at + 32'(ROWS);

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      assign mask[r] = 32'(r) < c_left;
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (load) begin
      j_base      <= base;
      j_k_bytes   <= k_bytes;
      j_tap_bytes <= tap_bytes;
      j_k         <= k_count;
      j_c         <= c_count;
      j_taps      <= taps;
      j_k_sums    <= k_sums;
      j_turn      <= turn_first;
    end

    if (load | (step & col_done)) begin
      at       <= load ? base : j_base;
      block_at <= load ? base : j_base;
      tap_at   <= load ? base : j_base;
    end else if (step & tap_done) begin
      at       <= next_tap;
      block_at <= next_tap;
      tap_at   <= next_tap;
    end else if (step & k_done) begin
      at       <= next_block;
      block_at <= next_block;
    end else if (step) at <= at + j_k_bytes;

    if (load | (step & k_done)) begin
      k_left <= load ? k_count : j_k;
      turn   <= load ? turn_first : j_turn;
      lane   <= '0;
      block  <= '0;
    end else if (step) begin
      k_left <= k_left - 32'd1;
      turn   <= turn == TURN_W'(COLS - 1) ? '0 : turn + 1'b1;
      lane   <= lane_last ? '0 : lane + 1'b1;
      if (lane_last) block <= block + j_k_sums;
    end

    if (load | (step & tap_done)) c_left <= load ? c_count : j_c;
    else if (step & k_done) c_left <= c_left - 32'(ROWS);
    if (load | (step & col_done)) taps_left <= load ? taps : j_taps;
    else if (step & tap_done) taps_left <= taps_left - 32'd1;
  end

endmodule

`default_nettype wire
