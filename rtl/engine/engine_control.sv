// AXI4-Lite control: start, status, cycles, error, command counts, command memory.
//
//   0x00  write bit 0: start (while idle). read: {error, done, busy}
//   0x04  cycles from the start handshake to the last completion, low half; 0x08 high half
//   0x0c  error: bit 0 a read beat, bit 1 a write response answered with an error; cleared by start
//   0x10  commands of this run, at most the room for them: load; 0x14 array; 0x18 vector; 0x1c store
//   0x20  identity: {columns, rows, bytes of a beat}, 16, 8 and 8 bits
//   from 0x40000: command memory, {engine 0 to 3, command, word, 2 bits 0}: 2 + 9 + 5 + 2 bits; written while idle
// A write is taken with address and data together. Anything else answers SLVERR and changes nothing: other addresses, ones
// between words, some bytes of a word, words and commands that there is no room for. The start handshake is the edge that
// takes the write of bit 0: cycle 0 of the run.
`default_nettype none

module engine_control #(
    parameter integer IDENTITY     = 0,
    parameter integer INDEX_W      = 6,   // bits of a command number, at most 9
    parameter integer LOAD_WORDS   = 13,  // words of a command, at most 32
    parameter integer ARRAY_WORDS  = 28,
    parameter integer VECTOR_WORDS = 20,
    parameter integer STORE_WORDS  = 11
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               s_axil_awvalid,
    output logic              s_axil_awready,
    input  wire [       18:0] s_axil_awaddr,
    input  wire               s_axil_wvalid,
    output wire               s_axil_wready,
    input  wire [       31:0] s_axil_wdata,
    input  wire [        3:0] s_axil_wstrb,
    output logic              s_axil_bvalid,
    input  wire               s_axil_bready,
    output logic [       1:0] s_axil_bresp,
    input  wire               s_axil_arvalid,
    output logic              s_axil_arready,
    input  wire [       18:0] s_axil_araddr,
    output logic              s_axil_rvalid,
    input  wire               s_axil_rready,
    output logic [      31:0] s_axil_rdata,
    output logic [       1:0] s_axil_rresp,
    output wire [        3:0] command_en,      // per engine
    output wire [INDEX_W-1:0] command_number,
    output wire [        4:0] command_word,
    output wire [       31:0] command_data,
    output logic              running,
    output logic              done,
    output logic [      63:0] cycles,
    output logic [      15:0] count_load,
    output logic [      15:0] count_array,
    output logic [      15:0] count_vector,
    output logic [      15:0] count_store,
    input  wire               finished,        // every command of the run has completed
    input  wire               read_error,
    input  wire               write_error
);

  localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;
  localparam logic [23:0] WORDS = {6'(STORE_WORDS), 6'(VECTOR_WORDS), 6'(ARRAY_WORDS), 6'(LOAD_WORDS)};

  logic [1:0] error;

  // Writes
  wire write = s_axil_awready & s_axil_awvalid & s_axil_wvalid;
  wire whole = s_axil_wstrb == 4'hf;
  wire aligned = s_axil_awaddr[1:0] == '0;
  wire to_memory = s_axil_awaddr[18];
  wire [1:0] queue = s_axil_awaddr[17:16];
  wire [8:0] number = s_axil_awaddr[15:7];
  wire [5:0] words = WORDS[6*queue+:6];
  wire in_memory = (({1'b0, number} >> INDEX_W) == '0) & ({1'b0, command_word} < words);
  wire to_register = ~to_memory & (s_axil_awaddr[17:5] == '0);
  wire [2:0] register = s_axil_awaddr[4:2];
  wire fits = s_axil_wdata <= (32'd1 << INDEX_W);
  wire in_register = to_register & (register == 3'd0 | (register[2] & fits));
  wire take = whole & aligned & ~running & (to_memory ? in_memory : in_register);
  wire start = write & take & to_register & (register == 3'd0) & s_axil_wdata[0];

  assign s_axil_wready  = s_axil_awready;
  assign command_en     = (write & take & to_memory) ? 4'b1 << queue : '0;
  assign command_number = INDEX_W'(number);
  assign command_word   = s_axil_awaddr[6:2];
  assign command_data   = s_axil_wdata;

  // Reads
  wire read = s_axil_arready & s_axil_arvalid;
  wire known = (s_axil_araddr[18:2] <= 17'd8) & (s_axil_araddr[1:0] == '0);

  always_ff @(posedge clk) begin
    if (rst) begin
      s_axil_awready <= 1'b0;
      s_axil_bvalid  <= 1'b0;
      s_axil_arready <= 1'b0;
      s_axil_rvalid  <= 1'b0;
      running        <= 1'b0;
      done           <= 1'b0;
      error          <= '0;
      cycles         <= '0;
      count_load     <= '0;
      count_array    <= '0;
      count_vector   <= '0;
      count_store    <= '0;
    end else begin
      s_axil_awready <= s_axil_awvalid & s_axil_wvalid & ~s_axil_awready & (~s_axil_bvalid | s_axil_bready);
      if (write) s_axil_bvalid <= 1'b1;
      else if (s_axil_bready) s_axil_bvalid <= 1'b0;
      s_axil_arready <= s_axil_arvalid & ~s_axil_arready & (~s_axil_rvalid | s_axil_rready);
      if (read) s_axil_rvalid <= 1'b1;
      else if (s_axil_rready) s_axil_rvalid <= 1'b0;

      if (write & take & to_register) begin
        if (register == 3'd4) count_load <= s_axil_wdata[15:0];
        if (register == 3'd5) count_array <= s_axil_wdata[15:0];
        if (register == 3'd6) count_vector <= s_axil_wdata[15:0];
        if (register == 3'd7) count_store <= s_axil_wdata[15:0];
      end
      if (start) begin
        running <= 1'b1;
        done    <= 1'b0;
        error   <= '0;
        cycles  <= '0;
      end else if (running) begin
        if (finished) begin
          running <= 1'b0;
          done    <= 1'b1;
        end else cycles <= cycles + 64'd1;
        error <= error | {write_error, read_error};
      end
    end
    if (write) s_axil_bresp <= take ? OKAY : SLVERR;
    if (read) begin
      s_axil_rresp <= known ? OKAY : SLVERR;
      case (s_axil_araddr[5:2])
        4'd0: s_axil_rdata <= {29'd0, |error, done, running};
        4'd1: s_axil_rdata <= cycles[31:0];
        4'd2: s_axil_rdata <= cycles[63:32];
        4'd3: s_axil_rdata <= {30'd0, error};
        4'd4: s_axil_rdata <= {16'd0, count_load};
        4'd5: s_axil_rdata <= {16'd0, count_array};
        4'd6: s_axil_rdata <= {16'd0, count_vector};
        4'd7: s_axil_rdata <= {16'd0, count_store};
        default: s_axil_rdata <= IDENTITY;
      endcase
    end
  end

endmodule

`default_nettype wire
