// Pace of a zero-skipping row: holds one block of activations until every PE is done with it.
//
// A block stands in the bank after the edge of its handshake, and leaves in the cycle in which `all_done` is high; the
// next one takes its place at the same edge. Both `tready` come from registers. `step`/`step_last` follow the operands
// of the PEs; they end in `done`, one edge after the product registers. While finished sums wait, `ce` is low and
// everything stands.
`default_nettype none

module skip_control #(
    parameter integer BANK_W = 64,  // bits of a block of activations
    parameter integer MAP_W  = 16   // bits of the bitmaps that come with a block; 1 and constantly offered if none do
) (
    input  wire               clk,
    input  wire               rst,
    output wire               ce,
    input  wire               s_axis_a_tvalid,
    output wire               s_axis_a_tready,
    input  wire  [BANK_W-1:0] s_axis_a_tdata,
    input  wire               s_axis_a_tlast,   // last block of a reduction
    input  wire               s_axis_m_tvalid,
    output wire               s_axis_m_tready,
    input  wire  [ MAP_W-1:0] s_axis_m_tdata,
    output wire               load,             // PEs start on a new block at the coming edge
    output wire  [ MAP_W-1:0] load_map,
    output logic              busy,             // a block is in the bank
    output logic [BANK_W-1:0] bank,
    input  wire               all_done,         // this is the last cycle of the block
    output logic              product_valid,    // of the product registers
    output logic              product_first,
    output logic              done,             // sums are complete and wait
    input  wire               m_axis_o_tready
);

  wire a_valid, a_last, m_valid;
  wire [BANK_W-1:0] a_data;
  logic bank_last, operand_valid, operand_last, product_last;

  assign ce = ~done | m_axis_o_tready;
  assign load = ce & a_valid & m_valid & (~busy | all_done);

  tw_skid #(
      .DATA_W(BANK_W + 1)
  ) u_skid_a (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_a_tvalid),
      .in_ready (s_axis_a_tready),
      .in_data  ({s_axis_a_tlast, s_axis_a_tdata}),
      .out_valid(a_valid),
      .out_ready(load),
      .out_data ({a_last, a_data})
  );

  tw_skid #(
      .DATA_W(MAP_W)
  ) u_skid_m (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_m_tvalid),
      .in_ready (s_axis_m_tready),
      .in_data  (s_axis_m_tdata),
      .out_valid(m_valid),
      .out_ready(load),
      .out_data (load_map)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      busy          <= 1'b0;
      operand_valid <= 1'b0;
      product_valid <= 1'b0;
      product_first <= 1'b1;
      done          <= 1'b0;
    end else if (ce) begin
      busy          <= load | (busy & ~all_done);
      operand_valid <= busy;
      product_valid <= operand_valid;
      done          <= product_valid & product_last;
      if (product_valid) product_first <= product_last;
    end
    if (load) begin
      bank      <= a_data;
      bank_last <= a_last;
    end
    if (ce) begin
      operand_last <= all_done & bank_last;
      product_last <= operand_last;
    end
  end

endmodule

`default_nettype wire
