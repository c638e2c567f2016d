// Array engine: fold jobs of a weight-stationary array between the scratchpads.
//
// The fold rule is that of the stream core (systolic_control_ws); operands never fail to come, because the command waited
// for its tiles. Addresses are one cycle ahead of the array, the read of a scratchpad. A job issued in cycle t reads its
// first weight row in cycle t + 1; the next job may issue one cycle after its last fold has started to stream.
// INDEX_W 0: dense, a weight is a byte in memory. Otherwise N:M sparse (systolic_mac): a PE takes GROUP input channels,
// and its weights are a word of KEPT values with their indices.
// Words: 2 vectors of a fold, 3 row folds, 4 column folds; 5 first sum, 6..8 from one column fold, line, image to the
// next; 9 first weight, 10 and 11 from one row, tap to the next, in bits; 12 output channels, 13 input channels; 14 first
// tap of the first pixel, 15 {y, x} pixels, 16 images, 17..19 from one pixel, line, image to the next; 20 bit 0 add to
// what stands, bit 1 output-stationary; 21 {y, x} taps, 22 and 23 from one tap, line of taps to the next; {y, x} of 24 the
// tile, 25 its place under the first tap, 26 stride, 27 dilation.
`default_nettype none

module engine_array #(
    parameter integer ROWS          = 4,
    parameter integer COLS          = 4,
    parameter integer INPUT_W       = 8,   // bits of an activation, the low ones of its byte
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer ACC_W         = 32,
    parameter integer ACC_ADDR_W    = 8,   // {half, vector}
    parameter integer WORDS         = 28,
    parameter integer KEPT          = 1,
    parameter integer GROUP         = 1,
    parameter integer INDEX_W       = 0,
    parameter integer STORED_W      = 8,   // bits of a stored weight word
    parameter integer WEIGHT_BYTES  = 4    // that hold COLS words from any bit on
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   issue,
    input  wire [   32*WORDS-1:0] command,
    output wire                   ready,
    output wire                   weight_en,
    output wire [           31:0] weight_at,
    input  wire [8*WEIGHT_BYTES-1:0] weight_data,
    output wire                   input_en,
    output wire [           31:0] input_at,
    input  wire [8*ROWS*GROUP-1:0] input_data,
    output wire                   sums_valid,
    output wire                   sums_first,
    output wire                   sums_job_last,
    output wire [ ACC_ADDR_W-1:0] sums_at,
    output wire [ COLS*ACC_W-1:0] sums
);

  localparam integer COUNT_W = 24;
  localparam integer PLACES = ROWS * GROUP;
  localparam integer WORD_W = KEPT * (WEIGHT_W + INDEX_W);

  initial if (WORDS != 28) $fatal(1, "%m: WORDS must be 28");

  wire [31:0] word[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_word
      assign word[i] = command[32*i+:32];
    end
  endgenerate

  // Folds
  wire unused_job_ready, loading, stream_start, w_enter, a_enter, a_swap, a_row_first, a_row_last, a_job_last, unused_w_ready;
  wire unused_a_ready;

  // The last fold of the job streams from here on: the next may load its weights behind it
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

  // Weights
  wire [COLS-1:0] weight_mask;
  wire [2:0] weight_bit;

  engine_weights #(
      .ROWS  (ROWS),
      .COLS  (COLS),
      .GROUP (GROUP),
      .WORD_W(STORED_W)
  ) u_weights (
      .clk      (clk),
      .load     (issue),
      .base     (word[9]),
      .row_bits (word[10]),
      .tap_bits (word[11]),
      .k_count  (word[12]),
      .c_count  (word[13]),
      .taps     (32'(word[21][15:0]) * 32'(word[21][31:16])),
      .step     (w_enter),
      .at       (weight_at),
      .first_bit(weight_bit),
      .mask     (weight_mask)
  );
  assign weight_en = w_enter;

  // Activations: the job waits here until the stream of the one before has ended
  logic [32*WORDS-1:0] next;
  wire [31:0] w[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_next
      assign w[i] = next[32*i+:32];
    end
  endgenerate
  always_ff @(posedge clk) if (issue) next <= command;

  logic add;
  wire [PLACES-1:0] input_mask;
  wire [ACC_ADDR_W-1:0] acc_at;

  engine_pixels #(
      .ROWS (PLACES),
      .ACC_W(ACC_ADDR_W)
  ) u_pixels (
      .clk       (clk),
      .load      (stream_start),
      .base      (w[14]),
      .c_count   (w[13]),
      .x_count   (w[15][15:0]),
      .y_count   (w[15][31:16]),
      .n_count   (w[16][15:0]),
      .x_bytes   (w[17]),
      .y_bytes   (w[18]),
      .n_bytes   (w[19]),
      .fx_count  (w[21][15:0]),
      .fy_count  (w[21][31:16]),
      .fx_bytes  (w[22]),
      .fy_bytes  (w[23]),
      .width     (w[24][15:0]),
      .height    (w[24][31:16]),
      .ix_first  (w[25][15:0]),
      .iy_first  (w[25][31:16]),
      .x_stride  (w[26][15:0]),
      .y_stride  (w[26][31:16]),
      .x_dilation(w[27][15:0]),
      .y_dilation(w[27][31:16]),
      .acc_base  (w[5][ACC_ADDR_W-1:0]),
      .acc_row   (w[7][ACC_ADDR_W-1:0]),
      .acc_plane (w[8][ACC_ADDR_W-1:0]),
      .acc_col   (w[6][ACC_ADDR_W-1:0]),
      .step      (a_enter),
      .at        (input_at),
      .mask      (input_mask),
      .acc_at    (acc_at)
  );
  assign input_en = a_enter;
  always_ff @(posedge clk) if (stream_start) add <= w[20][0];

  // One cycle later, with the data
  logic w_valid, swap;
  logic [COLS-1:0] w_mask;
  logic [2:0] w_bit;
  logic [PLACES-1:0] a_mask;
  wire [PLACES*INPUT_W-1:0] a_codes;
  wire [COLS*WORD_W-1:0] w_codes;
  wire [8*WEIGHT_BYTES-1:0] w_row;

  always_ff @(posedge clk) begin
    if (rst) begin
      w_valid <= 1'b0;
      swap    <= 1'b0;
    end else begin
      w_valid <= w_enter;
      swap    <= a_swap;
    end
    w_mask <= weight_mask;
    w_bit  <= weight_bit;
    a_mask <= input_mask;
  end

  generate
    if (STORED_W % 8 == 0) begin : g_bytes
      assign w_row = weight_data;
    end else begin : g_bits
      assign w_row = weight_data >> w_bit;
    end
    for (genvar r = 0; r < PLACES; r++) begin : g_row
      assign a_codes[r*INPUT_W+:INPUT_W] = a_mask[r] ? input_data[8*r+:INPUT_W] : '0;
    end
    for (genvar c = 0; c < COLS; c++) begin : g_col
      assign w_codes[c*WORD_W+:WORD_W] = w_mask[c] ? w_row[STORED_W*c+:WORD_W] : '0;
    end
  endgenerate

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
      .ce     (1'b1),
      .a      (a_codes),
      .swap   (swap),
      .w      (w_codes),
      .w_valid(w_valid),
      .sums   (sums)
  );

  tw_delay #(
      .DATA_W(3 + ACC_ADDR_W),
      .DEPTH (ROWS + COLS + 1),
      .RESET (1)
  ) u_tags (
      .clk(clk),
      .rst(rst),
      .ce (1'b1),
      .d  ({a_enter, a_row_first & ~add, a_job_last, acc_at}),
      .q  ({sums_valid, sums_first, sums_job_last, sums_at})
  );

  wire unused_ok = &{1'b0, unused_job_ready, unused_w_ready, unused_a_ready, a_row_last, command[63:0], next[127:0], w[20][31:1],
                     w[16][31:16], w[5][31:ACC_ADDR_W], w[6][31:ACC_ADDR_W], w[7][31:ACC_ADDR_W],
                     w[8][31:ACC_ADDR_W], w[9], w[10], w[11], w[12], word[2][31:COUNT_W], word[3][31:COUNT_W],
                     word[4][31:COUNT_W], input_data, weight_data, w_row, w_bit};

endmodule

`default_nettype wire
