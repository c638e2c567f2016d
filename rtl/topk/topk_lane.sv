// List of one lane: the N values of largest magnitude among those of a group seen so far, in order of their index.
//
// An enabled edge puts a value in; `next_list` already holds it. A value that exceeds the least magnitude of the list
// takes its place: the least entry (of equal ones that of the highest index) leaves, the entries behind it close up and
// the value goes to the end. Equal magnitudes leave the list as it is, so the lower index wins; a zero never goes in.
// Slot n at bits n*(VALUE_W+INDEX_W), the value below its index; empty slots, all zero, are the last ones.
`default_nettype none

module topk_lane #(
    parameter integer N       = 2,
    parameter integer VALUE_W = 8,
    parameter integer INDEX_W = 2,
    parameter integer KIND    = 1   // of the values, see topk_magnitude
) (
    input  wire                           clk,
    input  wire                           ce,
    input  wire                           first,     // the value is the first of its group
    input  wire [            VALUE_W-1:0] value,
    input  wire [            INDEX_W-1:0] index,
    output wire [N*(VALUE_W+INDEX_W)-1:0] next_list
);

  localparam integer SLOT_W = VALUE_W + INDEX_W;
  localparam integer PLACE_W = $clog2(N + 1);

  logic [N*SLOT_W-1:0] list;
  wire  [ VALUE_W-1:0] magnitude;

  // Entry n of the list before the value; entry N is the emptiness that closing up draws in.
  wire  [  SLOT_W-1:0] slot      [  0:N];
  // Least magnitude of the entries 0..n, and where it is: the first empty slot, or the last of equal entries.
  wire  [ VALUE_W-1:0] least     [0:N-1];
  wire  [ PLACE_W-1:0] place     [0:N-1];

  topk_magnitude #(
      .VALUE_W(VALUE_W),
      .KIND   (KIND)
  ) u_magnitude (
      .value    (value),
      .magnitude(magnitude)
  );

  for (genvar n = 0; n < N; n++) begin : g_search
    wire [VALUE_W-1:0] own;
    assign slot[n] = first ? '0 : list[n*SLOT_W+:SLOT_W];
    topk_magnitude #(
        .VALUE_W(VALUE_W),
        .KIND   (KIND)
    ) u_own (
        .value    (slot[n][VALUE_W-1:0]),
        .magnitude(own)
    );
    if (n == 0) begin : g_start
      assign least[n] = own;
      assign place[n] = '0;
    end else begin : g_step
      wire closer = own < least[n-1] || (own == least[n-1] && own != '0);
      assign least[n] = closer ? own : least[n-1];
      assign place[n] = closer ? PLACE_W'(n) : place[n-1];
    end
  end
  assign slot[N] = '0;

  wire enter = magnitude > least[N-1];
  wire full = least[N-1] != '0;
  wire [PLACE_W-1:0] leaves = place[N-1];
  wire [PLACE_W-1:0] enters = full ? PLACE_W'(N - 1) : leaves;

  for (genvar n = 0; n < N; n++) begin : g_replace
    wire [SLOT_W-1:0] closed = PLACE_W'(n) < leaves ? slot[n] : slot[n+1];
    assign next_list[n*SLOT_W+:SLOT_W] = !enter ? slot[n] : PLACE_W'(n) == enters ? {index, value} : closed;
  end

  always_ff @(posedge clk) if (ce) list <= next_list;

endmodule

`default_nettype wire
