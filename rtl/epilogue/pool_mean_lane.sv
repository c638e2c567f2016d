// Channel of a mean pooling core: y = floor(sum / count + 1/2), exact for every window.
//
// Codes are counted from the least of the format. PADDED: every window counts WINDOW beats, those that are missing have
// the code 0. The division is a multiplication by a reciprocal with SHIFT bits behind the point; entry i of RECIPROCALS,
// at bits i*RECIP_W, is that of the count i, or with PADDED the only one that of WINDOW.
// Latency: three enabled edges (sum, half the count added beside the reciprocal's look-up, product).
`default_nettype none

module pool_mean_lane #(
    parameter integer CODE_W      = 8,
    parameter integer CODE_SIGNED = 1,
    parameter integer WINDOW      = 9,
    parameter integer COUNT_W     = 4,
    parameter integer PADDED      = 0,
    parameter integer SUM_W       = 12,  // bits of the sum with half the count
    parameter integer SHIFT       = 15,
    parameter integer RECIP_W     = 16,
    parameter integer ENTRIES     = 10,  // WINDOW + 1, or 1 if PADDED
    parameter logic [ENTRIES*RECIP_W-1:0] RECIPROCALS = '0
) (
    input  wire                clk,
    input  wire                ce,
    input  wire                valid,
    input  wire                first,  // first beat of a window
    input  wire  [COUNT_W-1:0] count,  // beats of the window so far, this one included
    input  wire  [ CODE_W-1:0] x,
    output wire  [ CODE_W-1:0] y
);

  localparam logic [CODE_W-1:0] TURN = CODE_SIGNED != 0 ? CODE_W'(1) << (CODE_W - 1) : CODE_W'(0);
  localparam integer PRODUCT_W = SHIFT + CODE_W;  // a quotient is a code

  logic [SUM_W-1:0] sum, dividend;
  logic [PRODUCT_W-1:0] product;
  wire [RECIP_W-1:0] reciprocal;
  wire [SUM_W-1:0] start, addend, half;
  wire unused_ok = &{1'b0, product};  // bits behind the point

  always_ff @(posedge clk) begin
    if (ce) begin
      if (valid) sum <= (first ? start : sum) + addend;
      dividend <= sum + half;
      product  <= PRODUCT_W'(dividend) * PRODUCT_W'(reciprocal);
    end
  end

  if (PADDED != 0) begin : g_padded
    // A window of codes 0, each of which a code replaces.
    wire signed [CODE_W:0] code = $signed({(CODE_SIGNED != 0) & x[CODE_W-1], x});
    wire unused_code_ok = &{1'b0, count, code};  // one code needs no sign
    assign start = SUM_W'(WINDOW) * SUM_W'(TURN);
    assign addend = $unsigned(SUM_W'(code));
    assign half = SUM_W'(WINDOW / 2);
    assign reciprocal = RECIPROCALS;
  end else begin : g_present
    wire [RECIP_W-1:0] entry[0:ENTRIES-1];
    logic [COUNT_W-1:0] counted;
    logic [RECIP_W-1:0] found;
    for (genvar i = 0; i < ENTRIES; i++) begin : g_entry
      assign entry[i] = RECIPROCALS[i*RECIP_W+:RECIP_W];
    end
    assign start = '0;
    assign addend = SUM_W'(x ^ TURN);
    assign half = SUM_W'(counted >> 1);
    assign reciprocal = found;
    always_ff @(posedge clk) begin
      if (ce) begin
        if (valid) counted <= count;
        found <= entry[counted];
      end
    end
  end

  assign y = product[SHIFT+:CODE_W] ^ TURN;

endmodule

`default_nettype wire
