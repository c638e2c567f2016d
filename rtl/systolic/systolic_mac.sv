// Multiply-add of one processing element: dense, or of a group of N:M sparse weights.
//
// INDEX_W 0: sum = addend + a * w. Otherwise KEPT slots of value and index, the index above its value, slot n at bits
// n*(WEIGHT_W+INDEX_W): sum = addend + the sum over the slots of value[n] * a[index[n]]. An empty slot has value 0,
// whatever its index; an index beyond the group chooses 0. Combinational; sums wrap modulo 2**ACC_W.
`default_nettype none

module systolic_mac #(
    parameter integer INPUT_W       = 8,   // bits of an activation
    parameter integer INPUT_SIGNED  = 1,   // 1: two's complement, 0: unsigned
    parameter integer WEIGHT_W      = 8,   // bits of a weight
    parameter integer WEIGHT_SIGNED = 1,   // 1: two's complement, 0: unsigned
    parameter integer ACC_W         = 32,  // bits of a sum, enough for one product
    parameter integer KEPT          = 1,   // N: slots of a weight word
    parameter integer GROUP         = 1,   // M: activations of an input word
    parameter integer INDEX_W       = 0,   // bits of an index; 0: dense, KEPT and GROUP are 1
    localparam integer SLOT_W = WEIGHT_W + INDEX_W
) (
    input  wire [GROUP*INPUT_W-1:0] a,
    input  wire [  KEPT*SLOT_W-1:0] w,
    input  wire [        ACC_W-1:0] addend,
    output wire [        ACC_W-1:0] sum
);

  wire [ACC_W-1:0] partial[0:KEPT];
  assign partial[0] = addend;
  assign sum = partial[KEPT];

  generate
    for (genvar n = 0; n < KEPT; n++) begin : g_slot
      wire [INPUT_W-1:0] chosen;
      if (INDEX_W == 0) begin : g_dense
        assign chosen = a[INPUT_W-1:0];
      end else begin : g_select
        wire [INDEX_W-1:0] index = w[(n+1)*SLOT_W-1-:INDEX_W];
        logic [INPUT_W-1:0] selected;
        always_comb begin
          selected = '0;
          for (int m = 0; m < GROUP; m++) begin
            if (index == INDEX_W'(m)) selected = a[m*INPUT_W+:INPUT_W];
          end
        end
        assign chosen = selected;
      end
      tw_mac #(
          .INPUT_W      (INPUT_W),
          .INPUT_SIGNED (INPUT_SIGNED),
          .WEIGHT_W     (WEIGHT_W),
          .WEIGHT_SIGNED(WEIGHT_SIGNED),
          .ACC_W        (ACC_W)
      ) u_mac (
          .a     (chosen),
          .w     (w[n*SLOT_W+:WEIGHT_W]),
          .addend(partial[n]),
          .sum   (partial[n+1])
      );
    end
  endgenerate

endmodule

`default_nettype wire
