// Position inside a job: beats of a fold, inside row folds, inside column folds.
//
// `start` takes a job and may coincide with the `step` that finishes the one before. All counts are 1 or more.
`default_nettype none

module tw_fold_counter #(
    parameter integer COUNT_W = 24  // bits of each count
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               start,
    input  wire [COUNT_W-1:0] beats,
    input  wire [COUNT_W-1:0] row_folds,
    input  wire [COUNT_W-1:0] col_folds,
    input  wire               step,        // one beat done; only while active
    output logic              active,      // a job is under way
    output wire               beat_first,  // at the first beat of a fold
    output wire               beat_last,   // at the last beat of a fold
    output wire               row_first,   // in the first row fold of a column fold
    output wire               row_last,    // in the last row fold of a column fold
    output wire               job_last     // at the last beat of the job
);

  logic [COUNT_W-1:0] beat, row, col;
  logic [COUNT_W-1:0] final_beat, final_row, final_col;

  assign beat_first = beat == '0;
  assign beat_last  = beat == final_beat;
  assign row_first  = row == '0;
  assign row_last   = row == final_row;
  assign job_last   = beat_last & row_last & (col == final_col);

  always_ff @(posedge clk) begin
    if (rst) active <= 1'b0;
    else if (start) active <= 1'b1;
    else if (step & job_last) active <= 1'b0;

    if (start) begin
      final_beat <= beats - 1'b1;
      final_row  <= row_folds - 1'b1;
      final_col  <= col_folds - 1'b1;
      beat       <= '0;
      row        <= '0;
      col        <= '0;
    end else if (step) begin
      beat <= beat_last ? '0 : beat + 1'b1;
      if (beat_last) row <= row_last ? '0 : row + 1'b1;
      if (beat_last & row_last) col <= col + 1'b1;
    end
  end

endmodule

`default_nettype wire
