  // Any accepted word leaves after those before it, once and unchanged; an offer stands until it is taken.
  reg prove_first = 1'b1;
  always @(posedge clk) prove_first <= 1'b0;
  always @* if (prove_first) assume (rst);

  wire prove_in = in_valid & in_ready;
  wire prove_out = out_valid & out_ready;
  reg [2:0] prove_fill;
  (* anyseq *) wire prove_pick;
  reg prove_tracking;
  reg [1:0] prove_ahead;  // words that leave before the picked one
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
      prove_fill     <= 3'd0;
      prove_tracking <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (!prove_first) begin
      slice_counts : assert (prove_fill == out_valid + !in_ready);
      slice_offers_what_it_holds : assert (out_valid == (prove_fill != 0));
      if (prove_tracking) begin
        slice_order : assert (prove_ahead < prove_fill);
        if (prove_ahead == 0) slice_word_at_the_output : assert (out_valid && out_data == prove_word);
        else slice_word_waits : assert (!in_ready && data == prove_word);
      end
      if ($past(out_valid & ~out_ready & ~rst)) slice_offer_stands : assert (out_valid && out_data == $past(out_data));
      slice_holds_two : cover (prove_fill == 2);
    end
  end
