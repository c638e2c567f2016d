// Vector unit: sums to codes, with second operand, ReLU and pooling, LANES elements a cycle.
//
// A command issued in cycle t reads its first sums in cycle t + 1, one vector a cycle, and completes LATENCY cycles after
// its last vector whatever it does. Pixels come in rows, output channels innermost. Pooling takes windows of pool_x by
// pool_y pixels, side by side: the greatest code, or (sum * multiplier + half) >> shift of them. One by one: no pooling.
`default_nettype none

module engine_vector #(
    parameter integer LANES      = 4,    // columns of the array
    parameter integer ACC_W      = 32,
    parameter integer ACC_ADDR_W = 8,
    parameter integer LATENCY    = 8,    // 7 or more
    parameter integer POOL_DEPTH = 64,   // vectors of a row of windows
    parameter integer WORDS      = 20
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   issue,
    input  wire [   32*WORDS-1:0] command,
    output wire                   ready,
    output wire                   done,
    output wire                   sums_en,
    output wire [ ACC_ADDR_W-1:0] sums_at,
    input  wire [LANES*ACC_W-1:0] sums,
    output wire [           31:0] coefficient_at,
    input  wire [   64*LANES-1:0] coefficients,
    output wire [           31:0] operand_at,
    input  wire [    8*LANES-1:0] operands,
    output logic [      LANES-1:0] out_mask,
    output logic [           31:0] out_at,
    output logic [    8*LANES-1:0] out_data
);

  localparam integer POOL_W = 24;
  localparam integer PLACE_W = $clog2(POOL_DEPTH);

  initial begin
    if (LATENCY < 7) $fatal(1, "%m: LATENCY must be 7 or more");
    if (WORDS != 20) $fatal(1, "%m: WORDS must be 20");
    if (POOL_DEPTH < 2 || POOL_DEPTH != (1 << PLACE_W)) $fatal(1, "%m: POOL_DEPTH must be a power of two, 2 or more");
  end

  // The command
  logic active, pending;
  logic [32*WORDS-1:0] now;
  wire [31:0] word[0:WORDS-1];
  generate
    for (genvar i = 0; i < WORDS; i++) begin : g_word
      assign word[i] = now[32*i+:32];
    end
  endgenerate
  wire [31:0] k_count = word[4];
  wire [31:0] acc_col = word[6];
  wire [31:0] pool_x = 32'(word[13][15:0]);
  wire [31:0] pool_y = 32'(word[13][31:16]);
  wire [23:0] pool_multiplier = word[14][23:0];
  wire [5:0] pool_shift = word[15][5:0];
  wire relu = word[16][0];
  wire pool_mean = word[16][1];
  wire has_second = word[16][2];
  wire [31:0] pixel_bytes = word[17];  // of the output, from one pixel to the next
  wire [23:0] second_multiplier = word[18][23:0];
  wire [31:0] pool_row_bytes = word[19];  // of the pooled output, from one row of windows to the next

  // The walk: channels innermost, then x, y, n
  logic [31:0] k_left, pixel_acc, channel_acc, coefficient, second_at, second_pixel;
  logic [31:0] x_left, y_left, n_left, in_x, in_y, place, place_pixel, out_pixel, out_row, out_here;
  wire k_done = k_left <= 32'(LANES);
  wire x_done = k_done & (x_left == 32'd1);
  wire y_done = x_done & (y_left == 32'd1);
  wire all_done = y_done & (n_left == 32'd1);
  wire window_x_done = in_x == pool_x - 32'd1;
  wire window_y_done = in_y == pool_y - 32'd1;

  assign ready          = ~pending;
  assign sums_en        = active;
  assign sums_at        = ACC_ADDR_W'(channel_acc);
  assign coefficient_at = coefficient;
  assign operand_at     = second_at;

  wire last_out;
  assign done = last_out;

  always_ff @(posedge clk) begin
    if (rst) begin
      active  <= 1'b0;
      pending <= 1'b0;
    end else begin
      if (issue) active <= 1'b1;
      else if (all_done) active <= 1'b0;
      if (issue) pending <= 1'b1;
      else if (done) pending <= 1'b0;
    end
    if (issue) begin
      now           <= command;
      k_left        <= command[32*4+:32];
      x_left        <= command[32*2+:32] & 32'hffff;
      y_left        <= command[32*2+:32] >> 16;
      n_left        <= command[32*3+:32];
      pixel_acc     <= command[32*5+:32];
      channel_acc   <= command[32*5+:32];
      coefficient   <= command[32*10+:32];
      second_at     <= command[32*11+:32];
      second_pixel  <= command[32*11+:32];
      in_x          <= '0;
      in_y          <= '0;
      place         <= '0;
      place_pixel   <= '0;
      out_pixel     <= command[32*12+:32];
      out_row       <= command[32*12+:32];
      out_here      <= command[32*12+:32];
    end else if (active) begin
      // channels
      k_left        <= k_done ? k_count : k_left - 32'(LANES);
      channel_acc   <= k_done ? pixel_acc + 32'd1 : channel_acc + acc_col;
      coefficient   <= k_done ? word[10] : coefficient + 32'(8 * LANES);
      second_at     <= k_done ? second_pixel + k_count : second_at + 32'(LANES);
      if (k_done) begin
        pixel_acc    <= pixel_acc + 32'd1;
        second_pixel <= second_pixel + k_count;
      end
      // pixels and windows
      if (k_done) begin
        x_left <= x_done ? word[2] & 32'hffff : x_left - 32'd1;
        in_x   <= window_x_done ? '0 : in_x + 32'd1;
      end
      if (x_done) begin
        y_left <= y_done ? word[2] >> 16 : y_left - 32'd1;
        in_y   <= window_y_done ? '0 : in_y + 32'd1;
      end
      if (y_done) n_left <= n_left - 32'd1;
      // place of the window's partial result: one per column of windows and block of channels
      if (x_done) begin
        place       <= '0;
        place_pixel <= '0;
      end else if (k_done) begin
        place       <= window_x_done ? place + 32'd1 : place_pixel;
        place_pixel <= window_x_done ? place + 32'd1 : place_pixel;
      end else place <= place + 32'd1;
      // where the result goes
      if (x_done) begin
        out_row   <= window_y_done ? out_row + pool_row_bytes : out_row;
        out_pixel <= window_y_done ? out_row + pool_row_bytes : out_row;
        out_here  <= window_y_done ? out_row + pool_row_bytes : out_row;
      end else if (k_done) begin
        out_pixel <= window_x_done ? out_pixel + pixel_bytes : out_pixel;
        out_here  <= window_x_done ? out_pixel + pixel_bytes : out_pixel;
      end else out_here <= out_here + 32'(LANES);
    end
  end

  tw_delay #(
      .DATA_W(1),
      .DEPTH (LATENCY),
      .RESET (1)
  ) u_done (
      .clk(clk),
      .rst(rst),
      .ce (1'b1),
      .d  (active & all_done),
      .q  (last_out)
  );

  // What a vector is travels beside it: 1 read, 3 lane
  wire [LANES-1:0] mask;
  generate
    for (genvar l = 0; l < LANES; l++) begin : g_mask
      assign mask[l] = 32'(l) < k_left;
    end
  endgenerate
  wire first_of_window = (in_x == '0) & (in_y == '0);
  wire last_of_window = window_x_done & window_y_done;
  wire code_valid, code_first, code_last;
  wire [LANES-1:0] code_mask;
  wire [PLACE_W-1:0] code_place;
  wire [31:0] code_at;

  tw_delay #(
      .DATA_W(3 + LANES + PLACE_W + 32),
      .DEPTH (4),
      .RESET (1)
  ) u_tags (
      .clk(clk),
      .rst(rst),
      .ce (1'b1),
      .d  ({active, first_of_window, last_of_window, mask, PLACE_W'(place), out_here}),
      .q  ({code_valid, code_first, code_last, code_mask, code_place, code_at})
  );

  // Stage 5: pool; stage 6: mean; stage 7: write. No reset: what a reset cuts off is written to the output memory in the
  // three cycles after it, which no store reads before a run has written it anew.
  logic take, take_mean;
  logic [LANES-1:0] take_mask, mean_mask;
  logic [31:0] take_at, mean_at;

  always_ff @(posedge clk) begin
    take      <= code_valid & code_last;
    take_mean <= take;
    take_mask <= code_mask;
    take_at   <= code_at;
    mean_mask <= take_mask;
    mean_at   <= take_at;
    out_mask  <= take_mean ? mean_mask : '0;
    out_at    <= mean_at;
  end

  generate
    for (genvar l = 0; l < LANES; l++) begin : g_lane
      wire signed [7:0] code;
      engine_lane #(
          .ACC_W (ACC_W),
          .CODE_W(8)
      ) u_lane (
          .clk              (clk),
          .sum              (sums[l*ACC_W+:ACC_W]),
          .bias             (coefficients[64*l+:32]),
          .multiplier       (coefficients[64*l+32+:24]),
          .shift            (coefficients[64*l+56+:8]),
          .second           (has_second ? operands[8*l+:8] : 8'd0),
          .second_multiplier(second_multiplier),
          .relu             (relu),
          .code             (code)
      );

      logic signed [POOL_W-1:0] partial[0:POOL_DEPTH-1];
      logic signed [POOL_W-1:0] pooled, meant;
      wire signed [POOL_W-1:0] wide = POOL_W'(code);
      wire signed [POOL_W-1:0] stored = partial[code_place];
      wire signed [POOL_W-1:0] greater = stored > wide ? stored : wide;
      wire signed [POOL_W-1:0] combined = code_first ? wide : pool_mean ? stored + wide : greater;
      wire signed [49:0] scaled = 50'(pooled) * 50'($signed({1'b0, pool_multiplier}));
      wire signed [49:0] half = pool_shift == 6'd0 ? 50'(0) : 50'(1) <<< (pool_shift - 6'd1);
      wire signed [49:0] mean = (scaled + half) >>> pool_shift;

      always_ff @(posedge clk) begin
        if (code_valid) partial[code_place] <= combined;
        pooled <= combined;
        meant  <= ~pool_mean ? pooled : mean > 50'sd127 ? POOL_W'(127) : mean < -50'sd128 ? -POOL_W'(128) :
                  POOL_W'(mean);
        out_data[8*l+:8] <= meant[7:0];
      end
      wire unused_lane = &{1'b0, meant[POOL_W-1:8], mean[49:POOL_W]};
    end
  endgenerate

  wire unused_ok = &{1'b0, now[63:0], word[7], word[8], word[9], word[14][31:24], word[15][31:6], word[16][31:3],
                     word[18][31:24]};

endmodule

`default_nettype wire
