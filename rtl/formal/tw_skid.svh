  // Any accepted word leaves next after those before it, once and unchanged; an offer stands until it is taken.
  reg prove_first = 1'b1;
  always @(posedge clk) prove_first <= 1'b0;
  always @* if (prove_first) assume (rst);

  wire prove_in = in_valid & in_ready;
  wire prove_out = out_valid & out_ready;

  // Words held, and one word picked at any time
  reg [1:0] prove_fill;
  (* anyseq *) wire prove_pick;
  reg prove_tracking;
  reg [DATA_W-1:0] prove_word;
  always @(posedge clk) begin
    prove_fill <= prove_fill + prove_in - prove_out;
    if (prove_in & prove_pick & ~prove_out) begin
      prove_tracking <= 1'b1;
      prove_word     <= in_data;
    end
    if (prove_tracking & prove_out) prove_tracking <= 1'b0;
    if (rst) begin
      prove_fill     <= 2'd0;
      prove_tracking <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (!prove_first) begin
      skid_holds_none_or_one : assert (prove_fill == {1'b0, full});
      skid_is_ready_while_empty : assert (in_ready == (prove_fill == 0));
      skid_offers_what_is_there : assert (out_valid == (prove_fill != 0 || in_valid));
      if (prove_in & prove_out) skid_passes_the_word : assert (out_data == in_data);
      if (prove_tracking) skid_keeps_the_word : assert (full && out_data == prove_word);
      if ($past(out_valid & ~out_ready & ~rst)) begin
        skid_offer_stands : assert (out_valid && out_data == $past(out_data));
      end
      skid_fills : cover (full);
      skid_empties : cover ($past(full & ~rst) && !full);
    end
  end
