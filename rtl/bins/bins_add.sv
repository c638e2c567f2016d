// Bins of a bin-accumulate core: each beat adds every activation to the bin of its weight index.
//
// Bin i - 1 holds index i; index 0 is worth exactly zero and has no bin. Latency: a beat is in the bins one edge after
// `in_valid`. `full` says that a reduction is complete; the bins then stand, and `ce` is low, until `copy` frees them;
// the next beat may enter at that edge.
`default_nettype none

module bins_add #(
    parameter integer LANES        = 1,
    parameter integer INPUT_W      = 8,
    parameter integer INPUT_SIGNED = 1,
    parameter integer INDEX_W      = 4,
    parameter integer BIN_W        = 20  // bits of a bin, signed
) (
    input  wire                                   clk,
    input  wire                                   rst,
    output wire                                   ce,
    input  wire                                   in_valid,
    input  wire                                   in_last,
    input  wire  [             LANES*INPUT_W-1:0] in_a,
    input  wire  [             LANES*INDEX_W-1:0] in_w,
    output logic                                  full,
    input  wire                                   copy,
    output wire  [((1 << INDEX_W) - 1)*BIN_W-1:0] bin_sums
);

  logic first;

  assign ce = ~full | copy;

  always_ff @(posedge clk) begin
    if (rst) begin
      full  <= 1'b0;
      first <= 1'b1;
    end else if (ce) begin
      full <= in_valid & in_last;
      if (in_valid) first <= in_last;
    end
  end

  for (genvar b = 1; b < (1 << INDEX_W); b++) begin : g_bin
    logic signed [BIN_W-1:0] held;
    wire signed  [BIN_W-1:0] part[0:LANES];  // part[i] is what the first i lanes add

    assign part[0] = '0;
    for (genvar i = 0; i < LANES; i++) begin : g_lane
      wire [INPUT_W-1:0] word = in_a[i*INPUT_W+:INPUT_W];
      wire signed [INPUT_W:0] value = $signed({(INPUT_SIGNED != 0) & word[INPUT_W-1], word});
      assign part[i+1] = part[i] + (in_w[i*INDEX_W+:INDEX_W] == INDEX_W'(b) ? BIN_W'(value) : BIN_W'(0));
    end

    always_ff @(posedge clk) if (ce & in_valid) held <= (first ? BIN_W'(0) : held) + part[LANES];
    assign bin_sums[(b-1)*BIN_W+:BIN_W] = $unsigned(held);
  end

endmodule

`default_nettype wire
