// Weight-stationary processing element.
//
// Activations move right, partial sums and weights move down, one PE per enabled cycle. A weight that reaches a PE
// whose shadow is empty stays there; any other passes on, so the i-th weight of a column ends in row i without an
// address. `swap` travels with the first activation of a fold: it moves the shadow into use and empties it, in the same
// cycle in which the first weight of the next fold may arrive.
`default_nettype none

module systolic_pe_ws #(
    parameter integer INPUT_W       = 8,
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer ACC_W         = 32,
    parameter integer KEPT          = 1,   // N:M sparse: slots of a weight word, see systolic_mac
    parameter integer GROUP         = 1,   // N:M sparse: activations of an input word
    parameter integer INDEX_W       = 0,   // N:M sparse: bits of an index; 0: dense
    localparam integer A_W = GROUP * INPUT_W,
    localparam integer W_W = KEPT * (WEIGHT_W + INDEX_W)
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                ce,
    input  wire [     A_W-1:0] a_in,
    input  wire                swap_in,
    output logic [    A_W-1:0] a_out,
    output logic               swap_out,
    input  wire [     W_W-1:0] w_in,
    input  wire                w_valid_in,
    output logic [     W_W-1:0] w_out,
    output logic               w_valid_out,
    input  wire [   ACC_W-1:0] p_in,
    output logic [  ACC_W-1:0] p_out
);

  logic [W_W-1:0] shadow, active;
  logic shadow_full;

  wire keep = w_valid_in & (~shadow_full | swap_in);
  wire [ACC_W-1:0] sum;

  systolic_mac #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W),
      .WEIGHT_SIGNED(WEIGHT_SIGNED),
      .ACC_W        (ACC_W),
      .KEPT         (KEPT),
      .GROUP        (GROUP),
      .INDEX_W      (INDEX_W)
  ) u_mac (
      .a     (a_out),
      .w     (active),
      .addend(p_in),
      .sum   (sum)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      swap_out    <= 1'b0;
      w_valid_out <= 1'b0;
      shadow_full <= 1'b0;
    end else if (ce) begin
      swap_out    <= swap_in;
      w_valid_out <= w_valid_in & ~keep;
      shadow_full <= keep | (shadow_full & ~swap_in);
    end
    if (ce) begin
      a_out <= a_in;
      w_out <= w_in;
      p_out <= sum;
      if (keep) shadow <= w_in;
      if (swap_in) active <= shadow;
    end
  end

endmodule

`default_nettype wire
