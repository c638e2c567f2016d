// Channel of a threshold bank: y = number of thresholds at or below x, by a search in BITS halves, the greatest first.
//
// Stage k holds the 2**k thresholds that it may meet, for both slots, and adds a bit to the code. Latency: BITS enabled
// edges. With OUT_SIGNED the least code is -2**(BITS-1): the top bit is turned over.
`default_nettype none

module threshold_lane #(
    parameter integer ACC_W      = 32,  // bits of an accumulator, signed; a threshold has one more
    parameter integer BITS       = 4,   // bits of a code
    parameter integer OUT_SIGNED = 0
) (
    input  wire             clk,
    input  wire             ce,
    input  wire             write,       // store `threshold` at this edge
    input  wire             write_slot,
    input  wire [ BITS-1:0] write_node,  // node of the search, from 1
    input  wire [  ACC_W:0] threshold,
    input  wire             slot,        // slot of x's tile
    input  wire [ACC_W-1:0] x,
    output wire [ BITS-1:0] y
);

  localparam integer PLACE_W = BITS + 1;

  wire signed [ACC_W-1:0] sum[0:BITS];
  wire [PLACE_W-1:0] place[0:BITS];  // slot, then the bits of the code so far
  wire unused_ok = &{1'b0, sum[BITS], place[BITS][BITS]};

  assign sum[0] = $signed(x);
  assign place[0] = PLACE_W'(slot);

  for (genvar k = 0; k < BITS; k++) begin : g_stage
    logic signed [ACC_W:0] bank[0:(2<<k)-1];
    logic signed [ACC_W-1:0] sum_held;
    logic [PLACE_W-1:0] place_held;
    wire [k:0] read_at = place[k][k:0];
    wire [k:0] write_at;
    wire reached = (ACC_W + 1)'(sum[k]) >= bank[read_at];
    if (k == 0) begin : g_first
      assign write_at = write_slot;
    end else begin : g_next
      assign write_at = {write_slot, write_node[k-1:0]};
    end
    always_ff @(posedge clk) begin
      if (write && (write_node >> k) == BITS'(1)) bank[write_at] <= $signed(threshold);
      if (ce) begin
        sum_held   <= sum[k];
        place_held <= {place[k][BITS-1:0], reached};
      end
    end
    assign sum[k+1] = sum_held;
    assign place[k+1] = place_held;
  end

  if (OUT_SIGNED != 0) begin : g_signed
    assign y = place[BITS][BITS-1:0] ^ (BITS'(1) << (BITS - 1));
  end else begin : g_unsigned
    assign y = place[BITS][BITS-1:0];
  end

endmodule

`default_nettype wire
