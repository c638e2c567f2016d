// Sequencer of the output-stationary core: pairs in, drain and result flags out.
//
// The last pair of a fold waits until ROWS cycles after the last pair of the fold before, so the drain chain is free.
`default_nettype none

module systolic_control_os #(
    parameter integer ROWS    = 4,
    parameter integer COLS    = 4,
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
    input  wire               pair_valid,
    output wire               pair_enter,     // a pair enters the array
    output wire               pair_first,
    output wire               pair_last,
    output wire               drain_start,    // for column 0 of the array
    output wire               out_valid,      // a result row leaves the array
    output wire               out_last        // ... and it is the last of its job
);

  localparam integer ROW_W = $clog2(ROWS + 1);

  wire active, job_last;
  wire unused_row_first, unused_row_last;

  assign job_ready = ~active | (pair_enter & job_last);

  tw_fold_counter #(
      .COUNT_W(COUNT_W)
  ) u_stream (
      .clk       (clk),
      .rst       (rst),
      .start     (job_valid & job_ready),
      .beats     (job_stream),
      .row_folds (job_row_folds),
      .col_folds (job_col_folds),
      .step      (pair_enter),
      .active    (active),
      .beat_first(pair_first),
      .beat_last (pair_last),
      .row_first (unused_row_first),
      .row_last  (unused_row_last),
      .job_last  (job_last)
  );

  // Distance between last pairs
  logic [ROW_W-1:0] drain_wait;
  assign pair_enter = ce & active & pair_valid & (~pair_last | (drain_wait == '0));

  always_ff @(posedge clk) begin
    if (rst) drain_wait <= '0;
    else if (ce) begin
      if (pair_enter & pair_last) drain_wait <= ROW_W'(ROWS - 1);
      else if (drain_wait != '0) drain_wait <= drain_wait - 1'b1;
    end
  end

  // The last pair's way through the array: drain column 0 when its bottom row is done, results when they are aligned
  wire rows_valid, rows_job_last;

  tw_delay #(
      .DATA_W(1),
      .DEPTH (ROWS + 1),
      .RESET (1)
  ) u_drain_start (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  (pair_enter & pair_last),
      .q  (drain_start)
  );

  tw_delay #(
      .DATA_W(2),
      .DEPTH (ROWS + COLS),
      .RESET (1)
  ) u_rows (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  ({pair_enter & pair_last, job_last}),
      .q  ({rows_valid, rows_job_last})
  );

  // ROWS result rows from there on
  logic [ROW_W-1:0] rows_left;
  logic of_last_fold;

  assign out_valid = rows_valid | (rows_left != '0);
  assign out_last  = rows_valid ? (rows_job_last & (ROWS == 1)) : (of_last_fold & (rows_left == ROW_W'(1)));

  always_ff @(posedge clk) begin
    if (rst) rows_left <= '0;
    else if (ce) begin
      if (rows_valid) rows_left <= ROW_W'(ROWS - 1);
      else if (rows_left != '0) rows_left <= rows_left - 1'b1;
    end
    if (ce & rows_valid) of_last_fold <= rows_job_last;
  end

endmodule

`default_nettype wire
