// Weight-stationary systolic core with streams.
//
// A job is M vectors (`cfg_stream`) by K = ROWS * cfg_row_folds by N = COLS * cfg_col_folds, zero-padded by the sender.
//   s_axis_w  per column fold, per row fold: ROWS beats, row 0 first, word c for column c
//   s_axis_a  per column fold, per row fold: M beats, word r for row r
//   m_axis_o  per column fold: M beats of COLS sums; tlast on the last beat of the job
// N:M sparse (INDEX_W > 0): K = ROWS * GROUP * cfg_row_folds; word r of s_axis_a holds GROUP activations, word c of
// s_axis_w KEPT slots of value and index as in systolic_mac; everything else is as in the dense core.
// M is at most ACC_DEPTH when cfg_row_folds is more than 1. No output depends combinationally on an input. One job and
// one weight row may be accepted ahead of their turn. Back-pressure on m_axis_o stops the whole core (`ce`).
`default_nettype none

module systolic_ws #(
    parameter integer ROWS          = 4,    // processing elements of a column
    parameter integer COLS          = 4,    // processing elements of a row
    parameter integer INPUT_W       = 8,    // bits of an activation
    parameter integer INPUT_SIGNED  = 1,    // 1: two's complement, 0: unsigned
    parameter integer WEIGHT_W      = 8,    // bits of a weight
    parameter integer WEIGHT_SIGNED = 1,    // 1: two's complement, 0: unsigned
    parameter integer ACC_W         = 32,   // bits of a sum, which wraps; at least one product
    parameter integer ACC_DEPTH     = 64,   // vectors in the accumulator memory
    parameter integer COUNT_W       = 24,   // bits of the job fields
    parameter integer KEPT          = 1,    // N:M sparse: slots of a weight word, see systolic_mac
    parameter integer GROUP         = 1,    // N:M sparse: activations of an input word
    parameter integer INDEX_W       = 0,    // N:M sparse: bits of an index; 0: dense
    localparam integer A_W = GROUP * INPUT_W,
    localparam integer W_W = KEPT * (WEIGHT_W + INDEX_W)
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     cfg_valid,
    output wire                     cfg_ready,
    input  wire [      COUNT_W-1:0] cfg_stream,
    input  wire [      COUNT_W-1:0] cfg_row_folds,
    input  wire [      COUNT_W-1:0] cfg_col_folds,
    input  wire                     s_axis_w_tvalid,
    output wire                     s_axis_w_tready,
    input  wire [     COLS*W_W-1:0] s_axis_w_tdata,
    input  wire                     s_axis_a_tvalid,
    output wire                     s_axis_a_tready,
    input  wire [     ROWS*A_W-1:0] s_axis_a_tdata,
    output wire                     m_axis_o_tvalid,
    input  wire                     m_axis_o_tready,
    output wire [   COLS*ACC_W-1:0] m_axis_o_tdata,
    output wire                     m_axis_o_tlast
);

  initial begin
    if (ROWS < 1 || COLS < 1 || ACC_DEPTH < 1) $fatal(1, "%m: ROWS, COLS and ACC_DEPTH must be 1 or more");
    if (INPUT_W < 1 || WEIGHT_W < 1) $fatal(1, "%m: INPUT_W and WEIGHT_W must be 1 or more");
    if (KEPT < 1 || KEPT > GROUP || (1 << INDEX_W) < GROUP) $fatal(1, "%m: KEPT must be 1..GROUP, INDEX_W index GROUP");
    if (ACC_W < INPUT_W + WEIGHT_W - 1) $fatal(1, "%m: ACC_W must hold one product");
    if (COUNT_W < $clog2(ROWS + 1)) $fatal(1, "%m: COUNT_W must hold ROWS");
  end

  wire ce;

  // Jobs
  wire job_valid, job_ready;
  wire [COUNT_W-1:0] job_stream, job_row_folds, job_col_folds;

  tw_skid #(
      .DATA_W(3 * COUNT_W)
  ) u_cfg_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (cfg_valid),
      .in_ready (cfg_ready),
      .in_data  ({cfg_stream, cfg_row_folds, cfg_col_folds}),
      .out_valid(job_valid),
      .out_ready(job_ready),
      .out_data ({job_stream, job_row_folds, job_col_folds})
  );

  // Operands
  wire w_valid, w_ready, w_enter;
  wire [COLS*W_W-1:0] w_data;
  wire a_enter, a_swap, a_row_first, a_row_last, a_job_last, unused_loading, unused_stream_start;

  tw_skid #(
      .DATA_W(COLS * W_W)
  ) u_weight_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_w_tvalid),
      .in_ready (s_axis_w_tready),
      .in_data  (s_axis_w_tdata),
      .out_valid(w_valid),
      .out_ready(w_ready),
      .out_data (w_data)
  );

  systolic_control_ws #(
      .ROWS   (ROWS),
      .COUNT_W(COUNT_W)
  ) u_control (
      .clk          (clk),
      .rst          (rst),
      .ce           (ce),
      .job_valid    (job_valid),
      .job_ready    (job_ready),
      .job_stream   (job_stream),
      .job_row_folds(job_row_folds),
      .job_col_folds(job_col_folds),
      .loading      (unused_loading),
      .stream_start (unused_stream_start),
      .w_valid      (w_valid),
      .w_ready      (w_ready),
      .w_enter      (w_enter),
      .a_valid      (s_axis_a_tvalid),
      .a_ready      (s_axis_a_tready),
      .a_enter      (a_enter),
      .a_swap       (a_swap),
      .a_row_first  (a_row_first),
      .a_row_last   (a_row_last),
      .a_job_last   (a_job_last)
  );

  // Array
  wire [COLS*ACC_W-1:0] sums;

  systolic_array_ws #(
      .ROWS         (ROWS),
      .COLS         (COLS),
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W),
      .WEIGHT_SIGNED(WEIGHT_SIGNED),
      .ACC_W        (ACC_W),
      .KEPT         (KEPT),
      .GROUP        (GROUP),
      .INDEX_W      (INDEX_W)
  ) u_array (
      .clk    (clk),
      .rst    (rst),
      .ce     (ce),
      .a      (s_axis_a_tdata),
      .swap   (a_swap),
      .w      (w_data),
      .w_valid(w_enter),
      .sums   (sums)
  );

  // What a vector is travels beside it
  wire sums_valid, sums_beat_first, sums_row_first, sums_row_last, sums_job_last;

  tw_delay #(
      .DATA_W(5),
      .DEPTH (ROWS + COLS),
      .RESET (1)
  ) u_tags (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  ({a_enter, a_swap, a_row_first, a_row_last, a_job_last}),
      .q  ({sums_valid, sums_beat_first, sums_row_first, sums_row_last, sums_job_last})
  );

  // Results
  wire out_valid, out_last;
  wire [COLS*ACC_W-1:0] out_sums;

  systolic_accumulator #(
      .COLS (COLS),
      .ACC_W(ACC_W),
      .DEPTH(ACC_DEPTH)
  ) u_accumulator (
      .clk          (clk),
      .rst          (rst),
      .ce           (ce),
      .in_valid     (sums_valid),
      .in_beat_first(sums_beat_first),
      .in_row_first (sums_row_first),
      .in_row_last  (sums_row_last),
      .in_job_last  (sums_job_last),
      .in_sums      (sums),
      .out_valid    (out_valid),
      .out_last     (out_last),
      .out_sums     (out_sums)
  );

  tw_skid #(
      .DATA_W(1 + COLS * ACC_W)
  ) u_out_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (out_valid),
      .in_ready (ce),
      .in_data  ({out_last, out_sums}),
      .out_valid(m_axis_o_tvalid),
      .out_ready(m_axis_o_tready),
      .out_data ({m_axis_o_tlast, m_axis_o_tdata})
  );

endmodule

`default_nettype wire
