// N:M sparse lane: N kept weights of a group of M activations, each with the index of its activation.
//
// p = sum over the N slots of value[n] * a[index[n]]. An empty slot has value 0; its index is not looked at.
// Weight word: slot n at bits n*(WEIGHT_W+INDEX_W), the value below its index.
`default_nettype none

module product_nm #(
    parameter integer N             = 2,
    parameter integer M             = 4,
    parameter integer INPUT_W       = 8,
    parameter integer INPUT_SIGNED  = 1,
    parameter integer WEIGHT_W      = 8,
    parameter integer WEIGHT_SIGNED = 1,
    parameter integer INDEX_W       = 2,
    parameter integer P_W           = 17  // bits of the sum of N products, signed
) (
    input  wire [          M*INPUT_W-1:0] a,
    input  wire [N*(WEIGHT_W+INDEX_W)-1:0] w,
    output wire [                P_W-1:0] p
);

  localparam integer SLOT_W = WEIGHT_W + INDEX_W;

  wire [P_W-1:0] partial[0:N];
  assign partial[0] = '0;
  assign p = partial[N];

  for (genvar n = 0; n < N; n++) begin : g_slot
    wire [INDEX_W-1:0] index = w[n*SLOT_W+WEIGHT_W+:INDEX_W];
    wire [P_W-1:0] product;
    logic [INPUT_W-1:0] chosen;
    always_comb begin  // M:1 select; an index beyond the group chooses nothing
      chosen = '0;
      for (int m = 0; m < M; m++) if (index == INDEX_W'(m)) chosen = a[m*INPUT_W+:INPUT_W];
    end
    product_int #(
        .INPUT_W      (INPUT_W),
        .INPUT_SIGNED (INPUT_SIGNED),
        .WEIGHT_W     (WEIGHT_W),
        .WEIGHT_SIGNED(WEIGHT_SIGNED),
        .P_W          (P_W)
    ) u_product (
        .a(chosen),
        .w(w[n*SLOT_W+:WEIGHT_W]),
        .p(product)
    );
    assign partial[n+1] = partial[n] + product;
  end

endmodule

`default_nettype wire
