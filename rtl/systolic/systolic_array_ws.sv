// ROWS x COLS weight-stationary mesh between its skew triangles.
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
    parameter integer ACC_W         = 32
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     ce,
    input  wire [ ROWS*INPUT_W-1:0] a,        // word r belongs to row r
    input  wire                     swap,     // first vector of a fold
    input  wire [COLS*WEIGHT_W-1:0] w,        // word c belongs to column c
    input  wire                     w_valid,
    output wire [   COLS*ACC_W-1:0] sums
);

  // Nets, not slices of one vector: event simulators re-evaluate every reader of a vector that changes.
  wire [ INPUT_W-1:0] a_net      [0:ROWS*(COLS+1)-1];
  wire                swap_net   [0:ROWS*(COLS+1)-1];
  wire [WEIGHT_W-1:0] w_net      [0:(ROWS+1)*COLS-1];
  wire                w_valid_net[0:(ROWS+1)*COLS-1];
  wire [   ACC_W-1:0] p_net      [0:(ROWS+1)*COLS-1];

  wire [ ROWS*INPUT_W-1:0] a_skewed;
  wire [         ROWS-1:0] swap_skewed;
  wire [COLS*WEIGHT_W-1:0] w_skewed;
  wire [         COLS-1:0] w_valid_skewed;
  wire [   COLS*ACC_W-1:0] p_skewed;

  tw_skew #(.LANES(ROWS), .DATA_W(INPUT_W)) u_skew_a (.clk(clk), .rst(rst), .ce(ce), .d(a), .q(a_skewed));
  tw_skew #(.LANES(ROWS), .DATA_W(1), .RESET(1))
      u_skew_swap (.clk(clk), .rst(rst), .ce(ce), .d({ROWS{swap}}), .q(swap_skewed));
  tw_skew #(.LANES(COLS), .DATA_W(WEIGHT_W)) u_skew_w (.clk(clk), .rst(rst), .ce(ce), .d(w), .q(w_skewed));
  tw_skew #(.LANES(COLS), .DATA_W(1), .RESET(1))
      u_skew_w_valid (.clk(clk), .rst(rst), .ce(ce), .d({COLS{w_valid}}), .q(w_valid_skewed));
  tw_skew #(.LANES(COLS), .DATA_W(ACC_W), .FALLING(1))
      u_deskew (.clk(clk), .rst(rst), .ce(ce), .d(p_skewed), .q(sums));

  generate
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      assign a_net[r*(COLS+1)]    = a_skewed[r*INPUT_W+:INPUT_W];
      assign swap_net[r*(COLS+1)] = swap_skewed[r];
      for (genvar c = 0; c < COLS; c++) begin : g_col
        systolic_pe_ws #(
            .INPUT_W      (INPUT_W),
            .INPUT_SIGNED (INPUT_SIGNED),
            .WEIGHT_W     (WEIGHT_W),
            .WEIGHT_SIGNED(WEIGHT_SIGNED),
            .ACC_W        (ACC_W)
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
      assign w_net[c]       = w_skewed[c*WEIGHT_W+:WEIGHT_W];
      assign w_valid_net[c] = w_valid_skewed[c];
      assign p_net[c]       = '0;
      assign p_skewed[c*ACC_W+:ACC_W] = p_net[ROWS*COLS+c];
    end
  endgenerate

endmodule

`default_nettype wire
