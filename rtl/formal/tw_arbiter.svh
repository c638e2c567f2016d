  // Never two grants; a port that asks waits at most PORTS - 1 packets; packets come out whole; any accepted word leaves
  // after those before it of its port, once, unchanged and with its port's number; an offer stands until it is taken.
  localparam integer PROVE_W = $clog2(PORTS + 1) + 2;

  reg prove_first = 1'b1;
  always @(posedge clk) prove_first <= 1'b0;
  always @* if (prove_first) assume (rst);

  // Any port
  (* anyconst *) reg [PORT_W-1:0] prove_port;
  always @* assume (prove_port < PORTS);
  wire prove_in = in_valid[prove_port] & in_ready[prove_port];
  wire prove_out = out_valid & out_ready;

  // Its words: one picked at any time waits at the input or stands at the output
  (* anyseq *) wire prove_pick;
  reg prove_waits, prove_stands;
  reg [DATA_W:0] prove_word;
  reg [1:0] prove_fill;
  wire prove_passes = grant[prove_port] & asks[prove_port];
  always @(posedge clk) begin
    prove_fill <= prove_fill + prove_in - (prove_out && out_port == prove_port);
    if (prove_stands & prove_out) prove_stands <= 1'b0;
    if (prove_waits & prove_passes) begin
      prove_waits  <= 1'b0;
      prove_stands <= 1'b1;
    end
    if (prove_in & prove_pick & ~prove_waits & ~prove_stands) begin
      prove_word   <= {in_last[prove_port], in_data[prove_port*DATA_W+:DATA_W]};
      prove_waits  <= ~prove_passes;
      prove_stands <= prove_passes;
    end
    if (rst) begin
      prove_fill   <= 0;
      prove_waits  <= 1'b0;
      prove_stands <= 1'b0;
    end
  end

  // Packets of other ports that are under way or begin while the port asks for its own
  wire prove_asks = asks[prove_port] & ~(locked & owner == prove_port);
  reg [PROVE_W-1:0] prove_waited;
  reg prove_asked;
  wire [PROVE_W-1:0] prove_before = prove_asked ? prove_waited : {{PROVE_W - 1{1'b0}}, locked};
  wire prove_begins = take & ~locked;
  always @(posedge clk) begin
    prove_waited <= prove_before + (prove_begins & chosen != prove_port);
    prove_asked  <= prove_asks & ~(prove_begins & chosen == prove_port);
    if (rst) prove_asked <= 1'b0;
  end
  wire [PROVE_W-1:0] prove_search = locked ? (owner == PORTS - 1 ? 0 : owner + 1'b1) : search;
  wire [PROVE_W-1:0] prove_turns =
      prove_search <= prove_port ? prove_port - prove_search : PORTS + prove_port - prove_search;

  // Packet under way at the output
  reg prove_inside;
  reg [PORT_W-1:0] prove_source;
  always @(posedge clk) begin
    if (prove_out) begin
      prove_inside <= ~out_last;
      prove_source <= out_port;
    end
    if (rst) prove_inside <= 1'b0;
  end

  wire [PORTS-1:0] prove_given = grant & asks;
  always @(posedge clk) begin
    if (!prove_first) begin
      arbiter_grants_one : assert ((prove_given & (prove_given - 1'b1)) == 0);
      arbiter_never_idles : assert (take || !free || (locked ? !asks[owner] : asks == 0));
      arbiter_counts : assert (prove_fill == !in_ready[prove_port] + (out_valid && out_port == prove_port));
      if (prove_waits) begin
        arbiter_word_waits : assert (!in_ready[prove_port] && {word_last[prove_port], word[prove_port]} == prove_word);
      end
      if (prove_stands) begin
        arbiter_word_leaves : assert (out_valid && out_port == prove_port && {out_last, out_data} == prove_word);
      end
      arbiter_ports : assert (search < PORTS && (!locked || owner < PORTS) && (!out_valid || out_port < PORTS));
      if (prove_asked) begin
        arbiter_request_stands : assert (prove_asks);
        arbiter_turns : assert (prove_waited + prove_turns <= PORTS - 1);
        arbiter_is_fair : assert (prove_waited <= PORTS - 1);
      end
      if (out_valid) arbiter_lock : assert (locked == !out_last && (!locked || owner == out_port));
      else arbiter_lock_kept : assert (locked == prove_inside && (!locked || owner == prove_source));
      if (out_valid & prove_inside) arbiter_packets_stay_whole : assert (out_port == prove_source);
      if ($past(out_valid & ~out_ready & ~rst)) begin
        arbiter_offer_stands : assert (out_valid && {out_last, out_port, out_data} == $past({out_last, out_port, out_data}));
      end
      arbiter_waits_longest : cover (prove_asked && prove_waited == PORTS - 1);
      arbiter_long_packet : cover ($past(prove_inside) && prove_inside && out_valid && out_last);
    end
  end
