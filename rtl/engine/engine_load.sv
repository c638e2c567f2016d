// Load DMA: read bursts of the AXI4 master, beats into the input, weight, coefficient or operand memory.
//
// A command issued in cycle t shows its first read address in cycle t + 1. Up to OUTSTANDING commands are under way; data
// come back in order. The bytes of a tile lie densely at the target from `target` on. The first `terms` bytes of a weight
// tile are the bias and scale of its output channels and go to the coefficient memory instead.
// Words: 2 address, 3 run bytes, 4..9 counts and pitches innermost first, 10 {memory, target}, 11 terms, 12 coefficients.
`default_nettype none

module engine_load #(
    parameter integer BEAT_BYTES  = 8,
    parameter integer BURST_BEATS = 16,
    parameter integer OUTSTANDING = 4,
    parameter integer WORDS       = 13
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    issue,
    input  wire [    32*WORDS-1:0] command,
    output wire                    room,         // fewer than OUTSTANDING commands under way
    output wire                    done,         // a command completes at the next edge
    output wire                    error,        // a beat with an error response
    output wire                    m_axi_arvalid,
    input  wire                    m_axi_arready,
    output wire [            31:0] m_axi_araddr,
    output wire [             7:0] m_axi_arlen,
    output wire                    m_axi_aruser,  // last burst of a command
    input  wire                    m_axi_rvalid,
    output wire                    m_axi_rready,
    input  wire [8*BEAT_BYTES-1:0] m_axi_rdata,
    input  wire [             1:0] m_axi_rresp,
    output logic [  BEAT_BYTES-1:0] input_mask,
    output logic [  BEAT_BYTES-1:0] weight_mask,
    output logic [  BEAT_BYTES-1:0] coefficient_mask,
    output logic [  BEAT_BYTES-1:0] operand_mask,
    output logic [            31:0] write_at,      // where byte 0 of the beat would go
    output logic [            31:0] coefficient_at,
    output logic [8*BEAT_BYTES-1:0] write_data
);

  localparam integer COUNT_W = $clog2(OUTSTANDING + 1);
  localparam integer BODY_W = 32 * (WORDS - 2);

  logic [COUNT_W-1:0] under_way;
  assign room = under_way != COUNT_W'(OUTSTANDING);

  // Addresses
  wire [BODY_W-1:0] body = command[32*WORDS-1:64];
  wire ar_queued, ar_active, ar_last;
  wire [255:0] ar_head;
  wire ar_step = m_axi_arvalid & m_axi_arready;
  wire ar_free = ~ar_active | (ar_step & ar_last);
  wire ar_load = ar_free & (ar_queued | issue);
  wire [255:0] ar_body = ar_queued ? ar_head : body[255:0];
  wire [8:0] ar_beats;
  wire unused_ar_burst_last;
  wire [31:0] unused_ar_bytes;

  engine_fifo #(
      .DATA_W(256),
      .DEPTH (OUTSTANDING)
  ) u_ar_queue (
      .clk  (clk),
      .rst  (rst),
      .push (issue & (ar_queued | ~ar_free)),
      .in   (body[255:0]),
      .pop  (ar_load & ar_queued),
      .valid(ar_queued),
      .out  (ar_head)
  );

  engine_dma_walk #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .PER_BEAT   (0)
  ) u_ar_walk (
      .clk       (clk),
      .rst       (rst),
      .load      (ar_load),
      .address   (ar_body[31:0]),
      .run_bytes (ar_body[63:32]),
      .count_0   (ar_body[95:64]),
      .pitch_0   (ar_body[127:96]),
      .count_1   (ar_body[159:128]),
      .pitch_1   (ar_body[191:160]),
      .count_2   (ar_body[223:192]),
      .pitch_2   (ar_body[255:224]),
      .step      (ar_step),
      .active    (ar_active),
      .last      (ar_last),
      .at        (m_axi_araddr),
      .beats     (ar_beats),
      .burst_last(unused_ar_burst_last),
      .first_byte(unused_ar_bytes[15:0]),
      .end_byte  (unused_ar_bytes[31:16])
  );

  assign m_axi_arvalid = ar_active;
  assign m_axi_arlen   = 8'(ar_beats - 9'd1);
  assign m_axi_aruser  = ar_last;

  // Data
  wire r_queued, r_active, r_last;
  wire [BODY_W-1:0] r_head;
  wire r_step = m_axi_rvalid & m_axi_rready;
  wire r_free = ~r_active | (r_step & r_last);
  wire r_load = r_free & (r_queued | issue);
  wire [BODY_W-1:0] r_body = r_queued ? r_head : body;
  wire [31:0] unused_r_at;
  wire [8:0] unused_r_beats;
  wire unused_r_burst_last;
  wire [15:0] first_byte, end_byte;

  assign m_axi_rready = 1'b1;
  assign done         = r_step & r_last;
  assign error        = r_step & m_axi_rresp[1];

  engine_fifo #(
      .DATA_W(BODY_W),
      .DEPTH (OUTSTANDING)
  ) u_r_queue (
      .clk  (clk),
      .rst  (rst),
      .push (issue & (r_queued | ~r_free)),
      .in   (body),
      .pop  (r_load & r_queued),
      .valid(r_queued),
      .out  (r_head)
  );

  engine_dma_walk #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .PER_BEAT   (1)
  ) u_r_walk (
      .clk       (clk),
      .rst       (rst),
      .load      (r_load),
      .address   (r_body[31:0]),
      .run_bytes (r_body[63:32]),
      .count_0   (r_body[95:64]),
      .pitch_0   (r_body[127:96]),
      .count_1   (r_body[159:128]),
      .pitch_1   (r_body[191:160]),
      .count_2   (r_body[223:192]),
      .pitch_2   (r_body[255:224]),
      .step      (r_step),
      .active    (r_active),
      .last      (r_last),
      .at        (unused_r_at),
      .beats     (unused_r_beats),
      .burst_last(unused_r_burst_last),
      .first_byte(first_byte),
      .end_byte  (end_byte)
  );

  // Where the tile stands: bytes that have come so far
  logic [31:0] target, terms, coefficients, come;
  logic [1:0] memory;
  wire [31:0] offset = come - 32'(first_byte);  // of byte 0 of the beat, in the tile
  wire unused_ok = &{1'b0, command[63:0], unused_ar_burst_last, unused_ar_bytes, unused_r_at, unused_r_beats,
                     unused_r_burst_last, m_axi_rresp[0], r_body[287:286]};

  wire [BEAT_BYTES-1:0] useful, is_term;
  generate
    for (genvar i = 0; i < BEAT_BYTES; i++) begin : g_byte
      assign useful[i]  = r_step & (16'(i) >= first_byte) & (16'(i) < end_byte);
      assign is_term[i] = $signed(offset + 32'(i)) < $signed(terms);
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (rst) begin
      under_way        <= '0;
      input_mask       <= '0;
      weight_mask      <= '0;
      coefficient_mask <= '0;
      operand_mask     <= '0;
    end else begin
      under_way        <= under_way + COUNT_W'(issue) - COUNT_W'(done);
      input_mask       <= memory == 2'd0 ? useful : '0;
      weight_mask      <= memory == 2'd1 ? useful & ~is_term : '0;
      coefficient_mask <= memory == 2'd1 ? useful & is_term : '0;
      operand_mask     <= memory == 2'd2 ? useful : '0;
    end
    if (r_load) begin
      memory       <= r_body[285:284];
      target       <= 32'(r_body[283:256]);
      terms        <= r_body[319:288];
      coefficients <= r_body[351:320];
      come         <= '0;
    end else if (r_step) come <= come + 32'(end_byte - first_byte);
    write_at       <= target + offset - terms;
    coefficient_at <= coefficients + offset;
    write_data     <= m_axi_rdata;
  end

endmodule

`default_nettype wire
