// A memory with an AXI4 port and one data bus: the DRAM channel of the event model, beat for beat. For simulation.
//
// LATENCY cycles pass from an address handshake to its first read beat, and from the last write beat to the response.
// Read and write beats share the bus, one beat a cycle. Who has the bus keeps it for a quantum: BURST_BEATS beats counted
// from the start of a request, or less where the request ends. A request is the bursts up to one with `user` set. After a
// quantum the bus goes to the other side if that has a beat to move; a free bus goes to the side that asks, and where both
// do to the one that did not have it last, reads first. With `disturb` it holds back at random: values stay, cycles do not.
// Answers of addresses from ERROR_FROM on carry SLVERR. `refill` reads the content from
// the file IMAGE, `save` writes it to the file DUMP.
//
// What a master must not do ends the simulation: a valid that falls or a payload that changes before ready, a burst that
// crosses 4 KiB, leaves the memory or is not an incrementing one of whole beats, WLAST at the wrong beat, unknown bits.
`default_nettype none

module axi_memory #(
    parameter integer BEAT_BYTES  = 8,
    parameter integer BURST_BEATS = 16,
    parameter integer LATENCY     = 40,          // cycles, 1 or more
    parameter integer BEATS       = 1024,        // capacity
    parameter integer QUEUE       = 256,         // bursts of each side under way, at most
    parameter         IMAGE       = "memory.hex",
    parameter         DUMP        = "memory.out"
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    disturb,
    input  wire                    refill,
    input  wire                    save,
    input  wire [            31:0] error_from,
    input  wire                    s_axi_arvalid,
    output wire                    s_axi_arready,
    input  wire [            31:0] s_axi_araddr,
    input  wire [             7:0] s_axi_arlen,
    input  wire [             2:0] s_axi_arsize,
    input  wire [             1:0] s_axi_arburst,
    input  wire [             2:0] s_axi_arprot,
    input  wire                    s_axi_aruser,
    output wire                    s_axi_rvalid,
    input  wire                    s_axi_rready,
    output wire [8*BEAT_BYTES-1:0] s_axi_rdata,
    output wire [             1:0] s_axi_rresp,
    output wire                    s_axi_rlast,
    input  wire                    s_axi_awvalid,
    output wire                    s_axi_awready,
    input  wire [            31:0] s_axi_awaddr,
    input  wire [             7:0] s_axi_awlen,
    input  wire [             2:0] s_axi_awsize,
    input  wire [             1:0] s_axi_awburst,
    input  wire [             2:0] s_axi_awprot,
    input  wire                    s_axi_awuser,
    input  wire                    s_axi_wvalid,
    output wire                    s_axi_wready,
    input  wire [8*BEAT_BYTES-1:0] s_axi_wdata,
    input  wire [  BEAT_BYTES-1:0] s_axi_wstrb,
    input  wire                    s_axi_wlast,
    output wire                    s_axi_bvalid,
    input  wire                    s_axi_bready,
    output wire [             1:0] s_axi_bresp
);

  localparam integer BEAT_W = $clog2(BEAT_BYTES);
  localparam integer WORD_W = $clog2(BEATS);

  initial begin
    if (LATENCY < 1) $fatal(1, "%m: LATENCY must be 1 or more");
    if (BEATS < 2) $fatal(1, "%m: BEATS must be 2 or more");
  end

  logic [8*BEAT_BYTES-1:0] content[0:BEATS-1];
  always @(posedge refill) $readmemh(IMAGE, content);
  always @(posedge save) $writememh(DUMP, content);

  logic [31:0] now;
  logic [31:0] noise;
  // Beside single cycles whole stretches of 32, so that commands queue up behind a channel that takes nothing.
  wire hold_address = disturb & (noise[1:0] == 2'b00 | now[6:5] == 2'b01);
  wire hold_bus = disturb & (noise[3:2] == 2'b00 | now[6:5] == 2'b11);
  wire hold_response = disturb & (noise[5:4] != 2'b00);

  // Addresses: queues of {eligible, user, length, address}
  wire r_valid, w_valid, b_valid;
  wire [72:0] r_head;
  wire [40:0] w_head;
  wire [33:0] b_head;
  wire r_pop, w_pop, b_pop;
  logic [15:0] r_held, w_held;

  assign s_axi_arready = (r_held != 16'(QUEUE)) & ~hold_address;
  assign s_axi_awready = (w_held != 16'(QUEUE)) & ~hold_address;
  wire ar = s_axi_arvalid & s_axi_arready;
  wire aw = s_axi_awvalid & s_axi_awready;

  engine_fifo #(
      .DATA_W(73),
      .DEPTH (QUEUE)
  ) u_reads (
      .clk  (clk),
      .rst  (rst),
      .push (ar),
      .in   ({now + 32'(LATENCY), s_axi_aruser, s_axi_arlen, s_axi_araddr}),
      .pop  (r_pop),
      .valid(r_valid),
      .out  (r_head)
  );

  engine_fifo #(
      .DATA_W(41),
      .DEPTH (QUEUE)
  ) u_writes (
      .clk  (clk),
      .rst  (rst),
      .push (aw),
      .in   ({s_axi_awuser, s_axi_awlen, s_axi_awaddr}),
      .pop  (w_pop),
      .valid(w_valid),
      .out  (w_head)
  );

  engine_fifo #(
      .DATA_W(34),
      .DEPTH (QUEUE)
  ) u_responses (
      .clk  (clk),
      .rst  (rst),
      .push (w_pop),
      .in   ({now + 32'(LATENCY), (w_head[31:0] >= error_from) ? 2'b10 : 2'b00}),
      .pop  (b_pop),
      .valid(b_valid),
      .out  (b_head)
  );

  // The bus
  logic kept, kept_write, last_write;
  logic [15:0] in_quantum;
  logic [7:0] r_beat, w_beat;
  wire r_asks = r_valid & (now >= r_head[72:41]);
  wire w_asks = w_valid & s_axi_wvalid;
  wire write = kept ? kept_write : (r_asks & w_asks) ? ~last_write : w_asks;
  wire r_turn = r_asks & ~write & (~hold_bus | kept);
  wire w_turn = w_asks & write & ~hold_bus;
  wire r_moves = r_turn & s_axi_rready;
  wire moves = r_moves | w_turn;
  wire r_last = r_beat == r_head[39:32];
  wire w_last = w_beat == w_head[39:32];
  wire ends = write ? w_last & w_head[40] : r_last & r_head[40];
  wire quantum_ends = ends | (in_quantum == 16'(BURST_BEATS - 1));

  assign r_pop        = r_moves & r_last;
  assign w_pop        = w_turn & w_last;
  assign s_axi_rvalid = r_turn;
  assign s_axi_rlast  = r_last;
  assign s_axi_rresp  = (r_head[31:0] >= error_from) ? 2'b10 : 2'b00;
  assign s_axi_wready = w_turn;

  wire [WORD_W-1:0] r_word = WORD_W'(r_head[31:BEAT_W]) + WORD_W'(r_beat);
  wire [WORD_W-1:0] w_word = WORD_W'(w_head[31:BEAT_W]) + WORD_W'(w_beat);
  assign s_axi_rdata  = content[r_word];

  assign s_axi_bvalid = b_valid & (now >= b_head[33:2]) & ~hold_response;
  assign s_axi_bresp  = b_head[1:0];
  assign b_pop        = s_axi_bvalid & s_axi_bready;

  always_ff @(posedge clk) begin
    if (rst) begin
      now        <= '0;
      noise      <= 32'h1234_5678;
      r_held     <= '0;
      w_held     <= '0;
      kept       <= 1'b0;
      last_write <= 1'b1;
      in_quantum <= '0;
      r_beat     <= '0;
      w_beat     <= '0;
    end else begin
      now    <= now + 32'd1;
      noise  <= {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};
      r_held <= r_held + 16'(ar) - 16'(r_pop);
      w_held <= w_held + 16'(aw) - 16'(b_pop);  // until answered, so that no response is lost
      if (moves) begin
        kept       <= ~quantum_ends;
        last_write <= write;
        in_quantum <= quantum_ends ? '0 : in_quantum + 16'd1;
      end else if (r_turn) kept <= 1'b1;
      if (r_moves) r_beat <= r_last ? '0 : r_beat + 8'd1;
      if (w_turn) w_beat <= w_last ? '0 : w_beat + 8'd1;
    end
    kept_write <= write;
    if (w_turn) begin
      for (integer i = 0; i < BEAT_BYTES; i = i + 1)
        if (s_axi_wstrb[i]) content[w_word][8*i+:8] <= s_axi_wdata[8*i+:8];
    end
  end

  // What the master may do
  logic ar_waits, aw_waits, w_waits;
  logic [48:0] ar_before, aw_before;
  logic [9*BEAT_BYTES:0] w_before;
  wire [48:0] ar_is = {s_axi_arprot, s_axi_aruser, s_axi_arburst, s_axi_arsize, s_axi_arlen, s_axi_araddr};
  wire [48:0] aw_is = {s_axi_awprot, s_axi_awuser, s_axi_awburst, s_axi_awsize, s_axi_awlen, s_axi_awaddr};
  wire [9*BEAT_BYTES:0] w_is = {s_axi_wlast, s_axi_wstrb, s_axi_wdata};
  // Bytes of the first beat that are not moved count: a burst is whole beats of the bus.
  wire [31:0] ar_end = {20'd0, s_axi_araddr[11:BEAT_W], {BEAT_W{1'b0}}} + ((32'(s_axi_arlen) + 32'd1) << BEAT_W);
  wire [31:0] aw_end = {20'd0, s_axi_awaddr[11:BEAT_W], {BEAT_W{1'b0}}} + ((32'(s_axi_awlen) + 32'd1) << BEAT_W);
  wire [32:0] ar_beyond = {1'b0, s_axi_araddr >> BEAT_W} + 33'(s_axi_arlen);
  wire [32:0] aw_beyond = {1'b0, s_axi_awaddr >> BEAT_W} + 33'(s_axi_awlen);
  wire [4:0] incrementing = {2'b01, 3'(BEAT_W)};

  always_ff @(posedge clk) begin
    ar_waits  <= ~rst & s_axi_arvalid & ~s_axi_arready;
    aw_waits  <= ~rst & s_axi_awvalid & ~s_axi_awready;
    w_waits   <= ~rst & s_axi_wvalid & ~s_axi_wready;
    ar_before <= ar_is;
    aw_before <= aw_is;
    w_before  <= w_is;
    if (~rst) begin
      if ((^{s_axi_arvalid, s_axi_awvalid, s_axi_wvalid, s_axi_rready, s_axi_bready}) === 1'bx)
        $fatal(1, "%m: a valid or ready of the master is unknown");
      if (s_axi_arvalid & ((^ar_is) === 1'bx)) $fatal(1, "%m: unknown bits in a read address");
      if (s_axi_awvalid & ((^aw_is) === 1'bx)) $fatal(1, "%m: unknown bits in a write address");
      if (s_axi_wvalid & ((^{s_axi_wlast, s_axi_wstrb}) === 1'bx)) $fatal(1, "%m: unknown bits beside write data");
      if (ar_waits & ~s_axi_arvalid) $fatal(1, "%m: ARVALID fell before ARREADY");
      if (aw_waits & ~s_axi_awvalid) $fatal(1, "%m: AWVALID fell before AWREADY");
      if (w_waits & ~s_axi_wvalid) $fatal(1, "%m: WVALID fell before WREADY");
      if (ar_waits & (ar_is !== ar_before)) $fatal(1, "%m: a read address changed before ARREADY");
      if (aw_waits & (aw_is !== aw_before)) $fatal(1, "%m: a write address changed before AWREADY");
      if (w_waits & (w_is !== w_before)) $fatal(1, "%m: write data changed before WREADY");
      if (s_axi_arvalid & (ar_is[44:40] != incrementing)) $fatal(1, "%m: a read burst does not increment by beats");
      if (s_axi_awvalid & (aw_is[44:40] != incrementing)) $fatal(1, "%m: a write burst does not increment by beats");
      if (s_axi_arvalid & (ar_end > 32'd4096)) $fatal(1, "%m: a read burst crosses 4 KiB");
      if (s_axi_awvalid & (aw_end > 32'd4096)) $fatal(1, "%m: a write burst crosses 4 KiB");
      if (s_axi_arvalid & (ar_beyond >= 33'(BEATS))) $fatal(1, "%m: a read burst leaves the memory");
      if (s_axi_awvalid & (aw_beyond >= 33'(BEATS))) $fatal(1, "%m: a write burst leaves the memory");
      if (w_turn & (s_axi_wlast != w_last)) $fatal(1, "%m: WLAST at the wrong beat");
    end
  end

endmodule

`default_nettype wire
