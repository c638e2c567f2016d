// Walks a DMA descriptor: a run of bytes repeated over three nested loops, cut into AXI bursts or into beats.
//
// A run pays whole beats at both ends. A burst ends with its run, after BURST_BEATS beats or at a 4 KiB boundary. `load`
// takes a descriptor, also in the cycle of the last step of the one before; `step` goes on by one burst (PER_BEAT = 0)
// or by one beat (PER_BEAT = 1). All outputs are of the burst or beat the walk stands at.
`default_nettype none

module engine_dma_walk #(
    parameter integer BEAT_BYTES  = 8,   // a power of two
    parameter integer BURST_BEATS = 16,  // at most 256, and at most 4 KiB
    parameter integer PER_BEAT    = 0
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         load,
    input  wire [ 31:0] address,
    input  wire [ 31:0] run_bytes,
    input  wire [ 31:0] count_0,      // innermost
    input  wire [ 31:0] pitch_0,
    input  wire [ 31:0] count_1,
    input  wire [ 31:0] pitch_1,
    input  wire [ 31:0] count_2,
    input  wire [ 31:0] pitch_2,
    input  wire         step,
    output logic        active,
    output wire         last,         // of the descriptor
    output wire [ 31:0] at,           // address of the burst or beat, on a beat boundary
    output wire [  8:0] beats,        // beats of the burst
    output wire         burst_last,   // at the last beat of a burst
    output wire [ 15:0] first_byte,   // useful bytes of the beat: from this one
    output wire [ 15:0] end_byte      // to the one before this
);

  localparam integer BEAT_W = $clog2(BEAT_BYTES);

  initial begin
    if (BEAT_BYTES < 2 || BEAT_BYTES != (1 << BEAT_W)) $fatal(1, "%m: BEAT_BYTES must be a power of two, 2 or more");
    if (BURST_BEATS < 1 || BURST_BEATS > 256) $fatal(1, "%m: BURST_BEATS must be 1 to 256");
    if (BURST_BEATS * BEAT_BYTES > 4096) $fatal(1, "%m: a burst must be at most 4 KiB");
  end

  logic [31:0] run_at, run, base_1, base_2, beat_at;
  logic [31:0] left_0, left_1, left_2, counts_0, counts_1, skip_0, skip_1, skip_2;
  logic [8:0] in_burst;

  wire [31:0] run_end = run_at + run;
  wire [31:0] last_beat = (run_end - 32'd1) & ~32'(BEAT_BYTES - 1);
  wire [31:0] left = ((last_beat - beat_at) >> BEAT_W) + 32'd1;
  wire [31:0] to_page = (32'd4096 - (beat_at & 32'd4095)) >> BEAT_W;
  wire [31:0] in_run = left < 32'(BURST_BEATS) ? left : 32'(BURST_BEATS);
  wire [31:0] cut = in_run < to_page ? in_run : to_page;

  assign at         = beat_at;
  assign beats      = cut[8:0];
  assign burst_last = (left == 32'd1) | (to_page == 32'd1) | (in_burst == 9'(BURST_BEATS - 1));
  assign first_byte = (beat_at <= run_at) ? 16'(run_at[BEAT_W-1:0]) : 16'd0;
  assign end_byte   = (beat_at == last_beat) ? 16'(run_end - last_beat) : 16'(BEAT_BYTES);

  wire [31:0] moved = PER_BEAT != 0 ? 32'd1 : cut;
  wire run_done = left == moved;
  wire done_0 = left_0 == 32'd1;
  wire done_1 = left_1 == 32'd1;
  assign last = run_done & done_0 & done_1 & (left_2 == 32'd1);

  wire [31:0] next_run = ~done_0 ? run_at + skip_0 : ~done_1 ? base_1 + skip_1 : base_2 + skip_2;
  wire [31:0] start = load ? address : next_run;

  always_ff @(posedge clk) begin
    if (rst) active <= 1'b0;
    else if (load) active <= 1'b1;
    else if (step & last) active <= 1'b0;

    if (load) begin
      run      <= run_bytes;
      counts_0 <= count_0;
      counts_1 <= count_1;
      skip_0   <= pitch_0;
      skip_1   <= pitch_1;
      skip_2   <= pitch_2;
    end
    if (load | (step & run_done)) begin
      run_at   <= start;
      beat_at  <= start & ~32'(BEAT_BYTES - 1);
      in_burst <= '0;
      if (load | done_0) base_1 <= start;
      if (load | (done_0 & done_1)) base_2 <= start;
      left_0 <= load ? count_0 : done_0 ? counts_0 : left_0 - 32'd1;
      if (load | done_0) left_1 <= load ? count_1 : done_1 ? counts_1 : left_1 - 32'd1;
      if (load | (done_0 & done_1)) left_2 <= load ? count_2 : left_2 - 32'd1;
    end else if (step) begin
      beat_at  <= beat_at + (moved << BEAT_W);
      in_burst <= (burst_last | PER_BEAT == 0) ? '0 : in_burst + 9'd1;
    end
  end

endmodule

`default_nettype wire
