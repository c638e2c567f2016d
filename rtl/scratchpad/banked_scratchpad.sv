// Scratchpad of BANKS single-port banks, words interleaved (bank = address mod BANKS), shared by READS + WRITES ports.
//
// A beat asks for up to one access per port: fields from the lowest bit, read ports {valid, address}, then write ports
// {valid, address, data}. Each cycle each bank serves the lowest port that waits for it, read ports before write ports;
// a beat takes as many cycles as its busiest bank has accesses, at least one. Its read words leave together, zero for
// ports that did not ask. Reads of a beat therefore see the words before its writes, and of writes of one beat to one
// address the highest port's stays. The result leaves two cycles after the last access was granted; beats follow
// without a gap. `s_axis_r_tready` and all outputs come from registers.
`default_nettype none

module banked_scratchpad #(
    parameter integer BANKS  = 4,   // a power of two
    parameter integer WORDS  = 64,  // words of a bank
    parameter integer DATA_W = 8,
    parameter integer READS  = 2,
    parameter integer WRITES = 1,
    parameter integer ADDR_W = 8,   // bits of an address: log2 BANKS + ROW_W
    parameter integer ROW_W  = 6    // bits of an address in a bank
) (
    input  wire                                                     clk,
    input  wire                                                     rst,
    input  wire                                                     s_axis_r_tvalid,
    output wire                                                     s_axis_r_tready,
    input  wire  [READS*(ADDR_W+1)+WRITES*(DATA_W+ADDR_W+1)-1:0] s_axis_r_tdata,
    input  wire                                                     s_axis_r_tlast,
    output logic                                                    m_axis_o_tvalid,
    input  wire                                                     m_axis_o_tready,
    output logic [                                READS*DATA_W-1:0] m_axis_o_tdata,
    output logic                                                    m_axis_o_tlast
);

  localparam integer PORTS = READS + WRITES;
  localparam integer READ_W = ADDR_W + 1;
  localparam integer WRITE_W = DATA_W + ADDR_W + 1;
  localparam integer BEAT_W = READS * READ_W + WRITES * WRITE_W;
  localparam integer BANK_W = BANKS > 1 ? $clog2(BANKS) : 1;

  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;
  wire in_valid, in_last;
  wire [BEAT_W-1:0] in_beat;
  logic busy, last;
  logic [PORTS-1:0] pending;  // accesses of the beat that are still to be granted
  logic [BEAT_W-1:0] beat;

  logic [PORTS-1:0] in_asks;
  wire [ADDR_W-1:0] address[0:PORTS-1];
  wire [DATA_W-1:0] data[0:PORTS-1];
  wire [BANK_W-1:0] bank[0:PORTS-1];
  wire [PORTS-1:0] granted[0:BANKS-1];  // one bit at most
  logic [PORTS-1:0] grant;
  wire [DATA_W-1:0] q[0:BANKS-1];

  wire done = busy & (pending & ~grant) == '0;
  wire take = ce & in_valid & (~busy | done);

  tw_skid #(
      .DATA_W(BEAT_W + 1)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_r_tvalid),
      .in_ready (s_axis_r_tready),
      .in_data  ({s_axis_r_tlast, s_axis_r_tdata}),
      .out_valid(in_valid),
      .out_ready(ce & (~busy | done)),
      .out_data ({in_last, in_beat})
  );

  // Ports of the beat
  for (genvar p = 0; p < PORTS; p++) begin : g_port
    localparam integer LOW = p < READS ? p * READ_W : READS * READ_W + (p - READS) * WRITE_W;
    if (p < READS) begin : g_read
      assign address[p] = beat[LOW+:ADDR_W];
      assign data[p] = '0;
      assign in_asks[p] = in_beat[LOW+ADDR_W];
      wire unused_ok = &{1'b0, beat[LOW+ADDR_W]};
    end else begin : g_write
      assign data[p] = beat[LOW+:DATA_W];
      assign address[p] = beat[LOW+DATA_W+:ADDR_W];
      assign in_asks[p] = in_beat[LOW+DATA_W+ADDR_W];
      wire unused_ok = &{1'b0, beat[LOW+DATA_W+ADDR_W]};
    end
    if (BANKS > 1) begin : g_many
      assign bank[p] = address[p][BANK_W-1:0];
    end else begin : g_only
      assign bank[p] = '0;
    end
  end

  // Banks: each serves the lowest port that waits for it
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    logic [PORTS-1:0] waiting;
    logic [ROW_W-1:0] row;
    logic [DATA_W-1:0] word;
    assign granted[b] = waiting & (~waiting + 1'b1);
    always_comb begin
      row  = '0;
      word = '0;
      for (int p = 0; p < PORTS; p++) begin
        waiting[p] = pending[p] & bank[p] == BANK_W'(b);
      end
      for (int p = 0; p < PORTS; p++) begin
        row  = row | (granted[b][p] ? address[p][ADDR_W-1-:ROW_W] : '0);
        word = word | (granted[b][p] ? data[p] : '0);
      end
    end
    tw_bank #(
        .WORDS (WORDS),
        .ADDR_W(ROW_W),
        .DATA_W(DATA_W)
    ) u_memory (
        .clk (clk),
        .en  (ce & busy & (waiting != '0)),
        .we  ((granted[b] >> READS) != '0),
        .addr(row),
        .d   (word),
        .q   (q[b])
    );
  end

  always_comb begin
    grant = '0;
    for (int b = 0; b < BANKS; b++) grant = grant | granted[b];
  end

  // Words of the beat whose accesses were granted at the edge before
  logic [READS-1:0] asked, fresh;
  logic collect, collect_last;
  logic [BANK_W-1:0] from[0:READS-1];
  logic [DATA_W-1:0] kept[0:READS-1];
  logic [READS-1:0] asks;

  for (genvar p = 0; p < READS; p++) begin : g_collect
    wire [DATA_W-1:0] word = fresh[p] ? q[from[p]] : kept[p];
    always_ff @(posedge clk) begin
      if (ce) begin
        from[p] <= bank[p];
        kept[p] <= word;
        m_axis_o_tdata[p*DATA_W+:DATA_W] <= asked[p] ? word : '0;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      busy            <= 1'b0;
      collect         <= 1'b0;
      m_axis_o_tvalid <= 1'b0;
    end else if (ce) begin
      busy            <= take | (busy & ~done);
      collect         <= done;
      m_axis_o_tvalid <= collect;
    end
    if (take) begin
      beat    <= in_beat;
      last    <= in_last;
      asks    <= in_asks[READS-1:0];
      pending <= in_asks;
    end else if (ce) begin
      pending <= pending & ~grant;
    end
    if (ce) begin
      fresh          <= grant[READS-1:0];
      asked          <= asks;
      collect_last   <= last;
      m_axis_o_tlast <= collect_last;
    end
  end

endmodule

`default_nettype wire
