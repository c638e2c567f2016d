// Result side of a dot-product core: product registers, a registered adder tree and one accumulator.
//
// Latency: a product that enters with `in_valid` is in the sum LEVELS + 2 edges later. Throughput: one beat per cycle; a
// reduction may follow the one before without a gap. While a finished sum waits, `ce` is low and everything stands.
`default_nettype none

module dot_reduce #(
    parameter integer LANES = 4,   // products per beat
    parameter integer P_W   = 16,  // bits of a product, signed
    parameter integer ACC_W = 32   // bits of a sum; wraps modulo 2**ACC_W
) (
    input  wire                 clk,
    input  wire                 rst,
    output wire                 ce,
    input  wire                 in_valid,
    input  wire                 in_last,
    input  wire [LANES*P_W-1:0] in_products,
    output wire                 m_axis_o_tvalid,
    input  wire                 m_axis_o_tready,
    output wire [    ACC_W-1:0] m_axis_o_tdata,
    output wire                 m_axis_o_tlast
);

  localparam integer LEVELS = LANES > 1 ? $clog2(LANES) : 0;
  localparam integer SUM_W = P_W + LEVELS;

  // Node i of level l is the sum of nodes 2i and 2i + 1 of level l - 1; level 0 holds the products.
  wire signed [SUM_W-1:0] node[0:(LEVELS+1)*LANES-1];
  logic [LEVELS:0] valid, last;
  logic first, done;
  logic signed [ACC_W-1:0] sum;

  assign ce = ~done | m_axis_o_tready;
  assign m_axis_o_tvalid = done;
  assign m_axis_o_tdata = $unsigned(sum);
  assign m_axis_o_tlast = 1'b1;

  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    localparam integer BELOW = l > 0 ? l - 1 : 0;  // the level that this one adds up
    localparam integer COUNT = (LANES + (1 << l) - 1) >> l;
    localparam integer COUNT_BELOW = (LANES + (1 << BELOW) - 1) >> BELOW;
    for (genvar i = 0; i < LANES; i++) begin : g_node
      if (i < COUNT) begin : g_used
        logic signed [SUM_W-1:0] held;
        wire signed  [SUM_W-1:0] next;
        if (l == 0) begin : g_product
          wire signed [P_W-1:0] product = $signed(in_products[i*P_W+:P_W]);
          assign next = SUM_W'(product);
        end else if (2 * i + 1 < COUNT_BELOW) begin : g_pair
          assign next = node[BELOW*LANES+2*i] + node[BELOW*LANES+2*i+1];
        end else begin : g_odd
          assign next = node[BELOW*LANES+2*i];
        end
        always_ff @(posedge clk) if (ce) held <= next;
        assign node[l*LANES+i] = held;
      end else begin : g_none
        assign node[l*LANES+i] = '0;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      valid <= '0;
      first <= 1'b1;
      done  <= 1'b0;
    end else if (ce) begin
      for (int l = 1; l <= LEVELS; l++) valid[l] <= valid[l-1];
      valid[0] <= in_valid;
      done <= valid[LEVELS] & last[LEVELS];
      if (valid[LEVELS]) first <= last[LEVELS];
    end
    if (ce) begin
      for (int l = 1; l <= LEVELS; l++) last[l] <= last[l-1];
      last[0] <= in_last;
      if (valid[LEVELS]) sum <= (first ? ACC_W'(0) : sum) + ACC_W'(node[LEVELS*LANES]);
    end
  end

endmodule

`default_nettype wire
