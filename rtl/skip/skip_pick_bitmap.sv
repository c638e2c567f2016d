// Weights of one PE in bitmap form: per block a mask, and a stream of the values that are not zero, in order.
//
// Each cycle the lowest place left in the mask is paired with the next value and goes out in the operand registers; a
// cycle without a pair puts zeros there. `tready` comes from a register. A block takes as many cycles as its mask has
// ones; `done` is high in the last of them, and while nothing is left.
`default_nettype none

module skip_pick_bitmap #(
    parameter integer BLOCK   = 16,
    parameter integer INPUT_W = 8,
    parameter integer VALUE_W = 8,  // bits of a weight
    parameter integer INDEX_W = 4   // bits of a place in the block
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      ce,
    input  wire                      s_axis_v_tvalid,
    output wire                      s_axis_v_tready,
    input  wire  [      VALUE_W-1:0] s_axis_v_tdata,
    input  wire                      load,
    input  wire  [        BLOCK-1:0] load_map,
    input  wire  [BLOCK*INPUT_W-1:0] bank,
    output wire                      done,
    output logic [      INPUT_W-1:0] op_a,
    output logic [      VALUE_W-1:0] op_w
);

  logic [BLOCK-1:0] left;
  logic [INDEX_W-1:0] index;
  wire [BLOCK-1:0] rest = left & (left - BLOCK'(1));
  wire value_valid;
  wire [VALUE_W-1:0] value;
  wire take = ce & value_valid & (|left);

  assign done = (rest == '0) & (value_valid | (left == '0));

  tw_skid #(
      .DATA_W(VALUE_W)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_v_tvalid),
      .in_ready (s_axis_v_tready),
      .in_data  (s_axis_v_tdata),
      .out_valid(value_valid),
      .out_ready(take),
      .out_data (value)
  );

  always_comb begin
    index = '0;
    for (int i = BLOCK - 1; i >= 0; i--) if (left[i]) index = INDEX_W'($unsigned(i));
  end

  always_ff @(posedge clk) begin
    if (rst) left <= '0;
    else if (load) left <= load_map;
    else if (take) left <= rest;
    if (ce) begin
      op_a <= take ? bank[index*INPUT_W+:INPUT_W] : '0;
      op_w <= take ? value : '0;
    end
  end

endmodule

`default_nettype wire
