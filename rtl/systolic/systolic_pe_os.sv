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
    parameter integer ACC_W         = 32
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 ce,
    input  wire [  INPUT_W-1:0] a_in,
    input  wire                 valid_in,     // a pair, not a bubble
    input  wire                 first_in,     // first pair of a fold
    input  wire                 last_in,      // last pair of a fold
    output logic [ INPUT_W-1:0] a_out,
    output logic                valid_out,
    output logic                first_out,
    output logic                last_out,
    input  wire [ WEIGHT_W-1:0] w_in,
    output logic [WEIGHT_W-1:0] w_out,
    input  wire                 drain_start,
    input  wire [    ACC_W-1:0] d_in,
    output logic [   ACC_W-1:0] d_out
);

  logic [ACC_W-1:0] total;
  logic draining;

  wire [ACC_W-1:0] sum;
  wire finished = valid_out & last_out;
  wire shift = drain_start | draining;

  tw_mac #(
      .INPUT_W      (INPUT_W),
      .INPUT_SIGNED (INPUT_SIGNED),
      .WEIGHT_W     (WEIGHT_W),
      .WEIGHT_SIGNED(WEIGHT_SIGNED),
      .ACC_W        (ACC_W)
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
