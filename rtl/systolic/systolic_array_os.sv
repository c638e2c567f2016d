// ROWS x COLS output-stationary mesh between its delay triangles.
//
// The results of a fold whose last pair entered in cycle t leave in cycles t + ROWS + COLS ... t + 2*ROWS + COLS - 1,
// row ROWS-1 first, provided that `drain_start` comes in cycle t + ROWS + 1 (enabled cycles). Last pairs must be ROWS
// cycles apart or more: the drain registers of a column are one chain.
`default_nettype none

module systolic_array_os #(
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
    parameter integer SKEWED        = 0,   // 1: word r of `a` comes r cycles after word 0 already
    localparam integer A_W = GROUP * INPUT_W,
    localparam integer W_W = KEPT * (WEIGHT_W + INDEX_W)
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     ce,
    input  wire [     ROWS*A_W-1:0] a,            // word r belongs to row r
    input  wire [     COLS*W_W-1:0] w,            // word c belongs to column c
    input  wire                     valid,
    input  wire                     first,
    input  wire                     last,
    input  wire                     drain_start,
    output wire [   COLS*ACC_W-1:0] sums
);

  // Nets, not slices of one vector: event simulators re-evaluate every reader of a vector that changes.
  wire [     A_W-1:0] a_net    [0:ROWS*(COLS+1)-1];
  wire                valid_net[0:ROWS*(COLS+1)-1];
  wire                first_net[0:ROWS*(COLS+1)-1];
  wire                last_net [0:ROWS*(COLS+1)-1];
  wire [     W_W-1:0] w_net    [0:(ROWS+1)*COLS-1];
  wire [   ACC_W-1:0] d_net    [0:(ROWS+1)*COLS-1];

  wire                drain_net[0:COLS-1];

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      // Row r starts r cycles after row 0
      tw_delay #(
          .DATA_W(A_W),
          .DEPTH (SKEWED == 0 ? r : 0)
      ) u_skew_a (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (a[r*A_W+:A_W]),
          .q  (a_net[r*(COLS+1)])
      );
      tw_delay #(
          .DATA_W(2),
          .DEPTH (r)
      ) u_skew_ends (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  ({first, last}),
          .q  ({first_net[r*(COLS+1)], last_net[r*(COLS+1)]})
      );
      tw_delay #(
          .DATA_W(1),
          .DEPTH (r),
          .RESET (1)
      ) u_skew_valid (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (valid),
          .q  (valid_net[r*(COLS+1)])
      );
      for (genvar c = 0; c < COLS; c++) begin : g_col
        systolic_pe_os #(
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
            .valid_in   (valid_net[r*(COLS+1)+c]),
            .first_in   (first_net[r*(COLS+1)+c]),
            .last_in    (last_net[r*(COLS+1)+c]),
            .a_out      (a_net[r*(COLS+1)+c+1]),
            .valid_out  (valid_net[r*(COLS+1)+c+1]),
            .first_out  (first_net[r*(COLS+1)+c+1]),
            .last_out   (last_net[r*(COLS+1)+c+1]),
            .w_in       (w_net[r*COLS+c]),
            .w_out      (w_net[(r+1)*COLS+c]),
            .drain_start(drain_net[c]),
            .d_in       (d_net[r*COLS+c]),
            .d_out      (d_net[(r+1)*COLS+c])
        );
      end
    end
    for (genvar c = 0; c < COLS; c++) begin : g_edge
      // Column c starts c cycles after column 0 and waits for the last column
      tw_delay #(
          .DATA_W(W_W),
          .DEPTH (c)
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
      ) u_skew_drain (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (drain_start),
          .q  (drain_net[c])
      );
      tw_delay #(
          .DATA_W(ACC_W),
          .DEPTH (COLS - 1 - c)
      ) u_align (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (d_net[ROWS*COLS+c]),
          .q  (sums[c*ACC_W+:ACC_W])
      );
      assign d_net[c] = '0;
    end
  endgenerate

endmodule

`default_nettype wire
