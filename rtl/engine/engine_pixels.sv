// Addresses of activation vectors and of their sums: a convolution without im2col.
//
// Per column fold, per tap, per block of ROWS input channels, every output pixel: the address of its ROWS channels in the
// input tile [n][y][x][c], which lanes count (border pixels and missing channels do not), and where its sums stand.
// `load` takes a job, also in the cycle of the last step of the one before.
`default_nettype none

module engine_pixels #(
    parameter integer ROWS  = 4,
    parameter integer ACC_W = 8    // bits of an address of the accumulator
) (
    input  wire             clk,
    input  wire             load,
    input  wire [     31:0] base,        // of the first tap of the first pixel; may lie before the tile
    input  wire [     31:0] c_count,
    input  wire [     15:0] x_count,     // output pixels
    input  wire [     15:0] y_count,
    input  wire [     15:0] n_count,
    input  wire [     31:0] x_bytes,     // from one output pixel to the next
    input  wire [     31:0] y_bytes,
    input  wire [     31:0] n_bytes,
    input  wire [     15:0] fx_count,    // filter taps
    input  wire [     15:0] fy_count,
    input  wire [     31:0] fx_bytes,    // from one tap to the next
    input  wire [     31:0] fy_bytes,
    input  wire [     15:0] width,       // of the input tile
    input  wire [     15:0] height,
    input  wire [     15:0] ix_first,    // of the first tap of the first pixel in the tile, signed
    input  wire [     15:0] iy_first,
    input  wire [     15:0] x_stride,
    input  wire [     15:0] y_stride,
    input  wire [     15:0] x_dilation,
    input  wire [     15:0] y_dilation,
    input  wire [ACC_W-1:0] acc_base,    // vectors
    input  wire [ACC_W-1:0] acc_row,     // from one row of pixels to the next
    input  wire [ACC_W-1:0] acc_plane,
    input  wire [ACC_W-1:0] acc_col,     // from one column fold to the next
    input  wire             step,
    output wire [     31:0] at,
    output wire [ ROWS-1:0] mask,
    output wire [ACC_W-1:0] acc_at
);

  // The job
  logic [31:0] j_base, j_c, j_x_bytes, j_y_bytes, j_n_bytes, j_fx_bytes, j_fy_bytes;
  logic [15:0] j_x, j_y, j_n, j_fx, j_fy, j_width, j_height, j_ix, j_iy;
  logic [15:0] j_x_stride, j_y_stride, j_x_dilation, j_y_dilation;
  logic [ACC_W-1:0] j_acc_row, j_acc_plane, j_acc_col;

  // The pixel
  logic [31:0] x_at, y_at, n_at;
  logic [15:0] x_left, y_left, n_left, ix, iy;
  logic [ACC_W-1:0] acc_x, acc_y, acc_n, acc_c;

  // The tap and block of channels
  logic [31:0] offset, tap_offset, line_offset, c_left;
  logic [15:0] fx_left, fy_left, tap_ix, tap_iy;

  wire x_done = x_left == 16'd1;
  wire y_done = x_done & (y_left == 16'd1);
  wire n_done = y_done & (n_left == 16'd1);
  wire tap_done = n_done & (c_left <= 32'(ROWS));
  wire line_done = tap_done & (fx_left == 16'd1);
  wire col_done = line_done & (fy_left == 16'd1);

  wire signed [15:0] in_x = $signed(ix + tap_ix);
  wire signed [15:0] in_y = $signed(iy + tap_iy);
  wire inside_tile = (in_x >= 0) & (in_x < $signed(j_width)) & (in_y >= 0) & (in_y < $signed(j_height));

  assign at     = x_at + offset;
  assign acc_at = acc_x;
  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      assign mask[r] = inside_tile & (32'(r) < c_left);
    end
  endgenerate

  wire [ACC_W-1:0] next_col = acc_c + j_acc_col;
  wire [31:0] next_line = line_offset + j_fy_bytes;
  wire [31:0] next_tap = tap_offset + j_fx_bytes;

  always_ff @(posedge clk) begin
    if (load) begin
      j_base       <= base;
      j_c          <= c_count;
      j_x          <= x_count;
      j_y          <= y_count;
      j_n          <= n_count;
      j_x_bytes    <= x_bytes;
      j_y_bytes    <= y_bytes;
      j_n_bytes    <= n_bytes;
      j_fx         <= fx_count;
      j_fy         <= fy_count;
      j_fx_bytes   <= fx_bytes;
      j_fy_bytes   <= fy_bytes;
      j_width      <= width;
      j_height     <= height;
      j_ix         <= ix_first;
      j_iy         <= iy_first;
      j_x_stride   <= x_stride;
      j_y_stride   <= y_stride;
      j_x_dilation <= x_dilation;
      j_y_dilation <= y_dilation;
      j_acc_row    <= acc_row;
      j_acc_plane  <= acc_plane;
      j_acc_col    <= acc_col;
    end

    // Pixel, innermost
    if (load | (step & x_done)) begin
      x_left <= load ? x_count : j_x;
      ix     <= load ? ix_first : j_ix;
    end else if (step) begin
      x_left <= x_left - 16'd1;
      ix     <= ix + j_x_stride;
    end
    if (load | (step & y_done)) begin
      y_left <= load ? y_count : j_y;
      iy     <= load ? iy_first : j_iy;
    end else if (step & x_done) begin
      y_left <= y_left - 16'd1;
      iy     <= iy + j_y_stride;
    end
    if (load | (step & n_done)) n_left <= load ? n_count : j_n;
    else if (step & y_done) n_left <= n_left - 16'd1;

    if (load | (step & n_done)) begin
      x_at <= load ? base : j_base;
      y_at <= load ? base : j_base;
      n_at <= load ? base : j_base;
    end else if (step & y_done) begin
      x_at <= n_at + j_n_bytes;
      y_at <= n_at + j_n_bytes;
      n_at <= n_at + j_n_bytes;
    end else if (step & x_done) begin
      x_at <= y_at + j_y_bytes;
      y_at <= y_at + j_y_bytes;
    end else if (step) x_at <= x_at + j_x_bytes;

    if (load | (step & n_done)) begin
      acc_x <= load ? acc_base : col_done ? next_col : acc_c;
      acc_y <= load ? acc_base : col_done ? next_col : acc_c;
      acc_n <= load ? acc_base : col_done ? next_col : acc_c;
      acc_c <= load ? acc_base : col_done ? next_col : acc_c;
    end else if (step & y_done) begin
      acc_x <= acc_n + j_acc_plane;
      acc_y <= acc_n + j_acc_plane;
      acc_n <= acc_n + j_acc_plane;
    end else if (step & x_done) begin
      acc_x <= acc_y + j_acc_row;
      acc_y <= acc_y + j_acc_row;
    end else if (step) acc_x <= acc_x + 1'b1;

    // Block of channels, tap
    if (load | (step & tap_done)) c_left <= load ? c_count : j_c;
    else if (step & n_done) c_left <= c_left - 32'(ROWS);
    if (load | (step & col_done)) begin
      offset      <= '0;
      tap_offset  <= '0;
      line_offset <= '0;
      tap_ix      <= '0;
      tap_iy      <= '0;
    end else if (step & line_done) begin
      offset      <= next_line;
      tap_offset  <= next_line;
      line_offset <= next_line;
      tap_ix      <= '0;
      tap_iy      <= tap_iy + j_y_dilation;
    end else if (step & tap_done) begin
      offset     <= next_tap;
      tap_offset <= next_tap;
      tap_ix     <= tap_ix + j_x_dilation;
    end else if (step & n_done) offset <= offset + 32'(ROWS);
    if (load | (step & line_done)) fx_left <= load ? fx_count : j_fx;
    else if (step & tap_done) fx_left <= fx_left - 16'd1;
    if (load | (step & col_done)) fy_left <= load ? fy_count : j_fy;
    else if (step & line_done) fy_left <= fy_left - 16'd1;
  end

endmodule

`default_nettype wire
