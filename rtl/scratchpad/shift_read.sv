// Shifted reads of a feature map in a scratchpad: a kernel tap is an address offset, border taps are not read.
//
// A map comes in on s_axis_m, one word per beat, to the addresses from 0 on; `tlast` ends it. Then each pass of s_axis_p
// streams one word per output position and channel: out_h rows of out_w positions of `channels` words. Position (i, j)
// reads the map at row i*stride + dy, column j*stride + dx; outside of the map it gives `zero` and reads nothing. A pass
// with `tlast` is the last on its map. Fields of a pass from the lowest bit: out_h - 1, out_w - 1, h, w, dy, dx, stride
// (COORD_W bits each; dy and dx signed), offset, column step, row step, channels - 1 (ADDR_W each), zero (DATA_W).
// Offset is the address of (dy, dx, first channel), the steps are those of one position and one row of positions; all
// modulo 2**ADDR_W. A result is {border, word}, `tlast` with the last of a pass.
//
// Latency: 4 cycles from the handshake of the map's last word to that of the first result; from then on one word per
// cycle without a gap between passes. Every `tready` and all outputs come from registers.
`default_nettype none

module shift_read #(
    parameter integer WORDS   = 64,
    parameter integer DATA_W  = 8,
    parameter integer ADDR_W  = 6,
    parameter integer COORD_W = 8    // bits of a coordinate, sign included
) (
    input  wire                                 clk,
    input  wire                                 rst,
    input  wire                                 s_axis_m_tvalid,
    output wire                                 s_axis_m_tready,
    input  wire  [                  DATA_W-1:0] s_axis_m_tdata,
    input  wire                                 s_axis_m_tlast,
    input  wire                                 s_axis_p_tvalid,
    output wire                                 s_axis_p_tready,
    input  wire  [7*COORD_W+4*ADDR_W+DATA_W-1:0] s_axis_p_tdata,
    input  wire                                 s_axis_p_tlast,
    output logic                                m_axis_o_tvalid,
    input  wire                                 m_axis_o_tready,
    output logic [                    DATA_W:0] m_axis_o_tdata,
    output logic                                m_axis_o_tlast
);

  localparam integer PASS_W = 7 * COORD_W + 4 * ADDR_W + DATA_W;

  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;
  wire map_valid, map_last, pass_valid, pass_last;
  wire [DATA_W-1:0] map_word;
  wire [PASS_W-1:0] pass;
  logic loading;  // a map comes in
  logic active;  // a pass is under way
  logic final_pass;  // it is the last on this map

  wire load = ce & loading & map_valid;
  wire pass_end;  // the pass reads its last word
  wire open = ~active | (pass_end & ~final_pass);  // the next pass may begin
  wire start = ce & ~loading & pass_valid & open;

  tw_skid #(
      .DATA_W(DATA_W + 1)
  ) u_skid_m (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_m_tvalid),
      .in_ready (s_axis_m_tready),
      .in_data  ({s_axis_m_tlast, s_axis_m_tdata}),
      .out_valid(map_valid),
      .out_ready(load),
      .out_data ({map_last, map_word})
  );

  tw_skid #(
      .DATA_W(PASS_W + 1)
  ) u_skid_p (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_p_tvalid),
      .in_ready (s_axis_p_tready),
      .in_data  ({s_axis_p_tlast, s_axis_p_tdata}),
      .out_valid(pass_valid),
      .out_ready(start),
      .out_data ({pass_last, pass})
  );

  // Fields of the pass that is offered
  wire [COORD_W-1:0] field[0:6];
  wire [ADDR_W-1:0] place[0:3];
  for (genvar i = 0; i < 7; i++) begin : g_field
    assign field[i] = pass[i*COORD_W+:COORD_W];
  end
  for (genvar i = 0; i < 4; i++) begin : g_place
    assign place[i] = pass[7*COORD_W+i*ADDR_W+:ADDR_W];
  end

  // Pass under way
  logic [COORD_W-1:0] out_w, h, w, dx, stride;  // out_w: less one
  logic [ADDR_W-1:0] column_step, row_step, channels;  // channels: less one
  logic [DATA_W-1:0] zero;
  logic [COORD_W-1:0] rows_left, columns_left, y, x;
  logic [ADDR_W-1:0] channels_left, row_at, column_at, at, load_at;

  wire channel_end = channels_left == '0;
  wire row_end = channel_end & columns_left == '0;
  assign pass_end = row_end & rows_left == '0;
  wire border = (y >= h) | (x >= w);  // h and w are positive as signed numbers: negative coordinates count as large
  wire [ADDR_W-1:0] next_row = row_at + row_step;
  wire [ADDR_W-1:0] next_column = column_at + column_step;

  always_ff @(posedge clk) begin
    if (rst) begin
      loading <= 1'b1;
      load_at <= '0;
      active  <= 1'b0;
    end else if (ce) begin
      if (load) begin
        load_at <= map_last ? '0 : load_at + 1'b1;
        loading <= ~map_last;
      end else if (active & pass_end & final_pass) begin
        loading <= 1'b1;
      end
      active <= start | (active & ~pass_end);
    end
    if (start) begin
      final_pass    <= pass_last;
      rows_left     <= field[0];
      out_w         <= field[1];
      columns_left  <= field[1];
      h             <= field[2];
      w             <= field[3];
      y             <= field[4];
      dx            <= field[5];
      x             <= field[5];
      stride        <= field[6];
      row_at        <= place[0];
      column_at     <= place[0];
      at            <= place[0];
      column_step   <= place[1];
      row_step      <= place[2];
      channels      <= place[3];
      channels_left <= place[3];
      zero          <= pass[PASS_W-1-:DATA_W];
    end else if (ce & active) begin
      channels_left <= channel_end ? channels : channels_left - 1'b1;
      at            <= row_end ? next_row : channel_end ? next_column : at + 1'b1;
      if (channel_end) begin
        columns_left <= row_end ? out_w : columns_left - 1'b1;
        column_at    <= row_end ? next_row : next_column;
        x            <= row_end ? dx : x + stride;
      end
      if (row_end) begin
        rows_left <= rows_left - 1'b1;
        row_at    <= next_row;
        y         <= y + stride;
      end
    end
  end

  // Memory, and the word beside which the border's stands
  wire [DATA_W-1:0] word;
  logic read_valid, read_border, read_last;
  logic [DATA_W-1:0] read_zero;

  tw_bank #(
      .WORDS (WORDS),
      .ADDR_W(ADDR_W),
      .DATA_W(DATA_W)
  ) u_memory (
      .clk (clk),
      .en  (load | (ce & active & ~border)),
      .we  (load),
      .addr(loading ? load_at : at),
      .d   (map_word),
      .q   (word)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      read_valid      <= 1'b0;
      m_axis_o_tvalid <= 1'b0;
    end else if (ce) begin
      read_valid      <= active;
      m_axis_o_tvalid <= read_valid;
    end
    if (ce) begin
      read_border    <= border;
      read_last      <= pass_end;
      read_zero      <= zero;
      m_axis_o_tdata <= {read_border, read_border ? read_zero : word};
      m_axis_o_tlast <= read_last;
    end
  end

endmodule

`default_nettype wire
