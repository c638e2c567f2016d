// Channel of a maximum pooling core: y is the greatest code of the window so far. Latency: one enabled edge.
`default_nettype none

module pool_max_lane #(
    parameter integer CODE_W      = 8,
    parameter integer CODE_SIGNED = 1
) (
    input  wire               clk,
    input  wire               ce,
    input  wire               valid,
    input  wire               first,  // first beat of a window
    input  wire  [CODE_W-1:0] x,
    output logic [CODE_W-1:0] y
);

  // Codes from the least of the format: their order is that of unsigned numbers.
  localparam logic [CODE_W-1:0] TURN = CODE_SIGNED != 0 ? CODE_W'(1) << (CODE_W - 1) : CODE_W'(0);

  wire greater = (x ^ TURN) > (y ^ TURN);

  always_ff @(posedge clk) if (ce && valid && (first || greater)) y <= x;

endmodule

`default_nettype wire
