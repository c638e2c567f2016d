// Store DMA: a tile of the output memory as write bursts of the AXI4 master.
//
// A command issued in cycle t shows its first write address in cycle t + 1 and its first data in cycle t + 2, where the
// memory takes them; data of consecutive commands follow without a gap. Complete with the response of its last burst.
// Words: 2 address, 3 run bytes, 4..9 counts and pitches innermost first, 10 source.
`default_nettype none

module engine_store #(
    parameter integer BEAT_BYTES  = 8,
    parameter integer BURST_BEATS = 16,
    parameter integer OUTSTANDING = 4,
    parameter integer RESPONSES   = 256,  // bursts under way, at most
    parameter integer WORDS       = 11
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    issue,
    input  wire [    32*WORDS-1:0] command,
    output wire                    room,
    output wire                    done,
    output wire                    error,
    output wire                    m_axi_awvalid,
    input  wire                    m_axi_awready,
    output wire [            31:0] m_axi_awaddr,
    output wire [             7:0] m_axi_awlen,
    output wire                    m_axi_awuser,  // last burst of a command
    output logic                   m_axi_wvalid,
    input  wire                    m_axi_wready,
    output wire [8*BEAT_BYTES-1:0] m_axi_wdata,
    output logic [  BEAT_BYTES-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    input  wire                    m_axi_bvalid,
    output wire                    m_axi_bready,
    input  wire [             1:0] m_axi_bresp,
    output wire                    rd_en,
    output wire [            31:0] rd_at,
    input  wire [8*BEAT_BYTES-1:0] rd_data
);

  localparam integer COUNT_W = $clog2(OUTSTANDING + 1);
  localparam integer BODY_W = 32 * (WORDS - 2);

  logic [COUNT_W-1:0] under_way;
  assign room = under_way != COUNT_W'(OUTSTANDING);

  // Addresses
  wire [BODY_W-1:0] body = command[32*WORDS-1:64];
  wire aw_queued, aw_active, aw_last;
  wire [255:0] aw_head;
  wire aw_step = m_axi_awvalid & m_axi_awready;
  wire aw_free = ~aw_active | (aw_step & aw_last);
  wire aw_load = aw_free & (aw_queued | issue);
  wire [255:0] aw_body = aw_queued ? aw_head : body[255:0];
  wire [8:0] aw_beats;
  wire unused_aw_burst_last;
  wire [31:0] unused_aw_bytes;

  engine_fifo #(
      .DATA_W(256),
      .DEPTH (OUTSTANDING)
  ) u_aw_queue (
      .clk  (clk),
      .rst  (rst),
      .push (issue & (aw_queued | ~aw_free)),
      .in   (body[255:0]),
      .pop  (aw_load & aw_queued),
      .valid(aw_queued),
      .out  (aw_head)
  );

  engine_dma_walk #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .PER_BEAT   (0)
  ) u_aw_walk (
      .clk       (clk),
      .rst       (rst),
      .load      (aw_load),
      .address   (aw_body[31:0]),
      .run_bytes (aw_body[63:32]),
      .count_0   (aw_body[95:64]),
      .pitch_0   (aw_body[127:96]),
      .count_1   (aw_body[159:128]),
      .pitch_1   (aw_body[191:160]),
      .count_2   (aw_body[223:192]),
      .pitch_2   (aw_body[255:224]),
      .step      (aw_step),
      .active    (aw_active),
      .last      (aw_last),
      .at        (m_axi_awaddr),
      .beats     (aw_beats),
      .burst_last(unused_aw_burst_last),
      .first_byte(unused_aw_bytes[15:0]),
      .end_byte  (unused_aw_bytes[31:16])
  );

  // Which burst ends a command: one flag per burst, read by its response
  wire response_known, response_ends;
  wire may_address;
  assign m_axi_awvalid = aw_active & may_address;
  assign m_axi_awlen   = 8'(aw_beats - 9'd1);
  assign m_axi_awuser  = aw_last;

  logic [$clog2(RESPONSES+1)-1:0] responses;
  assign may_address = responses != ($clog2(RESPONSES + 1))'(RESPONSES);

  engine_fifo #(
      .DATA_W(1),
      .DEPTH (RESPONSES)
  ) u_responses (
      .clk  (clk),
      .rst  (rst),
      .push (aw_step),
      .in   (aw_last),
      .pop  (m_axi_bvalid & m_axi_bready),
      .valid(response_known),
      .out  (response_ends)
  );

  assign m_axi_bready = response_known;
  assign done         = m_axi_bvalid & m_axi_bready & response_ends;
  assign error        = m_axi_bvalid & m_axi_bready & m_axi_bresp[1];

  // Data: one stage behind the walk, which is the read of the memory
  wire w_queued, w_active, w_last, w_burst_last;
  wire [BODY_W-1:0] w_head;
  wire w_step = w_active & (~m_axi_wvalid | m_axi_wready);
  wire w_free = ~w_active | (w_step & w_last);
  wire w_load = w_free & (w_queued | issue);
  wire [BODY_W-1:0] w_body = w_queued ? w_head : body;
  wire [31:0] unused_w_at;
  wire [8:0] unused_w_beats;
  wire [15:0] first_byte, end_byte;
  logic [31:0] source, gone;
  wire [BEAT_BYTES-1:0] useful;

  assign rd_en       = w_step;
  assign rd_at       = source + gone - 32'(first_byte);
  assign m_axi_wdata = rd_data;

  engine_fifo #(
      .DATA_W(BODY_W),
      .DEPTH (OUTSTANDING)
  ) u_w_queue (
      .clk  (clk),
      .rst  (rst),
      .push (issue & (w_queued | ~w_free)),
      .in   (body),
      .pop  (w_load & w_queued),
      .valid(w_queued),
      .out  (w_head)
  );

  engine_dma_walk #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .PER_BEAT   (1)
  ) u_w_walk (
      .clk       (clk),
      .rst       (rst),
      .load      (w_load),
      .address   (w_body[31:0]),
      .run_bytes (w_body[63:32]),
      .count_0   (w_body[95:64]),
      .pitch_0   (w_body[127:96]),
      .count_1   (w_body[159:128]),
      .pitch_1   (w_body[191:160]),
      .count_2   (w_body[223:192]),
      .pitch_2   (w_body[255:224]),
      .step      (w_step),
      .active    (w_active),
      .last      (w_last),
      .at        (unused_w_at),
      .beats     (unused_w_beats),
      .burst_last(w_burst_last),
      .first_byte(first_byte),
      .end_byte  (end_byte)
  );

  generate
    for (genvar i = 0; i < BEAT_BYTES; i++) begin : g_byte
      assign useful[i] = (16'(i) >= first_byte) & (16'(i) < end_byte);
    end
  endgenerate

  wire unused_ok = &{1'b0, command[63:0], unused_aw_burst_last, unused_aw_bytes, unused_w_at, unused_w_beats,
                     m_axi_bresp[0]};

  always_ff @(posedge clk) begin
    if (rst) begin
      under_way    <= '0;
      responses    <= '0;
      m_axi_wvalid <= 1'b0;
    end else begin
      under_way <= under_way + COUNT_W'(issue) - COUNT_W'(done);
      responses <= responses + ($clog2(RESPONSES + 1))'(aw_step) -
                   ($clog2(RESPONSES + 1))'(m_axi_bvalid & m_axi_bready);
      if (~m_axi_wvalid | m_axi_wready) m_axi_wvalid <= w_active;
    end
    if (w_step) begin
      m_axi_wstrb <= useful;
      m_axi_wlast <= w_burst_last;
    end
    if (w_load) begin
      source <= w_body[287:256];
      gone   <= '0;
    end else if (w_step) gone <= gone + 32'(end_byte - first_byte);
  end

endmodule

`default_nettype wire
