// Array engine, output-stationary: fold jobs of a mesh whose sums stay, between the scratchpads.
//
// A row holds an output pixel, a column an output channel; a step brings GROUP input channels of one filter tap. Row r
// reads its activations r cycles after row 0, from a memory of its own, so pixels may lie anywhere in the tile. Pixels
// pass down the rows as the wavefront does: a row takes the pixel after that of the row above.
// A job issued in cycle t reads its first operands in that cycle if the array is free. The next job may issue one cycle
// after its last fold has started. Sums come one cycle after their address, the bottom row first; `sums_job_last`
// marks the last of a job.
// Words as in engine_array but: 6 from one column fold to the next, 7 and 8 from the last sum of a line and of an image
// to the next; 16 pixels; 18 and 19 bytes from the last pixel of a line and of an image to the next.
`default_nettype none

module engine_array_os #(
    parameter integer ROWS          = 4,
    parameter integer COLS          = 4,
    parameter integer INPUT_W       = 8,   // bits of an activation, the low ones of its byte
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer ACC_W         = 32,
    parameter integer ACC_ADDR_W    = 8,   // {half, vector}
    parameter integer WORDS         = 28,
    parameter integer KEPT          = 1,   // N:M sparse, see engine_array
    parameter integer GROUP         = 1,
    parameter integer INDEX_W       = 0,
    parameter integer STORED_W      = 8,   // bits of a stored weight word
    parameter integer WEIGHT_BYTES  = 4    // that hold COLS words from any bit on
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      issue,
    input  wire [      32*WORDS-1:0] command,
    output wire                      ready,
    output wire                      weight_en,
    output wire [              31:0] weight_at,
    input  wire [8*WEIGHT_BYTES-1:0] weight_data,
    output wire [          ROWS-1:0] input_en,
    output wire [       32*ROWS-1:0] input_at,
    input  wire [  8*ROWS*GROUP-1:0] input_data,
    output wire                      sums_valid,
    output wire                      sums_first,
    output wire                      sums_job_last,
    output wire [    ACC_ADDR_W-1:0] sums_at,
    output wire [    COLS*ACC_W-1:0] sums
);

  localparam integer COUNT_W = 24;
  localparam integer WORD_W = KEPT * (WEIGHT_W + INDEX_W);
  localparam integer PIXEL_W = 96 + 2 * ACC_ADDR_W;
  localparam integer JOB_W = 224 + 2 * ACC_ADDR_W;
  localparam integer WALK_W = 3 + 32 + 16 + 16 + GROUP;

  initial if (WORDS != 28) $fatal(1, "%m: WORDS must be 28");

  // A job waits in `next` while the one before streams
  logic waiting, open;
  logic [32*WORDS-1:0] next;
  wire take, start, next_col, step, last, job_last;
  wire [32*WORDS-1:0] source = waiting ? next : command;
  wire [31:0] word[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_word
      assign word[i] = source[32*i+:32];
    end
  endgenerate

  assign ready = open;

  always_ff @(posedge clk) begin
    if (rst) begin
      waiting <= 1'b0;
      open    <= 1'b1;
    end else begin
      waiting <= (waiting | issue) & ~take;
      if (start & job_last) open <= 1'b1;
      else if (issue) open <= 1'b0;
    end
    if (issue) next <= command;
  end

  wire [2:0] weight_bit;
  wire [COLS-1:0] weight_mask;
  wire [31:0] offset;
  wire [15:0] tap_x, tap_y;
  wire [GROUP-1:0] channel_mask;

  engine_pairs #(
      .ROWS   (ROWS),
      .COLS   (COLS),
      .GROUP  (GROUP),
      .WORD_W (STORED_W),
      .COUNT_W(COUNT_W)
  ) u_pairs (
      .clk         (clk),
      .rst         (rst),
      .job_valid   (waiting | issue),
      .stream      (word[2][COUNT_W-1:0]),
      .row_folds   (word[3][COUNT_W-1:0]),
      .col_folds   (word[4][COUNT_W-1:0]),
      .base        (word[9]),
      .row_bits    (word[10]),
      .tap_bits    (word[11]),
      .k_count     (word[12]),
      .c_count     (word[13]),
      .fx_count    (word[21][15:0]),
      .fy_count    (word[21][31:16]),
      .fx_bytes    (word[22]),
      .fy_bytes    (word[23]),
      .x_dilation  (word[27][15:0]),
      .y_dilation  (word[27][31:16]),
      .take        (take),
      .start       (start),
      .next_col    (next_col),
      .step        (step),
      .last        (last),
      .job_last    (job_last),
      .weight_at   (weight_at),
      .weight_bit  (weight_bit),
      .weight_mask (weight_mask),
      .offset      (offset),
      .tap_x       (tap_x),
      .tap_y       (tap_y),
      .channel_mask(channel_mask)
  );
  assign weight_en = step;

  // Two jobs can be in the rows at once: one ends in the lower rows, the next has started in the upper ones
  logic which;
  logic [JOB_W:0] jobs[0:1];
  logic [PIXEL_W-1:0] first_pixel;
  logic [ACC_ADDR_W-1:0] col_sums, to_col;
  wire [JOB_W:0] offered = {
    word[20][0],
    word[7][ACC_ADDR_W-1:0],
    word[8][ACC_ADDR_W-1:0],
    word[17],
    word[18],
    word[19],
    word[15][31:16],
    word[15][15:0],
    word[25][31:16],
    word[25][15:0],
    word[26][31:16],
    word[26][15:0],
    word[24][31:16],
    word[24][15:0]
  };
  wire [PIXEL_W-1:0] offered_pixel = {
    word[16][ACC_ADDR_W-1:0],
    word[15][31:16],
    word[15][15:0],
    word[25][31:16],
    word[25][15:0],
    word[5][ACC_ADDR_W-1:0],
    word[14]
  };
  wire [ACC_ADDR_W-1:0] next_sums = col_sums + to_col;
  wire [PIXEL_W-1:0] col_pixel = {first_pixel[PIXEL_W-1:ACC_ADDR_W+32], next_sums, first_pixel[31:0]};

  always_ff @(posedge clk) begin
    if (rst) which <= 1'b0;
    else if (take) which <= ~which;
    if (take) begin
      jobs[~which] <= offered;
      first_pixel  <= offered_pixel;
      col_sums     <= word[5][ACC_ADDR_W-1:0];
      to_col       <= word[6][ACC_ADDR_W-1:0];
    end else if (next_col) col_sums <= next_sums;
  end

  // Rows
  wire [WALK_W-1:0] walk[0:ROWS-1];
  wire [ROWS-1:0] row_step, row_last, row_job, row_final;
  wire [PIXEL_W-1:0] after[0:ROWS-1];
  wire [ACC_ADDR_W-1:0] row_sum[0:ROWS-1];
  wire [ROWS-1:0] row_used, row_add;
  wire [ROWS*INPUT_W*GROUP-1:0] a_codes;

  assign walk[0]      = {start, take ? ~which : which, job_last, offset, tap_x, tap_y, channel_mask};
  assign row_step[0]  = step;
  assign row_last[0]  = last;

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      wire [JOB_W:0] own;
      wire [PIXEL_W-1:0] pixel;
      wire [31:0] row_offset;
      wire [15:0] row_x, row_y;
      wire row_start;
      wire [GROUP-1:0] row_channels, row_mask;
      logic [GROUP-1:0] mask;

      if (r == 0) begin : g_top
        assign own   = take ? offered : jobs[row_job[0]];
        assign pixel = take ? offered_pixel : next_col ? col_pixel : after[ROWS-1];
      end else begin : g_below
        logic [WALK_W-1:0] passed;
        logic stepped, ended;
        always_ff @(posedge clk) begin
          if (rst) begin
            stepped <= 1'b0;
            ended   <= 1'b0;
          end else begin
            stepped <= row_step[r-1];
            ended   <= row_last[r-1];
          end
          passed <= walk[r-1];
        end
        assign walk[r]     = passed;
        assign row_step[r] = stepped;
        assign row_last[r] = ended;
        assign own         = jobs[row_job[r]];
        assign pixel       = after[r-1];
      end
      assign {row_start, row_job[r], row_final[r], row_offset, row_x, row_y, row_channels} = walk[r];
      assign row_add[r] = own[JOB_W];

      engine_os_row #(
          .GROUP(GROUP),
          .ACC_W(ACC_ADDR_W)
      ) u_row (
          .clk         (clk),
          .step        (row_step[r]),
          .start       (row_step[r] & row_start),
          .pixel       (pixel),
          .job         (own[JOB_W-1:0]),
          .offset      (row_offset),
          .tap_x       (row_x),
          .tap_y       (row_y),
          .channel_mask(row_channels),
          .at          (input_at[32*r+:32]),
          .mask        (row_mask),
          .used        (row_used[r]),
          .sum_at      (row_sum[r]),
          .next        (after[r])
      );
      assign input_en[r] = row_step[r];

      // One cycle later, with the data
      always_ff @(posedge clk) mask <= row_mask;
      for (genvar m = 0; m < GROUP; m++) begin : g_place
        assign a_codes[(r*GROUP+m)*INPUT_W+:INPUT_W] = mask[m] ? input_data[8*(r*GROUP+m)+:INPUT_W] : '0;
      end
    end
  endgenerate

  logic valid, first, ends;
  logic [2:0] w_bit;
  logic [COLS-1:0] w_mask;
  wire [COLS*WORD_W-1:0] w_codes;
  wire [8*WEIGHT_BYTES-1:0] w_row;
  wire drain_start;

  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else valid <= step;
    first  <= start;
    ends   <= last;
    w_mask <= weight_mask;
    w_bit  <= weight_bit;
  end

  generate
    if (STORED_W % 8 == 0) begin : g_bytes
      assign w_row = weight_data;
    end else begin : g_bits
      assign w_row = weight_data >> w_bit;
    end
    for (genvar c = 0; c < COLS; c++) begin : g_col
      assign w_codes[c*WORD_W+:WORD_W] = w_mask[c] ? w_row[STORED_W*c+:WORD_W] : '0;
    end
  endgenerate

  tw_delay #(
      .DATA_W(1),
      .DEPTH (ROWS + 2),
      .RESET (1)
  ) u_drain_start (
      .clk(clk),
      .rst(rst),
      .ce (1'b1),
      .d  (last),
      .q  (drain_start)
  );

  systolic_array_os #(
      .ROWS         (ROWS),
      .COLS         (COLS),
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W),
      .WEIGHT_SIGNED(WEIGHT_SIGNED),
      .ACC_W        (ACC_W),
      .KEPT         (KEPT),
      .GROUP        (GROUP),
      .INDEX_W      (INDEX_W),
      .SKEWED       (1)
  ) u_array (
      .clk        (clk),
      .rst        (rst),
      .ce         (1'b1),
      .a          (a_codes),
      .w          (w_codes),
      .valid      (valid),
      .first      (first),
      .last       (ends),
      .drain_start(drain_start),
      .sums       (sums)
  );

  // Addresses of the sums: each row puts its own in where it meets its sum, a cycle ahead
  localparam integer LINE = 2 * ROWS + COLS - 1;
  logic [LINE-1:0] line_valid;
  logic [ACC_ADDR_W+1:0] line_tag[0:LINE-1];

  generate
    for (genvar p = 0; p < LINE; p++) begin : g_line
      localparam integer BEHIND = LINE - 1 - p;
      if (BEHIND % 2 == 0 && BEHIND / 2 < ROWS) begin : g_enter
        localparam integer R = BEHIND / 2;
        wire enter = row_step[R] & row_last[R] & row_used[R];
        if (p == LINE - 1) begin : g_end
          always_ff @(posedge clk) begin
            line_valid[p] <= ~rst & enter;
            line_tag[p]   <= {~row_add[R], row_final[R] & (R == 0), row_sum[R]};
          end
        end else begin : g_inside
          always_ff @(posedge clk) begin
            line_valid[p] <= ~rst & (enter | line_valid[p+1]);
            line_tag[p]   <= enter ? {~row_add[R], row_final[R] & (R == 0), row_sum[R]} : line_tag[p+1];
          end
        end
      end else begin : g_pass
        always_ff @(posedge clk) begin
          line_valid[p] <= ~rst & line_valid[p+1];
          line_tag[p]   <= line_tag[p+1];
        end
      end
    end
  endgenerate

  assign sums_valid = line_valid[0];
  assign {sums_first, sums_job_last, sums_at} = line_tag[0];

  wire unused_ok = &{1'b0, source[63:0], word[2][31:COUNT_W], word[3][31:COUNT_W], word[4][31:COUNT_W],
                     word[5][31:ACC_ADDR_W], word[6][31:ACC_ADDR_W], word[7][31:ACC_ADDR_W], word[8][31:ACC_ADDR_W],
                     word[16][31:ACC_ADDR_W], word[20][31:1], input_data, weight_data, w_row, w_bit, first_pixel};

endmodule

`default_nettype wire
