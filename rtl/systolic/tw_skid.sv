// One-word skid buffer: cuts the combinational path of `ready` and costs no latency.
//
// `in_ready` is a register. A word passes straight through while the receiver is ready; a word that meets a receiver
// that is not ready is kept, and `in_ready` falls until it has left.
`default_nettype none

module tw_skid #(
    parameter integer DATA_W = 8  // bits of a word
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              in_valid,
    output wire              in_ready,
    input  wire [DATA_W-1:0] in_data,
    output wire              out_valid,
    input  wire              out_ready,
    output wire [DATA_W-1:0] out_data
);

  logic              full;
  logic [DATA_W-1:0] kept;

  assign in_ready  = ~full;
  assign out_valid = full | in_valid;
  assign out_data  = full ? kept : in_data;

  always_ff @(posedge clk) begin
    if (rst) full <= 1'b0;
    else full <= out_valid & ~out_ready;
    if (~full) kept <= in_data;
  end

endmodule

`default_nettype wire
