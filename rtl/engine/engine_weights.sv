// Addresses of weight rows: per column fold, per filter tap, per block of ROWS rows, ROWS rows of COLS words.
//
// A weight tile lies as [tap][GROUP input channels][output channel]: a row holds a word per output channel, in whole
// bytes. Rows beyond the last input channel and columns beyond the last output channel are masked. Addresses are those
// of bits, because words of an N:M array need not fill bytes. `load` takes a job, also in the cycle of the last step of
// the one before.
`default_nettype none

module engine_weights #(
    parameter integer ROWS   = 4,
    parameter integer COLS   = 4,
    parameter integer GROUP  = 1,   // input channels of a row
    parameter integer WORD_W = 8    // bits of a stored word
) (
    input  wire            clk,
    input  wire            load,
    input  wire [    31:0] base,
    input  wire [    31:0] row_bits,     // from one row to the next
    input  wire [    31:0] tap_bits,     // from one tap to the next
    input  wire [    31:0] k_count,      // output channels
    input  wire [    31:0] c_count,      // input channels
    input  wire [    31:0] taps,
    input  wire            step,
    output wire [    31:0] at,           // byte that holds the first bit
    output wire [     2:0] first_bit,    // ... and which of its bits that is
    output wire [COLS-1:0] mask
);

  logic [31:0] to_row, to_tap, taps_all, c_all;
  logic [31:0] row_at, tap_at, col_at, row, c_left, taps_left, k_left;

  wire block_done = row == 32'((ROWS - 1) * GROUP);
  wire tap_done = block_done & (c_left <= 32'(ROWS * GROUP));
  wire col_done = tap_done & (taps_left == 32'd1);

  assign at        = {3'd0, row_at[31:3]};
  assign first_bit = row_at[2:0];
  generate
    for (genvar c = 0; c < COLS; c++) begin : g_col
      assign mask[c] = (row < c_left) & (32'(c) < k_left);
    end
  endgenerate

  wire [31:0] next_tap = tap_at + to_tap;
  wire [31:0] next_col = col_at + 32'(COLS * WORD_W);

  always_ff @(posedge clk) begin
    if (load) begin
      to_row    <= row_bits;
      to_tap    <= tap_bits;
      taps_all  <= taps;
      c_all     <= c_count;
      row_at    <= base;
      tap_at    <= base;
      col_at    <= base;
      row       <= '0;
      c_left    <= c_count;
      taps_left <= taps;
      k_left    <= k_count;
    end else if (step) begin
      row <= block_done ? '0 : row + 32'(GROUP);
      if (col_done) begin
        row_at    <= next_col;
        tap_at    <= next_col;
        col_at    <= next_col;
        taps_left <= taps_all;
        k_left    <= k_left - 32'(COLS);
      end else if (tap_done) begin
        row_at    <= next_tap;
        tap_at    <= next_tap;
        taps_left <= taps_left - 32'd1;
      end else row_at <= row_at + to_row;
      if (tap_done) c_left <= c_all;
      else if (block_done) c_left <= c_left - 32'(ROWS * GROUP);
    end
  end

endmodule

`default_nettype wire
