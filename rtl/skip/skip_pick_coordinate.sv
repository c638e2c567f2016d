// Weights of one PE in coordinate form: a stream of words {end mark, place in the block, value}.
//
// Each cycle one word goes out in the operand registers as a pair of activation and value; a cycle without a word puts
// zeros there. `tready` comes from a register. A block takes as many cycles as it has words, at least one; `done` is
// high in the last of them and until the next block.
`default_nettype none

module skip_pick_coordinate #(
    parameter integer BLOCK   = 16,
    parameter integer INPUT_W = 8,
    parameter integer VALUE_W = 8,  // bits of a weight
    parameter integer INDEX_W = 4   // bits of a place in the block
) (
    input  wire                              clk,
    input  wire                              rst,
    input  wire                              ce,
    input  wire                              s_axis_v_tvalid,
    output wire                              s_axis_v_tready,
    input  wire  [1 + INDEX_W + VALUE_W-1:0] s_axis_v_tdata,
    input  wire                              load,
    input  wire  [        BLOCK*INPUT_W-1:0] bank,
    output wire                              done,
    output logic [              INPUT_W-1:0] op_a,
    output logic [              VALUE_W-1:0] op_w
);

  logic open;  // the end mark of the block has not come
  wire word_valid, mark;
  wire [INDEX_W-1:0] index;
  wire [VALUE_W-1:0] value;
  wire take = ce & word_valid & open;

  assign done = ~open | (word_valid & mark);

  tw_skid #(
      .DATA_W(1 + INDEX_W + VALUE_W)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_v_tvalid),
      .in_ready (s_axis_v_tready),
      .in_data  (s_axis_v_tdata),
      .out_valid(word_valid),
      .out_ready(take),
      .out_data ({mark, index, value})
  );

  always_ff @(posedge clk) begin
    if (rst) open <= 1'b0;
    else if (load) open <= 1'b1;
    else if (take & mark) open <= 1'b0;
    if (ce) begin
      op_a <= take ? bank[index*INPUT_W+:INPUT_W] : '0;
      op_w <= take ? value : '0;
    end
  end

endmodule

`default_nettype wire
