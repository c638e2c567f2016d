// One column of an input-stationary array: the output pixel that it holds, and the address of the activation it loads.
//
// In the first row of a job the column takes its pixel from `pixel` and hands on the one after it a cycle later; in the
// first row of another column fold it goes on by COLS pixels from its own, so folds may follow faster than columns do.
// `job` is {height, width of the tile; step to the next pixel; step over COLS pixels; carry}, see engine_hop.
`default_nettype none

module engine_column #(
    parameter integer COLS    = 4,
    parameter integer ACC_W   = 8,                   // bits of an address of the accumulator
    parameter integer PIXEL_W = 64 + 2 * ACC_W,
    parameter integer JOB_W   = 306 + 4 * ACC_W
) (
    input  wire                clk,
    input  wire                step,       // a row of activations
    input  wire                begins,     // ... the first of its job
    input  wire                start,      // ... the first of its column fold
    input  wire  [PIXEL_W-1:0] pixel,
    input  wire  [  JOB_W-1:0] job,
    input  wire  [       31:0] offset,     // bytes from the pixel's first channel of its first tap
    input  wire  [       15:0] tap_x,      // elements from its first tap
    input  wire  [       15:0] tap_y,
    input  wire                channel,    // the row holds an input channel
    output wire  [       31:0] at,
    output wire                mask,
    output wire                used,       // the column holds a pixel
    output wire  [  ACC_W-1:0] sum_at,
    output logic [PIXEL_W-1:0] next
);

  localparam integer STEP_W = 64 + ACC_W;
  localparam integer CARRY_W = 146 + 2 * ACC_W;

  wire [15:0] height, width;
  wire [STEP_W-1:0] one, many;
  wire [CARRY_W-1:0] carry;
  assign {height, width, one, many, carry} = job;

  logic [PIXEL_W-1:0] held, ahead;
  wire  [PIXEL_W-1:0] now = begins ? pixel : start ? ahead : held;
  wire  [PIXEL_W-1:0] after_one, after_many;

  wire [ACC_W-1:0] left;
  wire [15:0] iy, ix;
  wire [31:0] first;
  assign {left, iy, ix, sum_at, first} = now;

  wire signed [15:0] in_x = $signed(ix + tap_x);
  wire signed [15:0] in_y = $signed(iy + tap_y);
  wire inside_tile = (in_x >= 0) & (in_x < $signed(width)) & (in_y >= 0) & (in_y < $signed(height));

  assign at   = first + offset;
  assign used = left != '0;
  assign mask = inside_tile & used & channel;

  engine_hop #(
      .COUNT(1),
      .ACC_W(ACC_W)
  ) u_one (
      .from (now),
      .step (one),
      .carry(carry),
      .to   (after_one)
  );

  engine_hop #(
      .COUNT(COLS),
      .ACC_W(ACC_W)
  ) u_many (
      .from (now),
      .step (many),
      .carry(carry),
      .to   (after_many)
  );

  always_ff @(posedge clk) begin
    if (step) held <= now;
    if (step & start) ahead <= after_many;
    if (step & begins) next <= after_one;
  end

endmodule

`default_nettype wire
