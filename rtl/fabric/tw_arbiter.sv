// Round-robin arbiter: PORTS streams of packets into one.
//
// The choice falls on the first word of a packet and stands until the word with `in_last`: packets are never mixed. The
// search starts behind the port that was served last; a cycle in which no port asks and no packet is under way turns it
// back to port 0. A port that asks therefore waits at most PORTS - 1 packets. Packets follow without a gap. Latency 1
// cycle; every output is a register.
`default_nettype none

module tw_arbiter #(
    parameter integer PORTS  = 4,
    parameter integer DATA_W = 8,  // bits of a word
    parameter integer PORT_W = 2   // bits of a port number
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire  [       PORTS-1:0] in_valid,
    output wire  [       PORTS-1:0] in_ready,
    input  wire  [PORTS*DATA_W-1:0] in_data,
    input  wire  [       PORTS-1:0] in_last,
    output logic                    out_valid,
    input  wire                     out_ready,
    output logic [      DATA_W-1:0] out_data,
    output logic                    out_last,
    output logic [      PORT_W-1:0] out_port   // where the word came from
);

  wire [PORTS-1:0] asks, word_last, grant;
  wire  [DATA_W-1:0] word      [0:PORTS-1];
  logic [PORT_W-1:0] search;  // where the next search starts
  logic [PORT_W-1:0] owner;  // port whose packet is under way
  logic locked;  // a packet is under way
  logic [PORT_W-1:0] found, chosen;

  wire free = ~out_valid | out_ready;  // the output register takes a word at the next edge
  wire take = free & asks[chosen];

  for (genvar i = 0; i < PORTS; i++) begin : g_port
    assign grant[i] = free & chosen == PORT_W'(i);
    tw_skid #(
        .DATA_W(DATA_W + 1)
    ) u_skid (
        .clk      (clk),
        .rst      (rst),
        .in_valid (in_valid[i]),
        .in_ready (in_ready[i]),
        .in_data  ({in_last[i], in_data[i*DATA_W+:DATA_W]}),
        .out_valid(asks[i]),
        .out_ready(grant[i]),
        .out_data ({word_last[i], word[i]})
    );
  end

  always_comb begin
    found = '0;
    for (int i = PORTS - 1; i >= 0; i--) if (asks[i]) found = PORT_W'($unsigned(i));
    for (int i = PORTS - 1; i >= 0; i--) if (asks[i] && PORT_W'($unsigned(i)) >= search) found = PORT_W'($unsigned(i));
    chosen = locked ? owner : found;
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      out_valid <= 1'b0;
      locked    <= 1'b0;
      search    <= '0;
    end else begin
      if (free) out_valid <= asks[chosen];
      if (take) locked <= ~word_last[chosen];
      if (take & word_last[chosen]) search <= chosen == PORT_W'(PORTS - 1) ? '0 : chosen + 1'b1;
      else if (~locked & asks == '0) search <= '0;
    end
    if (take) owner <= chosen;
    if (free) begin
      out_data <= word[chosen];
      out_last <= word_last[chosen];
      out_port <= chosen;
    end
  end

endmodule

`default_nettype wire
