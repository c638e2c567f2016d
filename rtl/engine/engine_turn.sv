// How far the banks of a vector of sums are turned, pixel by pixel, as the vector unit reads them.
//
// An input-stationary array makes sums of COLS pixels and one output channel, the vector unit reads one pixel and COLS
// channels. So the sum of channel k of a pixel lies in bank (turn of the pixel + k) mod COLS. Pixels are turned as they
// followed each other in the columns: by x + width * y + width * height * image of the box of pixels that a command of the
// array had. Boxes are of one size, but those at the last columns and lines of the tile.
// Words: 2 {y, x} pixels, 4 output channels; 7 {y, x} where the last boxes begin; 8 turn from one line to the next, before
// and in the last boxes along x; 9 the same from one image to the next, then both in the last boxes along y; bytes, the
// first lowest. 16 bit 3: the sums are turned at all.
`default_nettype none

module engine_turn #(
    parameter integer COLS   = 4,
    parameter integer TURN_W = 2,
    parameter integer WORDS  = 20
) (
    input  wire                clk,
    input  wire                issue,
    input  wire [32*WORDS-1:0] command,
    input  wire                step,     // the vector unit reads a vector
    output wire [  TURN_W-1:0] turn
);

  localparam integer LINES = 2, IMAGES = 4;

  wire [31:0] word[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_word
      assign word[i] = command[32*i+:32];
    end
  endgenerate

  logic turned;
  logic [31:0] k_all, k_left;
  logic [15:0] x_all, y_all, x, y, x_last, y_last;
  logic [TURN_W-1:0] along;

  wire k_done = k_left <= 32'(COLS);
  wire x_done = k_done & (x == x_all - 16'd1);
  wire y_done = x_done & (y == y_all - 16'd1);
  wire far_x = x >= x_last;
  wire far_y = y >= y_last;

  // Sums below COLS of two numbers below COLS
  wire [TURN_W-1:0] line[0:LINES-1];
  wire [TURN_W-1:0] image[0:IMAGES-1];
  wire [TURN_W:0] in_box = {1'b0, along} + {1'b0, line[far_x]};
  wire [TURN_W-1:0] in_image = in_box >= (TURN_W + 1)'(COLS) ? TURN_W'(in_box - (TURN_W + 1)'(COLS)) : TURN_W'(in_box);
  wire [TURN_W:0] in_all = {1'b0, in_image} + {1'b0, image[{far_y, far_x}]};
  wire [TURN_W-1:0] whole = in_all >= (TURN_W + 1)'(COLS) ? TURN_W'(in_all - (TURN_W + 1)'(COLS)) : TURN_W'(in_all);
  assign turn = turned ? whole : '0;

  generate
    for (genvar i = 0; i < LINES; i++) begin : g_line
      logic [TURN_W-1:0] now, by;
      wire [TURN_W:0] next = {1'b0, now} + {1'b0, by};
      assign line[i] = now;
      always_ff @(posedge clk) begin
        if (issue) by <= word[8][8*i+:TURN_W];
        if (issue | (step & y_done)) now <= '0;
        else if (step & x_done) now <= next >= (TURN_W + 1)'(COLS) ? TURN_W'(next - (TURN_W + 1)'(COLS)) : TURN_W'(next);
      end
    end
    for (genvar i = 0; i < IMAGES; i++) begin : g_image
      logic [TURN_W-1:0] now, by;
      wire [TURN_W:0] next = {1'b0, now} + {1'b0, by};
      assign image[i] = now;
      always_ff @(posedge clk) begin
        if (issue) by <= word[9][8*i+:TURN_W];
        if (issue) now <= '0;
        else if (step & y_done) now <= next >= (TURN_W + 1)'(COLS) ? TURN_W'(next - (TURN_W + 1)'(COLS)) : TURN_W'(next);
      end
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (issue) begin
      turned <= word[16][3];
      k_all  <= word[4];
      k_left <= word[4];
      x_all  <= word[2][15:0];
      y_all  <= word[2][31:16];
      x_last <= word[7][15:0];
      y_last <= word[7][31:16];
      x      <= '0;
      y      <= '0;
      along  <= '0;
    end else if (step) begin
      k_left <= k_done ? k_all : k_left - 32'(COLS);
      if (k_done) x <= x_done ? '0 : x + 16'd1;
      if (k_done) along <= x_done | (along == TURN_W'(COLS - 1)) ? '0 : along + 1'b1;
      if (x_done) y <= y_done ? '0 : y + 16'd1;
    end
  end

  wire unused_ok = &{1'b0, command};

endmodule

`default_nettype wire
