  // Never more than DEPTH words, ready below that; any accepted word leaves after exactly those before it, once and
  // unchanged; an offer stands until it is taken. Proved by induction: the invariants place every word.
  localparam integer PROVE_W = $clog2(DEPTH + 1) + 1;

  reg prove_first = 1'b1;
  always @(posedge clk) prove_first <= 1'b0;
  always @* if (prove_first) assume (rst);

  wire prove_in = in_valid & in_ready;
  wire prove_out = out_valid & out_ready;
  reg [PROVE_W-1:0] prove_fill;  // words that went in less words that came out
  (* anyseq *) wire prove_pick;
  reg prove_tracking;
  reg [PROVE_W-1:0] prove_ahead;  // words that leave before the picked one
  reg [DATA_W-1:0] prove_word;
  always @(posedge clk) begin
    prove_fill <= prove_fill + prove_in - prove_out;
    if (prove_tracking & prove_out) begin
      prove_ahead    <= prove_ahead - 1'b1;
      prove_tracking <= prove_ahead != 0;
    end
    if (prove_in & prove_pick & ~prove_tracking) begin
      prove_tracking <= 1'b1;
      prove_word     <= in_data;
      prove_ahead    <= prove_fill - prove_out;
    end
    if (rst) begin
      prove_fill     <= 0;
      prove_tracking <= 1'b0;
    end
  end

  wire [PROVE_W:0] prove_sum = read_at + prove_ahead - 1'b1;
  wire [PROVE_W:0] prove_at = prove_sum >= WORDS ? prove_sum - WORDS : prove_sum;
  wire [PROVE_W:0] prove_end = read_at + stored;

  always @(posedge clk) begin
    if (!prove_first) begin
      fifo_never_overflows : assert (prove_fill <= DEPTH);
      fifo_never_underflows : assert (!(out_valid && prove_fill == 0));
      fifo_offers_what_it_holds : assert (out_valid == (prove_fill != 0));
      fifo_is_ready_unless_full : assert (in_ready == (prove_fill < DEPTH));
      fifo_counts : assert (prove_fill == stored + out_valid);
      fifo_full_flag : assert (full == (stored == WORDS));
      fifo_pointers : assert (read_at < WORDS && write_at < WORDS);
      fifo_distance : assert (write_at == (prove_end >= WORDS ? prove_end - WORDS : prove_end));
      if (prove_tracking) begin
        fifo_order : assert (prove_ahead < prove_fill);
        if (prove_ahead == 0) fifo_word_at_the_output : assert (out_data == prove_word);
        else fifo_word_in_the_memory : assert (memory[prove_at] == prove_word);
      end
      if ($past(out_valid & ~out_ready & ~rst)) fifo_offer_stands : assert (out_valid && out_data == $past(out_data));
      fifo_fills : cover (prove_fill == DEPTH);
      fifo_empties_from_full : cover (prove_fill == DEPTH - 1 && $past(prove_fill == DEPTH && !rst));
    end
  end
