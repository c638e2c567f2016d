// Multiplying side of a bin-accumulate core: copies full bins and multiplies one per cycle by its table entry.
//
// Latency: from the edge of `copy`, one edge per bin (products), then one for the accumulator; the sum is handed over
// at the next. The next copy may come at the edge of the last product. While a sum waits, everything stands.
// Entry i of TABLE lies at bits i*ENTRY_W, in two's complement; entry 0 is not read.
`default_nettype none

module bins_multiply #(
    parameter integer INDEX_W = 4,
    parameter integer BIN_W   = 20,
    parameter integer ENTRY_W = 8,
    parameter integer ACC_W   = 32,  // bits of a sum; wraps modulo 2**ACC_W
    parameter logic [(1<<INDEX_W)*ENTRY_W-1:0] TABLE = '0
) (
    input  wire                                  clk,
    input  wire                                  rst,
    input  wire                                  full,
    output wire                                  copy,
    input  wire [((1 << INDEX_W) - 1)*BIN_W-1:0] bin_sums,
    output wire                                  m_axis_o_tvalid,
    input  wire                                  m_axis_o_tready,
    output wire [                     ACC_W-1:0] m_axis_o_tdata,
    output wire                                  m_axis_o_tlast
);

  localparam integer BINS = (1 << INDEX_W) - 1;
  localparam integer P_W = BIN_W + ENTRY_W < ACC_W ? BIN_W + ENTRY_W : ACC_W;  // no more than the sum keeps

  logic [BINS*BIN_W-1:0] copies;  // the next bin to multiply is lowest
  logic [INDEX_W-1:0] index;  // its table entry; 0 when there is none
  logic product_valid, product_first, product_last, done;
  logic signed [P_W-1:0] product;
  logic signed [ACC_W-1:0] sum;

  wire [ENTRY_W-1:0] entry[0:BINS];
  for (genvar i = 0; i <= BINS; i++) begin : g_entry
    assign entry[i] = TABLE[i*ENTRY_W+:ENTRY_W];
  end

  wire ce = ~done | m_axis_o_tready;
  wire busy = index != '0;
  wire ending = index == INDEX_W'(BINS);
  wire signed [BIN_W-1:0] bin = $signed(copies[BIN_W-1:0]);
  wire signed [ENTRY_W-1:0] factor = $signed(entry[index]);

  assign copy = ce & full & (~busy | ending);
  assign m_axis_o_tvalid = done;
  assign m_axis_o_tdata = $unsigned(sum);
  assign m_axis_o_tlast = 1'b1;

  always_ff @(posedge clk) begin
    if (rst) begin
      index         <= '0;
      product_valid <= 1'b0;
      done          <= 1'b0;
    end else if (ce) begin
      if (copy) index <= INDEX_W'(1);
      else if (busy) index <= ending ? '0 : index + INDEX_W'(1);
      product_valid <= busy;
      done          <= product_valid & product_last;
    end
    if (ce) begin
      copies        <= copy ? bin_sums : (BINS * BIN_W)'({BIN_W'(0), copies} >> BIN_W);
      product       <= P_W'(bin) * P_W'(factor);
      product_first <= index == INDEX_W'(1);
      product_last  <= ending;
      if (product_valid) sum <= (product_first ? ACC_W'(0) : sum) + ACC_W'(product);
    end
  end

endmodule

`default_nettype wire
