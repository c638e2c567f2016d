// Array engine, input-stationary: fold jobs of a mesh whose activations stay, between the scratchpads.
//
// The mesh is the weight-stationary one with the operands exchanged: columns hold output pixels, rows input channels of one
// filter tap, weight vectors of one output channel each stream past. The fold rule is that of engine_array, and so are the
// cycles of a job. Column c reads its activations c cycles after column 0, from a memory of its own, so pixels may lie
// anywhere in the tile; they pass along the columns as the wavefront does, once a job.
// Sums come one cycle after `sums_valid`: those of COLS pixels and one output channel, column c's at place c of `sums_at`
// where `sums_mask` has it, in a bank turned by `sums_turn` (engine_accumulator_is).
// Words as in engine_array but: 2 output channels; 6 from one COLS output channels to the next, 7 and 8 what a carry to the
// next line and image adds to the address of a sum; 9 first weight, 10 and 11 from one output channel, tap to the next, in
// bytes; 12 sums from one COLS pixels to the next; 15 {y, x} of the input tile that the pixels step over; 16 pixels; 18 and
// 19 what a carry to the next line, image adds to the address of a pixel; 20 bit 2 input-stationary, from bit 16 turn of
// the first pixel; 28 bytes, 29 {y, x} in the input tile from one COLS pixels to the next, without a carry.
`default_nettype none

module engine_array_is #(
    parameter integer ROWS          = 4,
    parameter integer COLS          = 4,
    parameter integer INPUT_W       = 8,   // bits of an activation, the low ones of its byte
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer ACC_W         = 32,
    parameter integer ACC_ADDR_W    = 8,   // {half, vector}
    parameter integer TURN_W        = 2,
    parameter integer WORDS         = 30
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       issue,
    input  wire [       32*WORDS-1:0] command,
    output wire                       ready,
    output wire                       weight_en,
    output wire [               31:0] weight_at,
    input  wire [         8*ROWS-1:0] weight_data,
    output wire [           COLS-1:0] input_en,
    output wire [        32*COLS-1:0] input_at,
    input  wire [         8*COLS-1:0] input_data,
    output logic                      sums_valid,
    output logic                      sums_first,
    output logic                      sums_job_last,
    output logic [          COLS-1:0] sums_mask,
    output logic [COLS*ACC_ADDR_W-1:0] sums_at,
    output logic [        TURN_W-1:0] sums_turn,
    output wire [     COLS*ACC_W-1:0] sums
);

  localparam integer COUNT_W = 24;
  localparam integer PIXEL_W = 64 + 2 * ACC_ADDR_W;
  localparam integer JOB_W = 306 + 4 * ACC_ADDR_W;

  // A column works on a job up to COLS - 1 cycles after column 0, and jobs are issued ROWS + 1 cycles apart or more
  localparam integer JOBS = 2 + (COLS > 2 ? (COLS - 3) / (ROWS + 1) : 0);
  localparam integer JOB_INDEX_W = $clog2(JOBS);
  // Folds from the load of one to its last sum, ROWS + COLS cycles behind its last vector; a fold takes ROWS cycles or more
  localparam integer FOLD_W = $clog2(4 + (COLS - 2) / ROWS);
  localparam integer FOLDS = 1 << FOLD_W;
  localparam integer WALK_W = 4 + JOB_INDEX_W + FOLD_W + 64;

  initial if (WORDS != 30) $fatal(1, "%m: WORDS must be 30");

  wire [31:0] word[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_word
      assign word[i] = command[32*i+:32];
    end
  endgenerate

  // Folds
  wire unused_job_ready, loading, stream_start, w_enter, a_enter, a_swap, a_row_first, a_row_last, a_job_last, unused_w_ready;
  wire unused_a_ready;

  // The last fold of the job streams from here on: the next may load its activations behind it
  logic open;
  wire  last_starts = a_swap & ~loading;
  assign ready = open | last_starts;

  always_ff @(posedge clk) begin
    if (rst) open <= 1'b1;
    else if (issue) open <= 1'b0;
    else if (last_starts) open <= 1'b1;
  end

  systolic_control_ws #(
      .ROWS   (ROWS),
      .COUNT_W(COUNT_W)
  ) u_control (
      .clk          (clk),
      .rst          (rst),
      .ce           (1'b1),
      .job_valid    (issue),
      .job_ready    (unused_job_ready),
      .job_stream   (word[2][COUNT_W-1:0]),
      .job_row_folds(word[3][COUNT_W-1:0]),
      .job_col_folds(word[4][COUNT_W-1:0]),
      .loading      (loading),
      .stream_start (stream_start),
      .w_valid      (1'b1),
      .w_ready      (unused_w_ready),
      .w_enter      (w_enter),
      .a_valid      (1'b1),
      .a_ready      (unused_a_ready),
      .a_enter      (a_enter),
      .a_swap       (a_swap),
      .a_row_first  (a_row_first),
      .a_row_last   (a_row_last),
      .a_job_last   (a_job_last)
  );

  // Activations: jobs that columns work on, and the walk that passes along the columns
  logic [JOB_W-1:0] jobs[0:JOBS-1];
  logic [JOB_INDEX_W-1:0] which;
  logic [PIXEL_W-1:0] first_pixel;
  logic [FOLD_W-1:0] load_fold;
  wire [JOB_INDEX_W-1:0] following = which == JOB_INDEX_W'(JOBS - 1) ? '0 : which + 1'b1;
  wire signed [16:0] x_end = $signed({word[25][15], word[25][15:0]}) + $signed({1'b0, word[15][15:0]});
  wire signed [16:0] y_end = $signed({word[25][31], word[25][31:16]}) + $signed({1'b0, word[15][31:16]});
  wire begins, start, fold, channel;
  wire [31:0] offset;
  wire [15:0] tap_x, tap_y;

  always_ff @(posedge clk) begin
    if (rst) which <= '0;
    else if (issue) which <= following;
    if (rst) load_fold <= '0;
    else if (w_enter & fold) load_fold <= load_fold + 1'b1;
    if (issue) begin
      first_pixel <= {word[16][ACC_ADDR_W-1:0], word[25], word[5][ACC_ADDR_W-1:0], word[14]};
      jobs[following] <= {
        word[24],
        {word[26][15:0], 16'd0, word[17], ACC_ADDR_W'(1)},
        {word[29][15:0], word[29][31:16], word[28], word[12][ACC_ADDR_W-1:0]},
        {x_end, y_end, word[15][15:0], word[15][31:16], word[26][31:16]},
        {word[18], word[7][ACC_ADDR_W-1:0], word[19], word[8][ACC_ADDR_W-1:0]}
      };
    end
  end

  engine_rows #(
      .ROWS(ROWS)
  ) u_rows (
      .clk       (clk),
      .load      (issue),
      .c_count   (word[13]),
      .fx_count  (word[21][15:0]),
      .fy_count  (word[21][31:16]),
      .fx_bytes  (word[22]),
      .fy_bytes  (word[23]),
      .x_dilation(word[27][15:0]),
      .y_dilation(word[27][31:16]),
      .step      (w_enter),
      .begins    (begins),
      .start     (start),
      .fold      (fold),
      .offset    (offset),
      .tap_x     (tap_x),
      .tap_y     (tap_y),
      .channel   (channel)
  );

  // Sums of the fold that leaves the mesh, see below
  wire [FOLD_W-1:0] out_fold;
  wire [ACC_ADDR_W-1:0] out_block;

  wire [WALK_W-1:0] walk[0:COLS-1];
  wire [PIXEL_W-1:0] after[0:COLS-1];
  wire [COLS*INPUT_W-1:0] w_codes;

  assign walk[0]     = {begins, start, fold, channel, which, load_fold, offset, tap_x, tap_y};
  assign input_en[0] = w_enter;

  generate
    for (genvar c = 0; c < COLS; c++) begin : g_col
      wire [PIXEL_W-1:0] pixel;
      wire col_begins, col_start, col_fold, col_channel, col_mask, used;
      wire [JOB_INDEX_W-1:0] job;
      wire [FOLD_W-1:0] number;
      wire [31:0] col_offset;
      wire [15:0] col_x, col_y;
      wire [ACC_ADDR_W-1:0] sum_at;
      logic mask;

      if (c == 0) begin : g_left
        assign pixel = first_pixel;
      end else begin : g_on
        logic [WALK_W-1:0] passed;
        logic stepped;
        always_ff @(posedge clk) begin
          if (rst) stepped <= 1'b0;
          else stepped <= input_en[c-1];
          passed <= walk[c-1];
        end
        assign walk[c]     = passed;
        assign input_en[c] = stepped;
        assign pixel       = after[c-1];
      end
      assign {col_begins, col_start, col_fold, col_channel, job, number, col_offset, col_x, col_y} = walk[c];

      engine_column #(
          .COLS (COLS),
          .ACC_W(ACC_ADDR_W)
      ) u_column (
          .clk    (clk),
          .step   (input_en[c]),
          .begins (col_begins),
          .start  (col_start),
          .pixel  (pixel),
          .job    (jobs[job]),
          .offset (col_offset),
          .tap_x  (col_x),
          .tap_y  (col_y),
          .channel(col_channel),
          .at     (input_at[32*c+:32]),
          .mask   (col_mask),
          .used   (used),
          .sum_at (sum_at),
          .next   (after[c])
      );

      // One cycle later, with the data
      always_ff @(posedge clk) mask <= col_mask;
      assign w_codes[c*INPUT_W+:INPUT_W] = mask ? input_data[8*c+:INPUT_W] : '0;

      // Where the sums of the folds under way go
      logic [ACC_ADDR_W:0] place[0:FOLDS-1];
      wire [ACC_ADDR_W:0] out = place[out_fold];
      always_ff @(posedge clk) begin
        if (input_en[c] & col_fold) place[number] <= {used, sum_at};
        sums_mask[c] <= out[ACC_ADDR_W];
        sums_at[c*ACC_ADDR_W+:ACC_ADDR_W] <= out[ACC_ADDR_W-1:0] + out_block;
      end
    end
  endgenerate

  // Weights: the job waits here until the stream of the one before has ended
  logic [32*WORDS-1:0] next;
  wire [31:0] w[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_next
      assign w[i] = next[32*i+:32];
    end
  endgenerate
  always_ff @(posedge clk) if (issue) next <= command;

  logic add;
  wire [ROWS-1:0] weight_mask;
  wire [ACC_ADDR_W-1:0] block;
  wire [TURN_W-1:0] turn;

  engine_vectors #(
      .ROWS  (ROWS),
      .COLS  (COLS),
      .ACC_W (ACC_ADDR_W),
      .TURN_W(TURN_W)
  ) u_vectors (
      .clk       (clk),
      .load      (stream_start),
      .base      (w[9]),
      .k_bytes   (w[10]),
      .tap_bytes (w[11]),
      .k_count   (w[2]),
      .c_count   (w[13]),
      .taps      (32'(w[21][15:0]) * 32'(w[21][31:16])),
      .k_sums    (w[6][ACC_ADDR_W-1:0]),
      .turn_first(w[20][16+:TURN_W]),
      .step      (a_enter),
      .at        (weight_at),
      .mask      (weight_mask),
      .block     (block),
      .turn      (turn)
  );
  assign weight_en = a_enter;
  always_ff @(posedge clk) if (stream_start) add <= w[20][0];

  // One cycle later, with the data
  logic w_valid, swap;
  logic [ROWS-1:0] a_mask;
  wire [ROWS*WEIGHT_W-1:0] a_codes;

  always_ff @(posedge clk) begin
    if (rst) begin
      w_valid <= 1'b0;
      swap    <= 1'b0;
    end else begin
      w_valid <= w_enter;
      swap    <= a_swap;
    end
    a_mask <= weight_mask;
  end

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      assign a_codes[r*WEIGHT_W+:WEIGHT_W] = a_mask[r] ? weight_data[8*r+:WEIGHT_W] : '0;
    end
  endgenerate

  systolic_array_ws #(
      .ROWS         (ROWS),
      .COLS         (COLS),
      .INPUT_W      (WEIGHT_W),
      .INPUT_SIGNED (WEIGHT_SIGNED),
      .WEIGHT_W     (INPUT_W),
      .WEIGHT_SIGNED(INPUT_SIGNED),
      .ACC_W        (ACC_W),
      .SKEWED       (1)
  ) u_array (
      .clk    (clk),
      .rst    (rst),
      .ce     (1'b1),
      .a      (a_codes),
      .swap   (swap),
      .w      (w_codes),
      .w_valid(w_valid),
      .sums   (sums)
  );

  // What a vector is travels beside it; its places are added a cycle before its sums are there
  wire tag_valid, tag_swap, tag_first, tag_job_last;
  wire [TURN_W-1:0] tag_turn;
  logic [FOLD_W-1:0] next_fold;

  tw_delay #(
      .DATA_W(4 + ACC_ADDR_W + TURN_W),
      .DEPTH (ROWS + COLS),
      .RESET (1)
  ) u_tags (
      .clk(clk),
      .rst(rst),
      .ce (1'b1),
      .d  ({a_enter, a_swap, a_row_first & ~add, a_job_last, block, turn}),
      .q  ({tag_valid, tag_swap, tag_first, tag_job_last, out_block, tag_turn})
  );

  assign out_fold = tag_swap ? next_fold : next_fold - 1'b1;

  always_ff @(posedge clk) begin
    if (rst) begin
      next_fold  <= '0;
      sums_valid <= 1'b0;
    end else begin
      if (tag_swap) next_fold <= next_fold + 1'b1;
      sums_valid <= tag_valid;
    end
    sums_first    <= tag_first;
    sums_job_last <= tag_job_last;
    sums_turn     <= tag_turn;
  end

  wire unused_ok = &{1'b0, unused_job_ready, unused_w_ready, unused_a_ready, a_row_last, command, next, input_data, weight_data,
                     after[COLS-1]};

endmodule

`default_nettype wire
