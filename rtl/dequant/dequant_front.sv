// Operand side of a dequantise-on-read unit: words of codes, and at the first word of each group its scale and zero.
//
// Both `tready` come from registers. A word is taken when it is there, its group's parameters are there, and the
// pipeline moves (`ce`); it stands in the operand register after the edge of its handshake. A group's parameters are
// taken together with its first word and stay until the next group's.
`default_nettype none

module dequant_front #(
    parameter integer WORD_W      = 32,  // bits of a word of codes
    parameter integer PARAM_W     = 12,  // bits of scale and zero
    parameter integer GROUP_WORDS = 16   // words of a group
) (
    input  wire                clk,
    input  wire                rst,
    input  wire                ce,
    input  wire                s_axis_c_tvalid,
    output wire                s_axis_c_tready,
    input  wire  [ WORD_W-1:0] s_axis_c_tdata,
    input  wire                s_axis_c_tlast,   // last word of a row; rows are whole groups
    input  wire                s_axis_g_tvalid,
    output wire                s_axis_g_tready,
    input  wire  [PARAM_W-1:0] s_axis_g_tdata,
    output logic               op_valid,
    output logic               op_last,
    output logic [ WORD_W-1:0] op_word,
    output logic [PARAM_W-1:0] op_param
);

  localparam integer COUNT_W = GROUP_WORDS > 1 ? $clog2(GROUP_WORDS) : 1;

  logic [COUNT_W-1:0] count;  // words of the group that have been taken
  wire word_valid, word_last, param_valid;
  wire [WORD_W-1:0] word;
  wire [PARAM_W-1:0] param;
  wire first = count == '0;
  wire take = ce & word_valid & (param_valid | ~first);

  tw_skid #(
      .DATA_W(WORD_W + 1)
  ) u_skid_c (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_c_tvalid),
      .in_ready (s_axis_c_tready),
      .in_data  ({s_axis_c_tlast, s_axis_c_tdata}),
      .out_valid(word_valid),
      .out_ready(take),
      .out_data ({word_last, word})
  );

  tw_skid #(
      .DATA_W(PARAM_W)
  ) u_skid_g (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_g_tvalid),
      .in_ready (s_axis_g_tready),
      .in_data  (s_axis_g_tdata),
      .out_valid(param_valid),
      .out_ready(take & first),
      .out_data (param)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      op_valid <= 1'b0;
      count    <= '0;
    end else begin
      if (ce) op_valid <= take;
      if (take) count <= count == COUNT_W'(GROUP_WORDS - 1) ? '0 : count + COUNT_W'(1);
    end
    if (take) begin
      op_last <= word_last;
      op_word <= word;
      if (first) op_param <= param;
    end
  end

endmodule

`default_nettype wire
