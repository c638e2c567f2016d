// N:M online reduction: LANES lists fed by one stream, one result beat per group.
//
// Beat i of a group carries value i of every lane. The result leaves M cycles after the handshake of the group's first
// values, at the edge at which those of the next group may go in: groups follow without a gap. Only the last beat of a
// group waits, while the result before it stands untaken. `s_axis_v_tready` comes from a register.
`default_nettype none

module topk_stream #(
    parameter integer LANES   = 4,
    parameter integer N       = 2,
    parameter integer M       = 4,
    parameter integer VALUE_W = 8,
    parameter integer INDEX_W = 2,  // bits of an index, at least ceil(log2 M) and 1
    parameter integer KIND    = 1   // of the values, see topk_magnitude
) (
    input  wire                                 clk,
    input  wire                                 rst,
    input  wire                                 s_axis_v_tvalid,
    output wire                                 s_axis_v_tready,
    input  wire [            LANES*VALUE_W-1:0] s_axis_v_tdata,
    input  wire                                 s_axis_v_tlast,   // looked at on the last beat of a group
    output wire                                 m_axis_o_tvalid,
    input  wire                                 m_axis_o_tready,
    output wire [LANES*N*(VALUE_W+INDEX_W)-1:0] m_axis_o_tdata,
    output wire                                 m_axis_o_tlast    // s_axis_v_tlast of the group
);

  localparam integer LIST_W = N * (VALUE_W + INDEX_W);

  wire in_valid, in_last;
  wire [LANES*VALUE_W-1:0] in_data;
  logic [INDEX_W-1:0] index;
  wire [LIST_W-1:0] list[0:LANES-1];
  logic done, last;
  logic [LANES*LIST_W-1:0] result;

  wire closing = index == INDEX_W'(M - 1);
  wire take = in_valid & ~(closing & done & ~m_axis_o_tready);

  assign m_axis_o_tvalid = done;
  assign m_axis_o_tdata  = result;
  assign m_axis_o_tlast  = last;

  tw_skid #(
      .DATA_W(LANES * VALUE_W + 1)
  ) u_skid (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_v_tvalid),
      .in_ready (s_axis_v_tready),
      .in_data  ({s_axis_v_tlast, s_axis_v_tdata}),
      .out_valid(in_valid),
      .out_ready(take),
      .out_data ({in_last, in_data})
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      index <= '0;
      done  <= 1'b0;
    end else begin
      if (take) index <= closing ? '0 : index + 1'b1;
      if (take & closing) done <= 1'b1;
      else if (m_axis_o_tready) done <= 1'b0;
    end
    if (take & closing) last <= in_last;
  end

  for (genvar i = 0; i < LANES; i++) begin : g_lane
    topk_lane #(
        .N      (N),
        .VALUE_W(VALUE_W),
        .INDEX_W(INDEX_W),
        .KIND   (KIND)
    ) u_lane (
        .clk      (clk),
        .ce       (take),
        .first    (index == '0),
        .value    (in_data[i*VALUE_W+:VALUE_W]),
        .index    (index),
        .next_list(list[i])
    );
    always_ff @(posedge clk) if (take & closing) result[i*LIST_W+:LIST_W] <= list[i];
  end

endmodule

`default_nettype wire
