// Sequencer and addresses of an output-stationary job: its folds, and per fold every operand of the window.
//
// Per column fold, per row fold, per filter tap, per GROUP input channels: the weight row of that step, and how far the
// tap and its channels lie from a pixel's first ones. A fold streams without a gap. Its last step comes ROWS cycles or
// more after that of the fold before, so the drain chain of the array is free.
// `job_valid` offers a job; the first step of its first fold is in the cycle of `take`, on the offered fields themselves.
`default_nettype none

module engine_pairs #(
    parameter integer ROWS    = 4,
    parameter integer COLS    = 4,
    parameter integer GROUP   = 1,   // input channels of a step
    parameter integer WORD_W  = 8,   // bits of a stored weight word
    parameter integer COUNT_W = 24
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                job_valid,
    input  wire  [COUNT_W-1:0] stream,        // steps of a fold
    input  wire  [COUNT_W-1:0] row_folds,
    input  wire  [COUNT_W-1:0] col_folds,
    input  wire  [       31:0] base,          // of the weights; this and the next two in bits
    input  wire  [       31:0] row_bits,      // from one row to the next
    input  wire  [       31:0] tap_bits,      // from one tap to the next
    input  wire  [       31:0] k_count,       // output channels
    input  wire  [       31:0] c_count,       // input channels
    input  wire  [       15:0] fx_count,      // filter taps
    input  wire  [       15:0] fy_count,
    input  wire  [       31:0] fx_bytes,      // from one tap to the next
    input  wire  [       31:0] fy_bytes,
    input  wire  [       15:0] x_dilation,
    input  wire  [       15:0] y_dilation,
    output wire                take,          // first step of a job
    output wire                start,         // first step of a fold
    output wire                next_col,      // ... and of another column fold of the same job
    output wire                step,
    output wire                last,          // last step of a fold
    output wire                job_last,      // the fold is the last of its job
    output wire  [       31:0] weight_at,     // byte that holds the first bit of the row
    output wire  [        2:0] weight_bit,    // ... and which of its bits that is
    output wire  [   COLS-1:0] weight_mask,
    output wire  [       31:0] offset,        // bytes from a pixel's first channel of its first tap
    output wire  [       15:0] tap_x,         // elements from its first tap
    output wire  [       15:0] tap_y,
    output wire  [  GROUP-1:0] channel_mask
);

  localparam integer GAP_W = $clog2(ROWS + 1);

  // The job
  logic [COUNT_W-1:0] j_stream, j_row_folds;
  logic [31:0] j_row_bits, j_tap_bits, j_c, j_fx_bytes, j_fy_bytes;
  logic [15:0] j_fx, j_fy, j_x_dilation, j_y_dilation;

  // Where the next step stands; between folds at the first step of the next fold
  logic more, streaming, col_fresh;
  logic [COUNT_W-1:0] rows_left, cols_left;
  logic [31:0] row_at, tap_at, col_at, k_left, c_left, at, tap_start, line_start;
  logic [15:0] fx_left, fy_left, x_now, y_now;

  // Cycles until a last step may come
  logic [GAP_W-1:0] gap;

  assign start    = ~streaming & (more | job_valid) & ((more ? j_stream : stream) > COUNT_W'(gap));
  assign take     = start & ~more;
  assign step     = start | streaming;
  assign next_col = start & more & col_fresh;

  wire [COUNT_W-1:0] rows_now = take ? row_folds : rows_left;
  wire [COUNT_W-1:0] cols_now = take ? col_folds : cols_left;
  wire [31:0] row_now = take ? base : row_at;
  wire [31:0] tap_now = take ? base : tap_at;
  wire [31:0] col_now = take ? base : col_at;
  wire [31:0] k_now = take ? k_count : k_left;
  wire [31:0] c_now = take ? c_count : c_left;
  wire [15:0] fx_now = take ? fx_count : fx_left;
  wire [15:0] fy_now = take ? fy_count : fy_left;
  wire [31:0] to_row = take ? row_bits : j_row_bits;
  wire [31:0] to_tap = take ? tap_bits : j_tap_bits;
  wire [31:0] to_fx = take ? fx_bytes : j_fx_bytes;
  wire [31:0] to_fy = take ? fy_bytes : j_fy_bytes;
  wire [31:0] c_all = take ? c_count : j_c;
  wire [15:0] fx_all = take ? fx_count : j_fx;
  wire [15:0] fy_all = take ? fy_count : j_fy;
  wire [15:0] x_step = take ? x_dilation : j_x_dilation;
  wire [15:0] y_step = take ? y_dilation : j_y_dilation;
  wire [COUNT_W-1:0] rows_all = take ? row_folds : j_row_folds;

  wire tap_done = c_now <= 32'(GROUP);
  wire line_done = tap_done & (fx_now == 16'd1);
  wire col_done = last & (rows_now == COUNT_W'(1));
  assign last     = step & line_done & (fy_now == 16'd1);
  assign job_last = (rows_now == COUNT_W'(1)) & (cols_now == COUNT_W'(1));

  // A job starts at its first tap
  assign offset     = take ? '0 : at;
  assign tap_x      = take ? '0 : x_now;
  assign tap_y      = take ? '0 : y_now;
  assign weight_at  = {3'd0, row_now[31:3]};
  assign weight_bit = row_now[2:0];
  generate
    for (genvar c = 0; c < COLS; c++) begin : g_col
      assign weight_mask[c] = 32'(c) < k_now;
    end
    for (genvar m = 0; m < GROUP; m++) begin : g_place
      assign channel_mask[m] = 32'(m) < c_now;
    end
  endgenerate

  wire [31:0] after_col = col_done ? col_now + 32'(COLS * WORD_W) : col_now;
  wire [31:0] after_tap = (take ? '0 : tap_start) + to_fx;
  wire [31:0] after_line = (take ? '0 : line_start) + to_fy;

  always_ff @(posedge clk) begin
    if (rst) begin
      streaming <= 1'b0;
      more      <= 1'b0;
      gap       <= '0;
    end else begin
      if (step) streaming <= ~last;
      if (last) more <= ~job_last;
      if (last) gap <= GAP_W'(ROWS - 1);
      else if (gap != '0) gap <= gap - 1'b1;
    end

    if (take) begin
      j_stream     <= stream;
      j_row_folds  <= row_folds;
      j_row_bits   <= row_bits;
      j_tap_bits   <= tap_bits;
      j_c          <= c_count;
      j_fx         <= fx_count;
      j_fy         <= fy_count;
      j_fx_bytes   <= fx_bytes;
      j_fy_bytes   <= fy_bytes;
      j_x_dilation <= x_dilation;
      j_y_dilation <= y_dilation;
    end

    // Folds
    if (last) begin
      rows_left <= col_done ? rows_all : rows_now - 1'b1;
      cols_left <= col_done ? cols_now - 1'b1 : cols_now;
      col_fresh <= col_done;
      k_left    <= col_done ? k_now - 32'(COLS) : k_now;
    end else if (step) begin
      rows_left <= rows_now;
      cols_left <= cols_now;
      k_left    <= k_now;
    end

    // Weight rows
    if (step) begin
      col_at <= last ? after_col : col_now;
      if (last) tap_at <= after_col;
      else tap_at <= tap_done ? tap_now + to_tap : tap_now;
      if (last) row_at <= after_col;
      else row_at <= tap_done ? tap_now + to_tap : row_now + to_row;
    end

    // Channels and taps
    if (step) begin
      c_left <= tap_done ? c_all : c_now - 32'(GROUP);
      if (tap_done) fx_left <= line_done ? fx_all : fx_now - 16'd1;
      else fx_left <= fx_now;
      if (line_done) fy_left <= last ? fy_all : fy_now - 16'd1;
      else fy_left <= fy_now;
      if (last) begin
        at         <= '0;
        tap_start  <= '0;
        line_start <= '0;
        x_now      <= '0;
        y_now      <= '0;
      end else if (line_done) begin
        at         <= after_line;
        tap_start  <= after_line;
        line_start <= after_line;
        x_now      <= '0;
        y_now      <= tap_y + y_step;
      end else begin
        at         <= tap_done ? after_tap : offset + 32'(GROUP);
        tap_start  <= tap_done ? after_tap : take ? '0 : tap_start;
        line_start <= take ? '0 : line_start;
        x_now      <= tap_done ? tap_x + x_step : tap_x;
        y_now      <= tap_y;
      end
    end
  end

endmodule

`default_nettype wire
