// The arrays of a layer engine: weight-, output-, input-stationary, or several for commands that say which.
//
// Bits 1 and 2 of word 20 of a command choose, where there are several, output- and input-stationary, and a change of
// dataflow waits until the array is empty. Every row (of an input-stationary array column) has an address for its
// activations; where there is a weight-stationary array alone the one of row 0 stands for all, which then lie side by
// side. Sums come one cycle after their address: `sums_at` of all lanes alike, and lane by lane for engine_accumulator_is.
`default_nettype none

module engine_arrays #(
    parameter integer ROWS              = 4,
    parameter integer COLS              = 4,
    parameter integer WEIGHT_STATIONARY = 1,
    parameter integer OUTPUT_STATIONARY = 0,
    parameter integer INPUT_STATIONARY  = 0,
    parameter integer PORTS             = 4,   // memories of activations: rows, or as many as columns if these are more
    parameter integer TURN_W            = 2,
    parameter integer INPUT_W           = 8,   // bits of an activation, the low ones of its byte
    parameter integer INPUT_SIGNED      = 1,
    parameter integer WEIGHT_W          = 8,
    parameter integer WEIGHT_SIGNED     = 1,
    parameter integer ACC_W             = 32,
    parameter integer ACC_ADDR_W        = 8,   // {half, vector}
    parameter integer WORDS             = 28,
    parameter integer KEPT              = 1,   // N:M sparse, see engine_array
    parameter integer GROUP             = 1,
    parameter integer INDEX_W           = 0,
    parameter integer STORED_W          = 8,   // bits of a stored weight word
    parameter integer WEIGHT_BYTES      = 4    // that hold COLS words from any bit on, or a byte per row
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      running,
    input  wire                      issue,
    input  wire                      done,         // a job completes at the next edge
    input  wire [      32*WORDS-1:0] command,
    output wire                      ready,
    output wire                      weight_en,
    output wire [              31:0] weight_at,
    input  wire [8*WEIGHT_BYTES-1:0] weight_data,
    output wire [         PORTS-1:0] input_en,
    output wire [      32*PORTS-1:0] input_at,
    input  wire [ 8*PORTS*GROUP-1:0] input_data,
    output wire                      sums_valid,
    output wire                      sums_first,
    output wire                      sums_job_last,
    output wire [    ACC_ADDR_W-1:0] sums_at,
    output wire [          COLS-1:0] lane_mask,
    output wire [COLS*ACC_ADDR_W-1:0] lane_at,
    output wire [        TURN_W-1:0] lane_turn,
    output wire [    COLS*ACC_W-1:0] sums
);

  localparam integer ROW_WORDS = 28;  // of a command that an array other than the input-stationary one runs
  localparam integer OTHERS = WEIGHT_STATIONARY + OUTPUT_STATIONARY;

  initial begin
    if (OTHERS + INPUT_STATIONARY == 0) $fatal(1, "%m: one dataflow must be there");
    if (INPUT_STATIONARY != 0 && INDEX_W != 0) $fatal(1, "%m: an input-stationary array is dense");
  end

  wire for_is = INPUT_STATIONARY != 0 && (OTHERS == 0 || command[32*20+2]);
  wire for_os = OUTPUT_STATIONARY != 0 && ~for_is && (WEIGHT_STATIONARY == 0 || command[32*20+1]);
  wire for_ws = ~for_is & ~for_os;

  wire ws_ready, ws_weight_en, ws_input_en, ws_valid, ws_first, ws_job_last;
  wire [31:0] ws_weight_at, ws_input_at;
  wire [ACC_ADDR_W-1:0] ws_sums_at;
  wire [COLS*ACC_W-1:0] ws_sums;
  wire os_ready, os_weight_en, os_valid, os_first, os_job_last;
  wire [31:0] os_weight_at;
  wire [ROWS-1:0] os_input_en;
  wire [32*ROWS-1:0] os_input_at;
  wire [ACC_ADDR_W-1:0] os_sums_at;
  wire [COLS*ACC_W-1:0] os_sums;
  wire is_ready, is_weight_en, is_valid, is_first, is_job_last;
  wire [31:0] is_weight_at;
  wire [PORTS-1:0] is_input_en;
  wire [32*PORTS-1:0] is_input_at;
  wire [COLS-1:0] is_mask;
  wire [COLS*ACC_ADDR_W-1:0] is_sums_at;
  wire [TURN_W-1:0] is_turn;
  wire [COLS*ACC_W-1:0] is_sums;

  generate
    if (WEIGHT_STATIONARY != 0) begin : g_ws
      engine_array #(
          .ROWS         (ROWS),
          .COLS         (COLS),
          .INPUT_W      (INPUT_W),
          .INPUT_SIGNED (INPUT_SIGNED),
          .WEIGHT_W     (WEIGHT_W),
          .WEIGHT_SIGNED(WEIGHT_SIGNED),
          .ACC_W        (ACC_W),
          .ACC_ADDR_W   (ACC_ADDR_W),
          .WORDS        (ROW_WORDS),
          .KEPT         (KEPT),
          .GROUP        (GROUP),
          .INDEX_W      (INDEX_W),
          .STORED_W     (STORED_W),
          .WEIGHT_BYTES (WEIGHT_BYTES)
      ) u_array (
          .clk          (clk),
          .rst          (rst),
          .issue        (issue & for_ws),
          .command      (command[32*ROW_WORDS-1:0]),
          .ready        (ws_ready),
          .weight_en    (ws_weight_en),
          .weight_at    (ws_weight_at),
          .weight_data  (weight_data),
          .input_en     (ws_input_en),
          .input_at     (ws_input_at),
          .input_data   (input_data[8*ROWS*GROUP-1:0]),
          .sums_valid   (ws_valid),
          .sums_first   (ws_first),
          .sums_job_last(ws_job_last),
          .sums_at      (ws_sums_at),
          .sums         (ws_sums)
      );
    end else begin : g_no_ws
      assign ws_ready     = 1'b0;
      assign ws_weight_en = 1'b0;
      assign ws_weight_at = '0;
      assign ws_input_en  = 1'b0;
      assign ws_input_at  = '0;
      assign ws_valid     = 1'b0;
      assign ws_first     = 1'b0;
      assign ws_job_last  = 1'b0;
      assign ws_sums_at   = '0;
      assign ws_sums      = '0;
    end
    if (OUTPUT_STATIONARY != 0) begin : g_os
      engine_array_os #(
          .ROWS         (ROWS),
          .COLS         (COLS),
          .INPUT_W      (INPUT_W),
          .INPUT_SIGNED (INPUT_SIGNED),
          .WEIGHT_W     (WEIGHT_W),
          .WEIGHT_SIGNED(WEIGHT_SIGNED),
          .ACC_W        (ACC_W),
          .ACC_ADDR_W   (ACC_ADDR_W),
          .WORDS        (ROW_WORDS),
          .KEPT         (KEPT),
          .GROUP        (GROUP),
          .INDEX_W      (INDEX_W),
          .STORED_W     (STORED_W),
          .WEIGHT_BYTES (WEIGHT_BYTES)
      ) u_array (
          .clk          (clk),
          .rst          (rst),
          .issue        (issue & for_os),
          .command      (command[32*ROW_WORDS-1:0]),
          .ready        (os_ready),
          .weight_en    (os_weight_en),
          .weight_at    (os_weight_at),
          .weight_data  (weight_data),
          .input_en     (os_input_en),
          .input_at     (os_input_at),
          .input_data   (input_data[8*ROWS*GROUP-1:0]),
          .sums_valid   (os_valid),
          .sums_first   (os_first),
          .sums_job_last(os_job_last),
          .sums_at      (os_sums_at),
          .sums         (os_sums)
      );
    end else begin : g_no_os
      assign os_ready     = 1'b0;
      assign os_weight_en = 1'b0;
      assign os_weight_at = '0;
      assign os_input_en  = '0;
      assign os_input_at  = '0;
      assign os_valid     = 1'b0;
      assign os_first     = 1'b0;
      assign os_job_last  = 1'b0;
      assign os_sums_at   = '0;
      assign os_sums      = '0;
    end
    if (INPUT_STATIONARY != 0) begin : g_is
      engine_array_is #(
          .ROWS         (ROWS),
          .COLS         (COLS),
          .INPUT_W      (INPUT_W),
          .INPUT_SIGNED (INPUT_SIGNED),
          .WEIGHT_W     (WEIGHT_W),
          .WEIGHT_SIGNED(WEIGHT_SIGNED),
          .ACC_W        (ACC_W),
          .ACC_ADDR_W   (ACC_ADDR_W),
          .TURN_W       (TURN_W),
          .WORDS        (WORDS)
      ) u_array (
          .clk          (clk),
          .rst          (rst),
          .issue        (issue & for_is),
          .command      (command),
          .ready        (is_ready),
          .weight_en    (is_weight_en),
          .weight_at    (is_weight_at),
          .weight_data  (weight_data[8*ROWS-1:0]),
          .input_en     (is_input_en[COLS-1:0]),
          .input_at     (is_input_at[32*COLS-1:0]),
          .input_data   (input_data[8*COLS-1:0]),
          .sums_valid   (is_valid),
          .sums_first   (is_first),
          .sums_job_last(is_job_last),
          .sums_mask    (is_mask),
          .sums_at      (is_sums_at),
          .sums_turn    (is_turn),
          .sums         (is_sums)
      );
      for (genvar p = COLS; p < PORTS; p++) begin : g_no_column
        assign is_input_en[p]         = 1'b0;
        assign is_input_at[32*p+:32] = '0;
      end
    end else begin : g_no_is
      assign is_ready     = 1'b0;
      assign is_weight_en = 1'b0;
      assign is_weight_at = '0;
      assign is_input_en  = '0;
      assign is_input_at  = '0;
      assign is_valid     = 1'b0;
      assign is_first     = 1'b0;
      assign is_job_last  = 1'b0;
      assign is_mask      = '0;
      assign is_sums_at   = '0;
      assign is_turn      = '0;
      assign is_sums      = '0;
    end
    for (genvar p = 0; p < PORTS; p++) begin : g_port
      if (p < ROWS) begin : g_row
        assign input_en[p]        = ws_input_en | os_input_en[p] | is_input_en[p];
        assign input_at[32*p+:32] = is_input_en[p] ? is_input_at[32*p+:32] : ws_input_en ? ws_input_at + 32'(p * GROUP) :
                                    os_input_at[32*p+:32];
      end else begin : g_column
        assign input_en[p]        = is_input_en[p];
        assign input_at[32*p+:32] = is_input_at[32*p+:32];
      end
    end
    for (genvar c = 0; c < COLS; c++) begin : g_lane
      assign lane_at[c*ACC_ADDR_W+:ACC_ADDR_W] = is_valid ? is_sums_at[c*ACC_ADDR_W+:ACC_ADDR_W] : sums_at;
    end
  endgenerate

  assign weight_en     = ws_weight_en | os_weight_en | is_weight_en;
  assign weight_at     = is_weight_en ? is_weight_at : os_weight_en ? os_weight_at : ws_weight_at;
  assign sums_valid    = ws_valid | os_valid | is_valid;
  assign sums_first    = is_valid ? is_first : os_valid ? os_first : ws_first;
  assign sums_job_last = is_valid ? is_job_last : os_valid ? os_job_last : ws_job_last;
  assign sums_at       = os_valid ? os_sums_at : ws_sums_at;
  assign lane_mask     = is_valid ? is_mask : '1;
  assign lane_turn     = is_valid ? is_turn : '0;

  // A change of dataflow
  logic any;
  logic [1:0] last_flow;
  logic [15:0] under_way;
  wire [1:0] flow = {for_is, for_os};
  wire free = for_is ? is_ready : for_os ? os_ready : ws_ready;
  assign ready = any & (flow != last_flow) ? under_way == '0 : free;

  always_ff @(posedge clk) begin
    if (rst | ~running) begin
      any       <= 1'b0;
      under_way <= '0;
    end else begin
      if (issue) any <= 1'b1;
      under_way <= under_way + 16'(issue) - 16'(done);
    end
    if (issue) last_flow <= flow;
  end

  // Weight- and input-stationary sums come with their address, output-stationary ones a cycle later
  logic [COLS*ACC_W-1:0] late;
  logic os_late;
  always_ff @(posedge clk) begin
    late    <= is_valid ? is_sums : ws_sums;
    os_late <= os_valid;
  end
  assign sums = os_late ? os_sums : late;

  wire unused_ok = &{1'b0, command, weight_data, input_data, os_input_en, os_input_at, for_ws, 32'(KEPT), 32'(STORED_W),
                     32'(ROW_WORDS)};

endmodule

`default_nettype wire
