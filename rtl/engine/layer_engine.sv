// Layer engine: runs a command list, network layers from DRAM to DRAM, without the help of a processor.
//
// Four in-order engines (load, array, vector, store) run their queues of commands; a command waits for completion counts.
// Tiles move between AXI4 and double-buffered scratchpads, an array adds products into the accumulator, the vector unit
// makes codes of the sums. Timing of every part: docs/layer_engine.md; the cycle counter is equal to the
// event model of the same command list as long as the memory takes an address a cycle.
`default_nettype none

module layer_engine #(
    parameter integer ROWS              = 4,
    parameter integer COLS              = 4,    // also the lanes of the vector unit
    parameter integer WEIGHT_STATIONARY = 1,    // which dataflows the commands may ask for
    parameter integer OUTPUT_STATIONARY = 0,
    parameter integer INPUT_STATIONARY  = 0,    // dense alone
    parameter integer INPUT_W           = 8,    // bits of an activation, the low ones of its byte
    parameter integer INPUT_SIGNED      = 1,
    parameter integer WEIGHT_W          = 8,
    parameter integer WEIGHT_SIGNED     = 1,
    parameter integer ACC_W             = 32,
    parameter integer KEPT              = 1,    // N:M sparse: N, weights of a PE
    parameter integer GROUP             = 1,    // N:M sparse: M, input channels of a PE
    parameter integer SLOT_INDEX_W      = 0,    // N:M sparse: bits of an index; 0: dense
    parameter integer INPUT_BYTES       = 1024,  // both halves; powers of two
    parameter integer WEIGHT_BYTES      = 1024,
    parameter integer OPERAND_BYTES     = 512,
    parameter integer OUTPUT_BYTES      = 512,
    parameter integer COEFFICIENT_BYTES = 1024,
    parameter integer ACC_DEPTH         = 64,   // vectors of one half
    parameter integer VECTOR_LATENCY    = 8,
    parameter integer POOL_DEPTH        = 64,
    parameter integer BEAT_BYTES        = 8,
    parameter integer BURST_BEATS       = 16,
    parameter integer OUTSTANDING       = 4,    // commands of each DMA under way
    parameter integer ISSUE_CYCLES      = 1,
    parameter integer RESPONSES         = 256,  // write bursts under way; more than the memory's latency
    parameter integer COMMANDS          = 64    // of each engine
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    s_axil_awvalid,
    output wire                    s_axil_awready,
    input  wire [            18:0] s_axil_awaddr,
    input  wire                    s_axil_wvalid,
    output wire                    s_axil_wready,
    input  wire [            31:0] s_axil_wdata,
    input  wire [             3:0] s_axil_wstrb,
    output wire                    s_axil_bvalid,
    input  wire                    s_axil_bready,
    output wire [             1:0] s_axil_bresp,
    input  wire                    s_axil_arvalid,
    output wire                    s_axil_arready,
    input  wire [            18:0] s_axil_araddr,
    output wire                    s_axil_rvalid,
    input  wire                    s_axil_rready,
    output wire [            31:0] s_axil_rdata,
    output wire [             1:0] s_axil_rresp,
    output wire                    m_axi_arvalid,
    input  wire                    m_axi_arready,
    output wire [            31:0] m_axi_araddr,
    output wire [             7:0] m_axi_arlen,
    output wire [             2:0] m_axi_arsize,
    output wire [             1:0] m_axi_arburst,
    output wire [             2:0] m_axi_arprot,
    output wire                    m_axi_aruser,   // last burst of a command
    input  wire                    m_axi_rvalid,
    output wire                    m_axi_rready,
    input  wire [8*BEAT_BYTES-1:0] m_axi_rdata,
    input  wire [             1:0] m_axi_rresp,
    input  wire                    m_axi_rlast,
    output wire                    m_axi_awvalid,
    input  wire                    m_axi_awready,
    output wire [            31:0] m_axi_awaddr,
    output wire [             7:0] m_axi_awlen,
    output wire [             2:0] m_axi_awsize,
    output wire [             1:0] m_axi_awburst,
    output wire [             2:0] m_axi_awprot,
    output wire                    m_axi_awuser,   // last burst of a command
    output wire                    m_axi_wvalid,
    input  wire                    m_axi_wready,
    output wire [8*BEAT_BYTES-1:0] m_axi_wdata,
    output wire [  BEAT_BYTES-1:0] m_axi_wstrb,
    output wire                    m_axi_wlast,
    input  wire                    m_axi_bvalid,
    output wire                    m_axi_bready,
    input  wire [             1:0] m_axi_bresp,
    output wire                    done            // the run is over
);

  localparam integer LOAD_WORDS = 13;
  localparam integer ARRAY_WORDS = INPUT_STATIONARY != 0 ? 30 : 28;
  localparam integer VECTOR_WORDS = 20;
  localparam integer STORE_WORDS = 11;
  localparam integer INDEX_W = $clog2(COMMANDS);
  localparam integer ACC_ADDR_W = $clog2(ACC_DEPTH) + 1;
  localparam integer TURN_W = COLS > 1 ? $clog2(COLS) : 1;

  // A dense weight is a byte, N:M weights are words of values and indices, which start at any bit.
  localparam integer STORED_W = SLOT_INDEX_W == 0 ? 8 : KEPT * (WEIGHT_W + SLOT_INDEX_W);
  localparam integer COLS_WEIGHT = (COLS * STORED_W + (STORED_W % 8 == 0 ? 0 : 14)) / 8;
  localparam integer OTHERS = WEIGHT_STATIONARY + OUTPUT_STATIONARY;
  localparam integer ROWS_WEIGHT = INPUT_STATIONARY != 0 && (OTHERS == 0 || ROWS > COLS_WEIGHT) ? ROWS : 0;
  localparam integer WEIGHT_ROW = ROWS_WEIGHT != 0 ? ROWS_WEIGHT : COLS_WEIGHT;
  localparam integer PLACES = ROWS * GROUP;

  // Memories of activations: one whose rows read side by side, or a copy of the tile per row, column
  localparam integer COPIES = OUTPUT_STATIONARY != 0 || INPUT_STATIONARY != 0 ? 1 : 0;
  localparam integer PORTS = INPUT_STATIONARY != 0 && (OTHERS == 0 || COLS > ROWS) ? COLS : ROWS;
  localparam integer INPUT_ROW = COPIES != 0 ? GROUP : PLACES;
  localparam integer WIDER_IN = BEAT_BYTES > INPUT_ROW ? BEAT_BYTES : INPUT_ROW;
  localparam integer WIDER_WEIGHT = BEAT_BYTES > WEIGHT_ROW ? BEAT_BYTES : WEIGHT_ROW;
  localparam integer WIDER_OUT = BEAT_BYTES > COLS ? BEAT_BYTES : COLS;
  localparam integer WIDER_TERMS = BEAT_BYTES > 8 * COLS ? BEAT_BYTES : 8 * COLS;
  localparam integer INPUT_BANKS = 1 << $clog2(WIDER_IN);
  localparam integer WEIGHT_BANKS = 1 << $clog2(WIDER_WEIGHT);
  localparam integer OUTPUT_BANKS = 1 << $clog2(WIDER_OUT);
  localparam integer COEFFICIENT_BANKS = 1 << $clog2(WIDER_TERMS);

  localparam integer INPUT_AW = $clog2(INPUT_BYTES);
  localparam integer WEIGHT_AW = $clog2(WEIGHT_BYTES);
  localparam integer OPERAND_AW = $clog2(OPERAND_BYTES);
  localparam integer OUTPUT_AW = $clog2(OUTPUT_BYTES);
  localparam integer COEFFICIENT_AW = $clog2(COEFFICIENT_BYTES);

  initial if (COMMANDS > 512) $fatal(1, "%m: COMMANDS must be 512 or less");

  // Control
  wire [3:0] command_en;
  wire [INDEX_W-1:0] command_number;
  wire [4:0] command_word;
  wire [31:0] command_data;
  wire running;
  wire [63:0] unused_cycles;
  wire [15:0] count_load, count_array, count_vector, count_store;
  logic [15:0] done_load, done_array, done_vector, done_store;
  wire load_done, array_done, vector_done, store_done, read_error, write_error;
  wire finished = (done_load == count_load) & (done_array == count_array) & (done_vector == count_vector) &
                  (done_store == count_store);

  engine_control #(
      .IDENTITY    ((COLS << 16) | (ROWS << 8) | BEAT_BYTES),
      .INDEX_W     (INDEX_W),
      .LOAD_WORDS  (LOAD_WORDS),
      .ARRAY_WORDS (ARRAY_WORDS),
      .VECTOR_WORDS(VECTOR_WORDS),
      .STORE_WORDS (STORE_WORDS)
  ) u_control (
      .clk           (clk),
      .rst           (rst),
      .s_axil_awvalid(s_axil_awvalid),
      .s_axil_awready(s_axil_awready),
      .s_axil_awaddr (s_axil_awaddr),
      .s_axil_wvalid (s_axil_wvalid),
      .s_axil_wready (s_axil_wready),
      .s_axil_wdata  (s_axil_wdata),
      .s_axil_wstrb  (s_axil_wstrb),
      .s_axil_bvalid (s_axil_bvalid),
      .s_axil_bready (s_axil_bready),
      .s_axil_bresp  (s_axil_bresp),
      .s_axil_arvalid(s_axil_arvalid),
      .s_axil_arready(s_axil_arready),
      .s_axil_araddr (s_axil_araddr),
      .s_axil_rvalid (s_axil_rvalid),
      .s_axil_rready (s_axil_rready),
      .s_axil_rdata  (s_axil_rdata),
      .s_axil_rresp  (s_axil_rresp),
      .command_en    (command_en),
      .command_number(command_number),
      .command_word  (command_word),
      .command_data  (command_data),
      .running       (running),
      .done          (done),
      .cycles        (unused_cycles),
      .count_load    (count_load),
      .count_array   (count_array),
      .count_vector  (count_vector),
      .count_store   (count_store),
      .finished      (finished),
      .read_error    (read_error),
      .write_error   (write_error)
  );

  always_ff @(posedge clk) begin
    if (rst | ~running) begin
      done_load   <= '0;
      done_array  <= '0;
      done_vector <= '0;
      done_store  <= '0;
    end else begin
      done_load   <= done_load + 16'(load_done);
      done_array  <= done_array + 16'(array_done);
      done_vector <= done_vector + 16'(vector_done);
      done_store  <= done_store + 16'(store_done);
    end
  end

  // Queues
  wire load_ready, array_ready, vector_ready, store_ready;
  wire load_issue, array_issue, vector_issue, store_issue;
  wire [32*LOAD_WORDS-1:0] load_command;
  wire [32*ARRAY_WORDS-1:0] array_command;
  wire [32*VECTOR_WORDS-1:0] vector_command;
  wire [32*STORE_WORDS-1:0] store_command;

  engine_queue #(
      .WORDS       (LOAD_WORDS),
      .DEPTH       (COMMANDS),
      .ISSUE_CYCLES(ISSUE_CYCLES)
  ) u_load_queue (
      .clk        (clk),
      .rst        (rst),
      .running    (running),
      .wr_en      (command_en[0]),
      .wr_command (command_number),
      .wr_word    (command_word),
      .wr_data    (command_data),
      .count      (count_load),
      .done_load  (done_load),
      .done_array (done_array),
      .done_vector(done_vector),
      .done_store (done_store),
      .ready      (load_ready),
      .issue      (load_issue),
      .command    (load_command)
  );

  engine_queue #(
      .WORDS       (ARRAY_WORDS),
      .DEPTH       (COMMANDS),
      .ISSUE_CYCLES(ISSUE_CYCLES)
  ) u_array_queue (
      .clk        (clk),
      .rst        (rst),
      .running    (running),
      .wr_en      (command_en[1]),
      .wr_command (command_number),
      .wr_word    (command_word),
      .wr_data    (command_data),
      .count      (count_array),
      .done_load  (done_load),
      .done_array (done_array),
      .done_vector(done_vector),
      .done_store (done_store),
      .ready      (array_ready),
      .issue      (array_issue),
      .command    (array_command)
  );

  engine_queue #(
      .WORDS       (VECTOR_WORDS),
      .DEPTH       (COMMANDS),
      .ISSUE_CYCLES(ISSUE_CYCLES)
  ) u_vector_queue (
      .clk        (clk),
      .rst        (rst),
      .running    (running),
      .wr_en      (command_en[2]),
      .wr_command (command_number),
      .wr_word    (command_word),
      .wr_data    (command_data),
      .count      (count_vector),
      .done_load  (done_load),
      .done_array (done_array),
      .done_vector(done_vector),
      .done_store (done_store),
      .ready      (vector_ready),
      .issue      (vector_issue),
      .command    (vector_command)
  );

  engine_queue #(
      .WORDS       (STORE_WORDS),
      .DEPTH       (COMMANDS),
      .ISSUE_CYCLES(ISSUE_CYCLES)
  ) u_store_queue (
      .clk        (clk),
      .rst        (rst),
      .running    (running),
      .wr_en      (command_en[3]),
      .wr_command (command_number),
      .wr_word    (command_word),
      .wr_data    (command_data),
      .count      (count_store),
      .done_load  (done_load),
      .done_array (done_array),
      .done_vector(done_vector),
      .done_store (done_store),
      .ready      (store_ready),
      .issue      (store_issue),
      .command    (store_command)
  );

  // Load
  wire [BEAT_BYTES-1:0] input_mask, weight_mask, coefficient_mask, operand_mask;
  wire [31:0] load_at, coefficient_load_at;
  wire [8*BEAT_BYTES-1:0] load_data;

  engine_load #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .OUTSTANDING(OUTSTANDING),
      .WORDS      (LOAD_WORDS)
  ) u_load (
      .clk             (clk),
      .rst             (rst),
      .issue           (load_issue),
      .command         (load_command),
      .room            (load_ready),
      .done            (load_done),
      .error           (read_error),
      .m_axi_arvalid   (m_axi_arvalid),
      .m_axi_arready   (m_axi_arready),
      .m_axi_araddr    (m_axi_araddr),
      .m_axi_arlen     (m_axi_arlen),
      .m_axi_aruser    (m_axi_aruser),
      .m_axi_rvalid    (m_axi_rvalid),
      .m_axi_rready    (m_axi_rready),
      .m_axi_rdata     (m_axi_rdata),
      .m_axi_rresp     (m_axi_rresp),
      .input_mask      (input_mask),
      .weight_mask     (weight_mask),
      .coefficient_mask(coefficient_mask),
      .operand_mask    (operand_mask),
      .write_at        (load_at),
      .coefficient_at  (coefficient_load_at),
      .write_data      (load_data)
  );

  assign m_axi_arsize  = 3'($clog2(BEAT_BYTES));
  assign m_axi_arburst = 2'b01;
  assign m_axi_arprot  = 3'b000;  // data, secure, unprivileged

  // Scratchpads
  wire weight_en, sums_en, store_en;
  wire [PORTS-1:0] input_en;
  wire [32*PORTS-1:0] input_at;
  wire [31:0] weight_at, operand_at, coefficient_at, store_at, out_at;
  wire [8*PORTS*GROUP-1:0] input_data;
  wire [8*WEIGHT_ROW-1:0] weight_data;
  wire [8*COLS-1:0] operand_data, out_data;
  wire [64*COLS-1:0] coefficient_data;
  wire [8*BEAT_BYTES-1:0] store_data;
  wire [COLS-1:0] out_mask;

  // A memory whose rows read side by side, or one copy of the tile per row of an output-stationary array and per column of
  // an input-stationary one. The former reads in the cycle of issue, when the last beat that it waited for is just being
  // written
  generate
    if (COPIES == 0) begin : g_input
      engine_scratchpad #(
          .BANKS   (INPUT_BANKS),
          .DEPTH   (INPUT_BYTES / INPUT_BANKS),
          .WR_BYTES(BEAT_BYTES),
          .RD_BYTES(PLACES)
      ) u_input (
          .clk    (clk),
          .wr_mask(input_mask),
          .wr_addr(load_at[INPUT_AW-1:0]),
          .wr_data(load_data),
          .rd_en  (input_en[0]),
          .rd_addr(input_at[INPUT_AW-1:0]),
          .rd_data(input_data)
      );
    end else begin : g_inputs
      for (genvar r = 0; r < PORTS; r++) begin : g_port
        engine_scratchpad #(
            .BANKS   (INPUT_BANKS),
            .DEPTH   (INPUT_BYTES / INPUT_BANKS),
            .WR_BYTES(BEAT_BYTES),
            .RD_BYTES(GROUP),
            .THROUGH (OUTPUT_STATIONARY)
        ) u_input (
            .clk    (clk),
            .wr_mask(input_mask),
            .wr_addr(load_at[INPUT_AW-1:0]),
            .wr_data(load_data),
            .rd_en  (input_en[r]),
            .rd_addr(input_at[32*r+:INPUT_AW]),
            .rd_data(input_data[8*GROUP*r+:8*GROUP])
        );
      end
    end
  endgenerate

  engine_scratchpad #(
      .BANKS   (WEIGHT_BANKS),
      .DEPTH   (WEIGHT_BYTES / WEIGHT_BANKS),
      .WR_BYTES(BEAT_BYTES),
      .RD_BYTES(WEIGHT_ROW),
      .THROUGH (OUTPUT_STATIONARY)
  ) u_weight (
      .clk    (clk),
      .wr_mask(weight_mask),
      .wr_addr(load_at[WEIGHT_AW-1:0]),
      .wr_data(load_data),
      .rd_en  (weight_en),
      .rd_addr(weight_at[WEIGHT_AW-1:0]),
      .rd_data(weight_data)
  );

  engine_scratchpad #(
      .BANKS   (COEFFICIENT_BANKS),
      .DEPTH   (COEFFICIENT_BYTES / COEFFICIENT_BANKS),
      .WR_BYTES(BEAT_BYTES),
      .RD_BYTES(8 * COLS)
  ) u_coefficient (
      .clk    (clk),
      .wr_mask(coefficient_mask),
      .wr_addr(coefficient_load_at[COEFFICIENT_AW-1:0]),
      .wr_data(load_data),
      .rd_en  (sums_en),
      .rd_addr(coefficient_at[COEFFICIENT_AW-1:0]),
      .rd_data(coefficient_data)
  );

  engine_scratchpad #(
      .BANKS   (OUTPUT_BANKS),
      .DEPTH   (OPERAND_BYTES / OUTPUT_BANKS),
      .WR_BYTES(BEAT_BYTES),
      .RD_BYTES(COLS)
  ) u_operand (
      .clk    (clk),
      .wr_mask(operand_mask),
      .wr_addr(load_at[OPERAND_AW-1:0]),
      .wr_data(load_data),
      .rd_en  (sums_en),
      .rd_addr(operand_at[OPERAND_AW-1:0]),
      .rd_data(operand_data)
  );

  engine_scratchpad #(
      .BANKS   (OUTPUT_BANKS),
      .DEPTH   (OUTPUT_BYTES / OUTPUT_BANKS),
      .WR_BYTES(COLS),
      .RD_BYTES(BEAT_BYTES)
  ) u_output (
      .clk    (clk),
      .wr_mask(out_mask),
      .wr_addr(out_at[OUTPUT_AW-1:0]),
      .wr_data(out_data),
      .rd_en  (store_en),
      .rd_addr(store_at[OUTPUT_AW-1:0]),
      .rd_data(store_data)
  );

  // Arrays
  wire sums_valid, sums_first, sums_job_last;
  wire [ACC_ADDR_W-1:0] array_sums_at, vector_sums_at;
  wire [COLS-1:0] lane_mask;
  wire [COLS*ACC_ADDR_W-1:0] lane_at;
  wire [TURN_W-1:0] lane_turn;
  wire [COLS*ACC_W-1:0] array_sums, vector_sums;

  engine_arrays #(
      .ROWS             (ROWS),
      .COLS             (COLS),
      .WEIGHT_STATIONARY(WEIGHT_STATIONARY),
      .OUTPUT_STATIONARY(OUTPUT_STATIONARY),
      .INPUT_STATIONARY (INPUT_STATIONARY),
      .PORTS            (PORTS),
      .TURN_W           (TURN_W),
      .INPUT_W          (INPUT_W),
      .INPUT_SIGNED     (INPUT_SIGNED),
      .WEIGHT_W         (WEIGHT_W),
      .WEIGHT_SIGNED    (WEIGHT_SIGNED),
      .ACC_W            (ACC_W),
      .ACC_ADDR_W       (ACC_ADDR_W),
      .WORDS            (ARRAY_WORDS),
      .KEPT             (KEPT),
      .GROUP            (GROUP),
      .INDEX_W          (SLOT_INDEX_W),
      .STORED_W         (STORED_W),
      .WEIGHT_BYTES     (WEIGHT_ROW)
  ) u_arrays (
      .clk          (clk),
      .rst          (rst),
      .running      (running),
      .issue        (array_issue),
      .done         (array_done),
      .command      (array_command),
      .ready        (array_ready),
      .weight_en    (weight_en),
      .weight_at    (weight_at),
      .weight_data  (weight_data),
      .input_en     (input_en),
      .input_at     (input_at),
      .input_data   (input_data),
      .sums_valid   (sums_valid),
      .sums_first   (sums_first),
      .sums_job_last(sums_job_last),
      .sums_at      (array_sums_at),
      .lane_mask    (lane_mask),
      .lane_at      (lane_at),
      .lane_turn    (lane_turn),
      .sums         (array_sums)
  );

  generate
    if (INPUT_STATIONARY == 0) begin : g_alike
      engine_accumulator #(
          .COLS (COLS),
          .ACC_W(ACC_W),
          .DEPTH(ACC_DEPTH)
      ) u_accumulator (
          .clk        (clk),
          .rst        (rst),
          .in_valid   (sums_valid),
          .in_first   (sums_first),
          .in_job_last(sums_job_last),
          .in_addr    (array_sums_at),
          .in_sums    (array_sums),
          .done       (array_done),
          .rd_en      (sums_en),
          .rd_addr    (vector_sums_at),
          .rd_sums    (vector_sums)
      );
    end else begin : g_turned
      wire [TURN_W-1:0] vector_turn;

      engine_turn #(
          .COLS  (COLS),
          .TURN_W(TURN_W),
          .WORDS (VECTOR_WORDS)
      ) u_turn (
          .clk    (clk),
          .issue  (vector_issue),
          .command(vector_command),
          .step   (sums_en),
          .turn   (vector_turn)
      );

      engine_accumulator_is #(
          .COLS  (COLS),
          .ACC_W (ACC_W),
          .DEPTH (ACC_DEPTH),
          .TURN_W(TURN_W)
      ) u_accumulator (
          .clk        (clk),
          .rst        (rst),
          .in_valid   (sums_valid),
          .in_first   (sums_first),
          .in_job_last(sums_job_last),
          .in_mask    (lane_mask),
          .in_addr    (lane_at),
          .in_turn    (lane_turn),
          .in_sums    (array_sums),
          .done       (array_done),
          .rd_en      (sums_en),
          .rd_addr    (vector_sums_at),
          .rd_turn    (vector_turn),
          .rd_sums    (vector_sums)
      );
    end
  endgenerate

  // Vector unit
  engine_vector #(
      .LANES     (COLS),
      .ACC_W     (ACC_W),
      .ACC_ADDR_W(ACC_ADDR_W),
      .LATENCY   (VECTOR_LATENCY),
      .POOL_DEPTH(POOL_DEPTH),
      .WORDS     (VECTOR_WORDS)
  ) u_vector (
      .clk           (clk),
      .rst           (rst),
      .issue         (vector_issue),
      .command       (vector_command),
      .ready         (vector_ready),
      .done          (vector_done),
      .sums_en       (sums_en),
      .sums_at       (vector_sums_at),
      .sums          (vector_sums),
      .coefficient_at(coefficient_at),
      .coefficients  (coefficient_data),
      .operand_at    (operand_at),
      .operands      (operand_data),
      .out_mask      (out_mask),
      .out_at        (out_at),
      .out_data      (out_data)
  );

  // Store
  engine_store #(
      .BEAT_BYTES (BEAT_BYTES),
      .BURST_BEATS(BURST_BEATS),
      .OUTSTANDING(OUTSTANDING),
      .RESPONSES  (RESPONSES),
      .WORDS      (STORE_WORDS)
  ) u_store (
      .clk          (clk),
      .rst          (rst),
      .issue        (store_issue),
      .command      (store_command),
      .room         (store_ready),
      .done         (store_done),
      .error        (write_error),
      .m_axi_awvalid(m_axi_awvalid),
      .m_axi_awready(m_axi_awready),
      .m_axi_awaddr (m_axi_awaddr),
      .m_axi_awlen  (m_axi_awlen),
      .m_axi_awuser (m_axi_awuser),
      .m_axi_wvalid (m_axi_wvalid),
      .m_axi_wready (m_axi_wready),
      .m_axi_wdata  (m_axi_wdata),
      .m_axi_wstrb  (m_axi_wstrb),
      .m_axi_wlast  (m_axi_wlast),
      .m_axi_bvalid (m_axi_bvalid),
      .m_axi_bready (m_axi_bready),
      .m_axi_bresp  (m_axi_bresp),
      .rd_en        (store_en),
      .rd_at        (store_at),
      .rd_data      (store_data)
  );

  assign m_axi_awsize  = 3'($clog2(BEAT_BYTES));
  assign m_axi_awburst = 2'b01;
  assign m_axi_awprot  = 3'b000;  // data, secure, unprivileged

  wire unused_ok = &{1'b0, m_axi_rlast, load_at, coefficient_load_at, input_en, input_at, weight_at, operand_at, coefficient_at,
                     store_at, out_at, unused_cycles, array_sums_at, lane_mask, lane_at, lane_turn};

endmodule

`default_nettype wire
