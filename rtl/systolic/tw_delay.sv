// Delay line of DEPTH enabled cycles; DEPTH 0 is a wire.
`default_nettype none

module tw_delay #(
    parameter integer DATA_W = 1,  // bits of a word
    parameter integer DEPTH  = 1,  // enabled cycles from d to q, 0 or more
    parameter integer RESET  = 0   // 1: cleared by rst (flags); 0: kept (data, which may then map to shift-register LUTs)
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              ce,
    input  wire [DATA_W-1:0] d,
    output wire [DATA_W-1:0] q
);

  generate
    if (DEPTH == 0) begin : g_wire
      wire unused_ok = &{1'b0, clk, rst, ce};
      assign q = d;
    end else begin : g_line
      // One vector, oldest word on top: an array of words costs Verilator a copy per word and cycle.
      logic [DEPTH*DATA_W-1:0] line;
      always_ff @(posedge clk) begin
        if (rst && RESET != 0) line <= '0;
        else if (ce) line <= (DEPTH * DATA_W)'({line, d});
      end
      assign q = line[DEPTH*DATA_W-1-:DATA_W];
    end
  endgenerate

endmodule

`default_nettype wire
