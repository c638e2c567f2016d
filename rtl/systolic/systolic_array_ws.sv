// ROWS x COLS weight-stationary mesh between its delay triangles.
//
// A vector that enters in cycle t leaves as COLS sums in cycle t + ROWS + COLS (enabled cycles). Row i of a load may
// enter in cycle t + i of the stream it hides behind, and a fold's first vector one cycle after its last weight row.
`default_nettype none

module systolic_array_ws #(
    parameter integer ROWS          = 4,
    parameter integer COLS          = 4,
    parameter integer INPUT_W       = 8,
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer ACC_W         = 32,
    parameter integer KEPT          = 1,   // N:M sparse: slots of a weight word, see systolic_mac
    parameter integer GROUP         = 1,   // N:M sparse: activations of an input word
    parameter integer INDEX_W       = 0,   // N:M sparse: bits of an index; 0: dense
    parameter integer SKEWED        = 0,   // 1: word c of `w` comes c cycles after word 0 already
    localparam integer A_W = GROUP * INPUT_W,
    localparam integer W_W = KEPT * (WEIGHT_W + INDEX_W)
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     ce,
    input  wire [     ROWS*A_W-1:0] a,        // word r belongs to row r
    input  wire                     swap,     // first vector of a fold
    input  wire [     COLS*W_W-1:0] w,        // word c belongs to column c
    input  wire                     w_valid,
    output wire [   COLS*ACC_W-1:0] sums
);

  // Nets, not slices of one vector: event simulators re-evaluate every reader of a vector that changes.
  wire [     A_W-1:0] a_net      [0:ROWS*(COLS+1)-1];
  wire                swap_net   [0:ROWS*(COLS+1)-1];
  wire [     W_W-1:0] w_net      [0:(ROWS+1)*COLS-1];
  wire                w_valid_net[0:(ROWS+1)*COLS-1];
  wire [   ACC_W-1:0] p_net      [0:(ROWS+1)*COLS-1];

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      // Row r starts r cycles after row 0
      tw_delay #(
          .DATA_W(A_W),
          .DEPTH (r)
      ) u_skew_a (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (a[r*A_W+:A_W]),
          .q  (a_net[r*(COLS+1)])
      );
      tw_delay #(
          .DATA_W(1),
          .DEPTH (r),
          .RESET (1)
      ) u_skew_swap (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (swap),
          .q  (swap_net[r*(COLS+1)])
      );
      for (genvar c = 0; c < COLS; c++) begin : g_col
        systolic_pe_ws #(
            .INPUT_W      (INPUT_W),
            .INPUT_SIGNED (INPUT_SIGNED),
            .WEIGHT_W     (WEIGHT_W),
            .WEIGHT_SIGNED(WEIGHT_SIGNED),
            .ACC_W        (ACC_W),
            .KEPT         (KEPT),
            .GROUP        (GROUP),
            .INDEX_W      (INDEX_W)
        ) u_pe (
            .clk        (clk),
            .rst        (rst),
            .ce         (ce),
            .a_in       (a_net[r*(COLS+1)+c]),
            .swap_in    (swap_net[r*(COLS+1)+c]),
            .a_out      (a_net[r*(COLS+1)+c+1]),
            .swap_out   (swap_net[r*(COLS+1)+c+1]),
            .w_in       (w_net[r*COLS+c]),
            .w_valid_in (w_valid_net[r*COLS+c]),
            .w_out      (w_net[(r+1)*COLS+c]),
            .w_valid_out(w_valid_net[(r+1)*COLS+c]),
            .p_in       (p_net[r*COLS+c]),
            .p_out      (p_net[(r+1)*COLS+c])
        );
      end
    end
    for (genvar c = 0; c < COLS; c++) begin : g_edge
      // Column c starts c cycles after column 0 and waits for the last column
      tw_delay #(
          .DATA_W(W_W),
          .DEPTH (SKEWED == 0 ? c : 0)
      ) u_skew_w (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (w[c*W_W+:W_W]),
          .q  (w_net[c])
      );
      tw_delay #(
          .DATA_W(1),
          .DEPTH (c),
          .RESET (1)
      ) u_skew_w_valid (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (w_valid),
          .q  (w_valid_net[c])
      );
      tw_delay #(
          .DATA_W(ACC_W),
          .DEPTH (COLS - 1 - c)
      ) u_align (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (p_net[ROWS*COLS+c]),
          .q  (sums[c*ACC_W+:ACC_W])
      );
      assign p_net[c] = '0;
    end
  endgenerate

endmodule

`default_nettype wire
