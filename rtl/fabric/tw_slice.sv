// Register slice: skid buffer, then an output register. Every output is a register.
//
// Latency 1 cycle, one word per cycle; holds two words while the receiver waits.
`default_nettype none

module tw_slice #(
    parameter integer DATA_W = 8  // bits of a word
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    output wire               in_ready,
    input  wire  [DATA_W-1:0] in_data,
    output logic              out_valid,
    input  wire               out_ready,
    output logic [DATA_W-1:0] out_data
);

  wire valid;
  wire [DATA_W-1:0] data;
  wire free = ~out_valid | out_ready;

  tw_skid #(
      .DATA_W(DATA_W)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (in_valid),
      .in_ready (in_ready),
      .in_data  (in_data),
      .out_valid(valid),
      .out_ready(free),
      .out_data (data)
  );

  always_ff @(posedge clk) begin
    if (rst) out_valid <= 1'b0;
    else if (free) out_valid <= valid;
    if (free) out_data <= data;
  end

endmodule

`default_nettype wire
