// Output-stationary processing element.
//
// Activations move right, weights down; the sum stays. With the last pair of a fold the finished sum goes to the drain
// register, which holds it until `drain_start` and then shifts down with its column until its own next result.
`default_nettype none

module systolic_pe_os #(
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
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 ce,
    input  wire [      A_W-1:0] a_in,
    input  wire                 valid_in,     // a pair, not a bubble
    input  wire                 first_in,     // first pair of a fold
    input  wire                 last_in,      // last pair of a fold
    output logic [     A_W-1:0] a_out,
    output logic                valid_out,
    output logic                first_out,
    output logic                last_out,
    input  wire [      W_W-1:0] w_in,
    output logic [     W_W-1:0] w_out,
    input  wire                 drain_start,
    input  wire [    ACC_W-1:0] d_in,
    output logic [   ACC_W-1:0] d_out
);

  logic [ACC_W-1:0] total;
  logic draining;

  wire [ACC_W-1:0] sum;
  wire finished = valid_out & last_out;
  wire shift = drain_start | draining;

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
      .w     (w_out),
      .addend(first_out ? '0 : total),
      .sum   (sum)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      valid_out <= 1'b0;
      draining  <= 1'b0;
    end else if (ce) begin
      valid_out <= valid_in;
      draining  <= shift & ~finished;
    end
    if (ce) begin
      a_out     <= a_in;
      w_out     <= w_in;
      first_out <= first_in;
      last_out  <= last_in;
      if (valid_out) total <= sum;
      if (finished) d_out <= sum;
      else if (shift) d_out <= d_in;
    end
  end

endmodule

`default_nettype wire
