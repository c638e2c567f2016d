// From one output pixel of a job to the one `count` pixels behind it: x carries into y, y into the image. Combinational.
//
// A pixel is {pixels left, iy, ix, address of its sum, address of its first tap}; with none left it counts nothing. x and y
// are those of its first tap in the input tile. `step` is {x, y in elements; bytes; sums} of the way without a carry,
// `carry` {end of x, of y, signed; span of x, of y; stride of y; bytes and sums that a carry of x adds, that one of y adds}.
`default_nettype none

module engine_hop #(
    parameter integer COUNT   = 1,               // pixels
    parameter integer ACC_W   = 8,               // bits of an address of the accumulator
    parameter integer PIXEL_W = 64 + 2 * ACC_W,
    parameter integer STEP_W  = 64 + ACC_W,
    parameter integer CARRY_W = 146 + 2 * ACC_W
) (
    input  wire [PIXEL_W-1:0] from,
    input  wire [ STEP_W-1:0] step,
    input  wire [CARRY_W-1:0] carry,
    output wire [PIXEL_W-1:0] to
);

  wire [ACC_W-1:0] left, sum_at, step_sums, line_sums, image_sums;
  wire [15:0] iy, ix, step_x, step_y, x_span, y_span, y_stride;
  wire [31:0] first, step_bytes, line_bytes, image_bytes;
  wire signed [16:0] x_end, y_end;
  assign {left, iy, ix, sum_at, first} = from;
  assign {step_x, step_y, step_bytes, step_sums} = step;
  assign {x_end, y_end, x_span, y_span, y_stride, line_bytes, line_sums, image_bytes, image_sums} = carry;

  wire signed [16:0] x_on = $signed({ix[15], ix}) + $signed({1'b0, step_x});
  wire x_over = x_on >= x_end;
  wire signed [16:0] x_to = x_over ? x_on - $signed({1'b0, x_span}) : x_on;

  wire signed [16:0] y_on = $signed({iy[15], iy}) + $signed({1'b0, step_y}) + (x_over ? $signed({1'b0, y_stride}) : 17'sd0);
  wire y_over = y_on >= y_end;
  wire signed [16:0] y_to = y_over ? y_on - $signed({1'b0, y_span}) : y_on;

  wire [31:0] first_to = first + step_bytes + (x_over ? line_bytes : '0) + (y_over ? image_bytes : '0);
  wire [ACC_W-1:0] sum_to = sum_at + step_sums + (x_over ? line_sums : '0) + (y_over ? image_sums : '0);
  wire [ACC_W-1:0] left_to = 32'(left) > 32'(COUNT) ? left - ACC_W'(COUNT) : '0;

  assign to = {left_to, y_to[15:0], x_to[15:0], sum_to, first_to};

  wire unused_ok = &{1'b0, x_to[16], y_to[16]};

endmodule

`default_nettype wire
