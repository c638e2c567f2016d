// The arrays of a layer engine: weight-stationary, output-stationary, or both for commands that say which.
//
// With both, bit 1 of word 20 of a command chooses, and a change of dataflow waits until the array is empty. Every row
// has an address for its activations; without an output-stationary array the one of row 0 stands for all, which then
// lie side by side. Sums come one cycle after their address.
`default_nettype none

module engine_arrays #(
    parameter integer ROWS              = 4,
    parameter integer COLS              = 4,
    parameter integer WEIGHT_STATIONARY = 1,
    parameter integer OUTPUT_STATIONARY = 0,
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
    parameter integer WEIGHT_BYTES      = 4    // that hold COLS words from any bit on
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
    output wire [          ROWS-1:0] input_en,
    output wire [       32*ROWS-1:0] input_at,
    input  wire [  8*ROWS*GROUP-1:0] input_data,
    output wire                      sums_valid,
    output wire                      sums_first,
    output wire                      sums_job_last,
    output wire [    ACC_ADDR_W-1:0] sums_at,
    output wire [    COLS*ACC_W-1:0] sums
);

  initial begin
    if (WEIGHT_STATIONARY == 0 && OUTPUT_STATIONARY == 0) $fatal(1, "%m: one dataflow must be there");
  end

  wire for_os = WEIGHT_STATIONARY == 0 || (OUTPUT_STATIONARY != 0 && command[32*20+1]);

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
          .WORDS        (WORDS),
          .KEPT         (KEPT),
          .GROUP        (GROUP),
          .INDEX_W      (INDEX_W),
          .STORED_W     (STORED_W),
          .WEIGHT_BYTES (WEIGHT_BYTES)
      ) u_array (
          .clk          (clk),
          .rst          (rst),
          .issue        (issue & ~for_os),
          .command      (command),
          .ready        (ws_ready),
          .weight_en    (ws_weight_en),
          .weight_at    (ws_weight_at),
          .weight_data  (weight_data),
          .input_en     (ws_input_en),
          .input_at     (ws_input_at),
          .input_data   (input_data),
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
          .WORDS        (WORDS),
          .KEPT         (KEPT),
          .GROUP        (GROUP),
          .INDEX_W      (INDEX_W),
          .STORED_W     (STORED_W),
          .WEIGHT_BYTES (WEIGHT_BYTES)
      ) u_array (
          .clk          (clk),
          .rst          (rst),
          .issue        (issue & for_os),
          .command      (command),
          .ready        (os_ready),
          .weight_en    (os_weight_en),
          .weight_at    (os_weight_at),
          .weight_data  (weight_data),
          .input_en     (os_input_en),
          .input_at     (os_input_at),
          .input_data   (input_data),
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
    for (genvar r = 0; r < ROWS; r++) begin : g_row
      assign input_en[r]          = ws_input_en | os_input_en[r];
      assign input_at[32*r+:32] = ws_input_en ? ws_input_at + 32'(r * GROUP) : os_input_at[32*r+:32];
    end
  endgenerate

  assign weight_en     = ws_weight_en | os_weight_en;
  assign weight_at     = os_weight_en ? os_weight_at : ws_weight_at;
  assign sums_valid    = ws_valid | os_valid;
  assign sums_first    = os_valid ? os_first : ws_first;
  assign sums_job_last = os_valid ? os_job_last : ws_job_last;
  assign sums_at       = os_valid ? os_sums_at : ws_sums_at;

  // A change of dataflow
  logic any, last_os;
  logic [15:0] under_way;
  assign ready = any & (for_os != last_os) ? under_way == '0 : for_os ? os_ready : ws_ready;

  always_ff @(posedge clk) begin
    if (rst | ~running) begin
      any       <= 1'b0;
      under_way <= '0;
    end else begin
      if (issue) any <= 1'b1;
      under_way <= under_way + 16'(issue) - 16'(done);
    end
    if (issue) last_os <= for_os;
  end

  // Weight-stationary sums come with their address, output-stationary ones a cycle later
  logic [COLS*ACC_W-1:0] ws_late;
  logic os_late;
  always_ff @(posedge clk) begin
    ws_late <= ws_sums;
    os_late <= os_valid;
  end
  assign sums = os_late ? os_sums : ws_late;

  wire unused_ok = &{1'b0, command, weight_data, input_data, os_input_en};

endmodule

`default_nettype wire
