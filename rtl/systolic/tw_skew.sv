// Triangle of delay lines: lane i is delayed by i enabled cycles (FALLING 0) or by LANES-1-i (FALLING 1).
`default_nettype none

module tw_skew #(
    parameter integer LANES   = 4,  // words of a vector
    parameter integer DATA_W  = 8,  // bits of a word
    parameter integer FALLING = 0,  // 1: the last lane is the one that is not delayed
    parameter integer RESET   = 0   // 1: lines are cleared by rst
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    ce,
    input  wire [LANES*DATA_W-1:0] d,
    output wire [LANES*DATA_W-1:0] q
);

  generate
    for (genvar i = 0; i < LANES; i++) begin : g_lane
      tw_delay #(
          .DATA_W(DATA_W),
          .DEPTH (FALLING != 0 ? LANES - 1 - i : i),
          .RESET (RESET)
      ) u_delay (
          .clk(clk),
          .rst(rst),
          .ce (ce),
          .d  (d[i*DATA_W+:DATA_W]),
          .q  (q[i*DATA_W+:DATA_W])
      );
    end
  endgenerate

endmodule

`default_nettype wire
