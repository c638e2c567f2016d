// Order of the activation rows of an input-stationary job: per column fold, per tap, per block of ROWS input channels, ROWS
// rows of one channel each.
//
// Says how far the row lies from a pixel's first channel of its first tap. `load` takes a job; rows follow from the cycle
// behind it on.
`default_nettype none

module engine_rows #(
    parameter integer ROWS = 4
) (
    input  wire         clk,
    input  wire         load,
    input  wire  [31:0] c_count,     // input channels
    input  wire  [15:0] fx_count,    // filter taps
    input  wire  [15:0] fy_count,
    input  wire  [31:0] fx_bytes,    // from one tap to the next
    input  wire  [31:0] fy_bytes,
    input  wire  [15:0] x_dilation,
    input  wire  [15:0] y_dilation,
    input  wire         step,
    output logic        begins,      // first row of the job
    output logic        start,       // first row of a column fold
    output wire         fold,        // first row of a fold
    output logic [31:0] offset,      // bytes
    output logic [15:0] tap_x,       // elements
    output logic [15:0] tap_y,
    output wire         channel      // the row holds an input channel
);

  logic [31:0] c_all, to_fx, to_fy, row, c_left, tap_at, line_at;
  logic [15:0] fx_all, fy_all, x_step, y_step, fx_left, fy_left;

  wire block_done = row == 32'(ROWS - 1);
  wire tap_done = block_done & (c_left <= 32'(ROWS));
  wire line_done = tap_done & (fx_left == 16'd1);
  wire col_done = line_done & (fy_left == 16'd1);

  wire [31:0] next_tap = tap_at + to_fx;
  wire [31:0] next_line = line_at + to_fy;

  assign fold    = row == '0;
  assign channel = row < c_left;

  always_ff @(posedge clk) begin
    if (load) begin
      c_all   <= c_count;
      fx_all  <= fx_count;
      fy_all  <= fy_count;
      to_fx   <= fx_bytes;
      to_fy   <= fy_bytes;
      x_step  <= x_dilation;
      y_step  <= y_dilation;
      row     <= '0;
      c_left  <= c_count;
      fx_left <= fx_count;
      fy_left <= fy_count;
      begins  <= 1'b1;
      start   <= 1'b1;
      offset  <= '0;
      tap_at  <= '0;
      line_at <= '0;
      tap_x   <= '0;
      tap_y   <= '0;
    end else if (step) begin
      begins <= 1'b0;
      start  <= col_done;
      row    <= block_done ? '0 : row + 32'd1;
      if (tap_done) c_left <= c_all;
      else if (block_done) c_left <= c_left - 32'(ROWS);
      if (line_done) fx_left <= fx_all;
      else if (tap_done) fx_left <= fx_left - 16'd1;
      if (col_done) fy_left <= fy_all;
      else if (line_done) fy_left <= fy_left - 16'd1;
      if (col_done) begin
        offset  <= '0;
        tap_at  <= '0;
        line_at <= '0;
        tap_x   <= '0;
        tap_y   <= '0;
      end else if (line_done) begin
        offset  <= next_line;
        tap_at  <= next_line;
        line_at <= next_line;
        tap_x   <= '0;
        tap_y   <= tap_y + y_step;
      end else if (tap_done) begin
        offset <= next_tap;
        tap_at <= next_tap;
        tap_x  <= tap_x + x_step;
      end else offset <= offset + 32'd1;
    end
  end

endmodule

`default_nettype wire
