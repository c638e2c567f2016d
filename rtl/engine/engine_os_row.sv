// One row of an output-stationary array: the address of its activations, and the output pixel that it holds.
//
// In the first step of a fold the row takes its pixel from `pixel`, and hands on the one after it a cycle later. A pixel
// is {pixels left, y left, x left, iy, ix, address of its sum, address of its first tap}; a row behind the last pixel has
// none left and counts nothing. `job` is {from one pixel, line, image to the next: address of the sum, address;
// y and x: count, first, stride; height, width}, where a line and an image are left from their last pixel.
`default_nettype none

module engine_os_row #(
    parameter integer GROUP   = 1,
    parameter integer ACC_W   = 8,                  // bits of an address of the accumulator
    parameter integer PIXEL_W = 96 + 2 * ACC_W,
    parameter integer JOB_W   = 224 + 2 * ACC_W
) (
    input  wire                 clk,
    input  wire                 step,
    input  wire                 start,
    input  wire  [PIXEL_W-1:0] pixel,
    input  wire  [  JOB_W-1:0] job,
    input  wire  [       31:0] offset,
    input  wire  [       15:0] tap_x,
    input  wire  [       15:0] tap_y,
    input  wire  [  GROUP-1:0] channel_mask,
    output wire  [       31:0] at,
    output wire  [  GROUP-1:0] mask,
    output wire                 used,               // the row holds a pixel
    output wire  [  ACC_W-1:0] sum_at,
    output logic [PIXEL_W-1:0] next
);

  wire [ACC_W-1:0] line_sums, image_sums;
  wire [31:0] pixel_bytes, line_bytes, image_bytes;
  wire [15:0] y_count, x_count, y_first, x_first, y_stride, x_stride, height, width;
  assign {line_sums, image_sums, pixel_bytes, line_bytes, image_bytes,
          y_count, x_count, y_first, x_first, y_stride, x_stride, height, width} = job;

  logic [PIXEL_W-1:0] held;
  wire  [PIXEL_W-1:0] now = start ? pixel : held;

  wire [ACC_W-1:0] left;
  wire [15:0] y_left, x_left, iy, ix;
  wire [31:0] first;
  assign {left, y_left, x_left, iy, ix, sum_at, first} = now;

  wire signed [15:0] in_x = $signed(ix + tap_x);
  wire signed [15:0] in_y = $signed(iy + tap_y);
  wire inside_tile = (in_x >= 0) & (in_x < $signed(width)) & (in_y >= 0) & (in_y < $signed(height));

  assign at   = first + offset;
  assign used = left != '0;
  assign mask = inside_tile & used ? channel_mask : '0;

  wire x_done = x_left == 16'd1;
  wire y_done = x_done & (y_left == 16'd1);

  always_ff @(posedge clk) begin
    if (step) held <= now;
    if (start) begin
      next <= {
        used ? left - 1'b1 : left,
        y_done ? y_count : x_done ? y_left - 16'd1 : y_left,
        x_done ? x_count : x_left - 16'd1,
        y_done ? y_first : x_done ? iy + y_stride : iy,
        x_done ? x_first : ix + x_stride,
        y_done ? sum_at + image_sums : x_done ? sum_at + line_sums : sum_at + 1'b1,
        y_done ? first + image_bytes : x_done ? first + line_bytes : first + pixel_bytes
      };
    end
  end

endmodule

`default_nettype wire
