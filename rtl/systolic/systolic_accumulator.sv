// Adds the row folds of a job and hands out the finished vectors.
//
// Two stages: read the partial sums of the row folds before, then add and either write back or put out. A vector that
// follows one enabled cycle behind on the same address (one-row arrays, one-vector folds) takes the sum from the stage
// ahead, which the memory does not hold yet.
`default_nettype none

module systolic_accumulator #(
    parameter integer COLS  = 4,
    parameter integer ACC_W = 32,
    parameter integer DEPTH = 64  // vectors
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  ce,
    input  wire                  in_valid,
    input  wire                  in_beat_first,  // first vector of a fold
    input  wire                  in_row_first,   // first row fold: nothing to add to
    input  wire                  in_row_last,    // last row fold: finished
    input  wire                  in_job_last,    // last vector of the job
    input  wire [COLS*ACC_W-1:0] in_sums,
    output logic                 out_valid,
    output logic                 out_last,
    output wire [COLS*ACC_W-1:0] out_sums
);

  localparam integer ADDR_W = DEPTH > 1 ? $clog2(DEPTH) : 1;

  logic add_valid, add_row_first, add_row_last, add_job_last, forward;
  logic [ADDR_W-1:0] next_addr, add_addr;
  logic [COLS*ACC_W-1:0] incoming;

  wire [ADDR_W-1:0] addr = in_beat_first ? '0 : next_addr;
  wire write = ce & add_valid & ~add_row_last;

  always_ff @(posedge clk) begin
    if (rst) begin
      add_valid <= 1'b0;
      out_valid <= 1'b0;
    end else if (ce) begin
      add_valid <= in_valid;
      out_valid <= add_valid & add_row_last;
    end
    if (ce) begin
      if (in_valid) next_addr <= addr + 1'b1;
      add_row_first <= in_row_first;
      add_row_last  <= in_row_last;
      add_job_last  <= in_job_last;
      add_addr      <= addr;
      incoming      <= in_sums;
      forward       <= write & (add_addr == addr);
      out_last      <= add_job_last;
    end
  end

  generate
    for (genvar c = 0; c < COLS; c++) begin : g_lane
      logic [ACC_W-1:0] memory[0:DEPTH-1];
      logic [ACC_W-1:0] stored, ahead, result;

      wire [ACC_W-1:0] partial = forward ? ahead : stored;
      wire [ACC_W-1:0] sum = incoming[c*ACC_W+:ACC_W] + (add_row_first ? '0 : partial);

      always_ff @(posedge clk) begin
        if (write) memory[add_addr] <= sum;
        if (ce) begin
          stored <= memory[addr];
          ahead  <= sum;
          result <= sum;
        end
      end

      assign out_sums[c*ACC_W+:ACC_W] = result;
    end
  endgenerate

endmodule

`default_nettype wire
