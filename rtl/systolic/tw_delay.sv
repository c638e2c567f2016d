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
      logic [DATA_W-1:0] stage[0:DEPTH-1];
      always_ff @(posedge clk) begin
        if (rst && RESET != 0) begin
          for (int i = 0; i < DEPTH; i++) stage[i] <= '0;
        end else if (ce) begin
          stage[0] <= d;
          for (int i = 1; i < DEPTH; i++) stage[i] <= stage[i-1];
        end
      end
      assign q = stage[DEPTH-1];
    end
  endgenerate

endmodule

`default_nettype wire
