// Magnitude of a value as an unsigned number. Combinational.
//
// KIND 0: unsigned. KIND 1: two's complement; the least value has magnitude 2**(VALUE_W-1). KIND 2: sign and magnitude,
// as the bits of a floating-point number are.
`default_nettype none

module topk_magnitude #(
    parameter integer VALUE_W = 8,
    parameter integer KIND    = 1
) (
    input  wire [VALUE_W-1:0] value,
    output wire [VALUE_W-1:0] magnitude
);

  generate
    if (KIND == 0) begin : g_unsigned
      assign magnitude = value;
    end else if (KIND == 1) begin : g_twos
      assign magnitude = value[VALUE_W-1] ? -value : value;
    end else begin : g_sign
      wire unused_ok = &{1'b0, value[VALUE_W-1]};
      assign magnitude = {1'b0, value[VALUE_W-2:0]};
    end
  endgenerate

endmodule

`default_nettype wire
