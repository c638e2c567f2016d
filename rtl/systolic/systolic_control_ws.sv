// Sequencer of the weight-stationary core: a loader one fold ahead of a streamer.
//
// The loader feeds weight rows while the array's shadow is free; the streamer feeds vectors once its fold's weights
// are complete. A job is taken when the loader has finished the one before and the streamer has picked that one up, so
// the first load of a job hides behind the last stream of the job before.
`default_nettype none

module systolic_control_ws #(
    parameter integer ROWS    = 4,
    parameter integer COUNT_W = 24
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               ce,
    input  wire               job_valid,
    output wire               job_ready,
    input  wire [COUNT_W-1:0] job_stream,
    input  wire [COUNT_W-1:0] job_row_folds,
    input  wire [COUNT_W-1:0] job_col_folds,
    output wire               loading,       // weight rows of the last job taken are still to enter
    output wire               stream_start,  // the streamer picks up the job that waits for it
    input  wire               w_valid,
    output wire               w_ready,
    output wire               w_enter,       // a weight row enters the array
    input  wire               a_valid,
    output wire               a_ready,
    output wire               a_enter,       // a vector enters the array
    output wire               a_swap,        // ... and it is the first of its fold
    output wire               a_row_first,
    output wire               a_row_last,
    output wire               a_job_last
);

  logic shadow_complete;  // all weight rows of the next fold are in
  logic next_valid;       // a job waits for the streamer
  logic [COUNT_W-1:0] next_stream, next_row_folds, next_col_folds;

  wire load_active, load_beat_last, load_job_last;
  wire stream_active, stream_first;
  wire unused_load_beat_first, unused_load_row_first, unused_load_row_last, unused_stream_beat_last;

  wire load_free = ~load_active | (w_enter & load_job_last);
  wire stream_free = ~stream_active | (a_enter & a_job_last);
  assign stream_start = next_valid & stream_free;
  wire next_free = ~next_valid | stream_free;
  wire job_start = job_valid & job_ready;

  assign job_ready = load_free & next_free;
  assign loading   = load_active;

  assign a_ready = ce & stream_active & (~stream_first | shadow_complete);
  assign a_enter = a_ready & a_valid;
  assign a_swap  = a_enter & stream_first;

  assign w_ready = ce & load_active & (~shadow_complete | a_swap);
  assign w_enter = w_ready & w_valid;

  always_ff @(posedge clk) begin
    if (rst) begin
      shadow_complete <= 1'b0;
      next_valid      <= 1'b0;
    end else begin
      if (w_enter & load_beat_last) shadow_complete <= 1'b1;
      else if (a_swap) shadow_complete <= 1'b0;
      if (job_start) next_valid <= 1'b1;
      else if (stream_start) next_valid <= 1'b0;
    end
    if (job_start) begin
      next_stream    <= job_stream;
      next_row_folds <= job_row_folds;
      next_col_folds <= job_col_folds;
    end
  end

  tw_fold_counter #(
      .COUNT_W(COUNT_W)
  ) u_load (
      .clk       (clk),
      .rst       (rst),
      .start     (job_start),
      .beats     (COUNT_W'(ROWS)),
      .row_folds (job_row_folds),
      .col_folds (job_col_folds),
      .step      (w_enter),
      .active    (load_active),
      .beat_first(unused_load_beat_first),
      .beat_last (load_beat_last),
      .row_first (unused_load_row_first),
      .row_last  (unused_load_row_last),
      .job_last  (load_job_last)
  );

  tw_fold_counter #(
      .COUNT_W(COUNT_W)
  ) u_stream (
      .clk       (clk),
      .rst       (rst),
      .start     (stream_start),
      .beats     (next_stream),
      .row_folds (next_row_folds),
      .col_folds (next_col_folds),
      .step      (a_enter),
      .active    (stream_active),
      .beat_first(stream_first),
      .beat_last (unused_stream_beat_last),
      .row_first (a_row_first),
      .row_last  (a_row_last),
      .job_last  (a_job_last)
  );

endmodule

`default_nettype wire
