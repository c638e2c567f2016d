"""Zero-skipping row: generated top, constants, operands as beats, and operands to verify it with."""

from __future__ import annotations

from itertools import product
from string import Template

import numpy as np

from hw_models.products import IntArray, bits_of, codes_of, packed
from hw_models.zero_skip import SkipParams
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, codes, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import header, localparams, modules

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                     clk,
    input  wire                     rst,               // synchronous
    input  wire                     s_axis_a_tvalid,   // activations: a block of BLOCK words, the first lowest
    output wire                     s_axis_a_tready,
    input  wire [BLOCK*INPUT_W-1:0] s_axis_a_tdata,
    input  wire                     s_axis_a_tlast,    // last block of a reduction
$ports
    output wire                     m_axis_o_tvalid,   // one beat of signed sums per reduction, PE 0 lowest
    input  wire                     m_axis_o_tready,
    output wire [    PES*ACC_W-1:0] m_axis_o_tdata,
    output wire                     m_axis_o_tlast
);

  localparam integer VALUE_WORD_W = $value_word;

  wire ce, load, busy, product_valid, product_first;
  wire [BLOCK*INPUT_W-1:0] bank;
  wire [PES-1:0] pe_done, v_valid, v_ready;
  wire [VALUE_WORD_W-1:0] v_data[0:PES-1];
$map

$streams

  assign m_axis_o_tlast = 1'b1;

  skip_control #(
      .BANK_W(BLOCK * INPUT_W),
      .MAP_W ($map_width)
  ) u_control (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_a_tvalid(s_axis_a_tvalid),
      .s_axis_a_tready(s_axis_a_tready),
      .s_axis_a_tdata (s_axis_a_tdata),
      .s_axis_a_tlast (s_axis_a_tlast),
$map_connections
      .load           (load),
      .load_map       (load_map),
      .busy           (busy),
      .bank           (bank),
      .all_done       (busy & (&pe_done)),
      .product_valid  (product_valid),
      .product_first  (product_first),
      .done           (m_axis_o_tvalid),
      .m_axis_o_tready(m_axis_o_tready)
  );

  for (genvar i = 0; i < PES; i++) begin : g_pe
    wire [INPUT_W-1:0] op_a;
    wire [WEIGHT_W-1:0] op_w;

    skip_pick_$form #(
        .BLOCK  (BLOCK),
        .INPUT_W(INPUT_W),
        .VALUE_W(WEIGHT_W),
        .INDEX_W(INDEX_W)
    ) u_pick (
        .clk            (clk),
        .rst            (rst),
        .ce             (ce),
        .s_axis_v_tvalid(v_valid[i]),
        .s_axis_v_tready(v_ready[i]),
        .s_axis_v_tdata (v_data[i]),
        .load           (load),
$pick_map        .bank           (bank),
        .done           (pe_done[i]),
        .op_a           (op_a),
        .op_w           (op_w)
    );

    skip_mac #(
        .INPUT_W      (INPUT_W),
        .INPUT_SIGNED (INPUT_SIGNED),
        .WEIGHT_W     (WEIGHT_W),
        .WEIGHT_SIGNED(WEIGHT_SIGNED),
        .P_W          (P_W),
        .ACC_W        (ACC_W)
    ) u_mac (
        .clk          (clk),
        .ce           (ce),
        .a            (op_a),
        .w            (op_w),
        .product_valid(product_valid),
        .product_first(product_first),
        .total        (m_axis_o_tdata[i*ACC_W+:ACC_W])
    );
  end

endmodule

`default_nettype wire
""")

_MAP_PORTS = """\
    input  wire                     s_axis_m_tvalid,   // bitmaps of a block: BLOCK bits per PE, PE 0 lowest
    output wire                     s_axis_m_tready,
    input  wire [    PES*BLOCK-1:0] s_axis_m_tdata,"""
_PE_PORTS = """\
    input  wire                     s_axis_v${pe}_tvalid,  // weights of PE $pe
    output wire                     s_axis_v${pe}_tready,
    input  wire [$width-1:0] s_axis_v${pe}_tdata,"""
_PE_STREAM = """\
  assign v_valid[$pe] = s_axis_v${pe}_tvalid;
  assign v_data[$pe] = s_axis_v${pe}_tdata;
  assign s_axis_v${pe}_tready = v_ready[$pe];"""


@constants.register
def _(params: SkipParams) -> dict[str, int | str]:
    return {
        "PES": params.pes,
        "BLOCK": params.block,
        "INPUT_W": params.input_format.bits,
        "INPUT_SIGNED": int(params.input_format.signed),
        "WEIGHT_W": params.weight_format.bits,
        "WEIGHT_SIGNED": int(params.weight_format.signed),
        "INDEX_W": params.index_bits,
        "P_W": params.product_bits,
        "ACC_W": params.accumulator_bits,
    }


def skip_sources(params: SkipParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    bitmap = params.form == "bitmap"
    values = constants(params)
    word = "WEIGHT_W" if bitmap else "1 + INDEX_W + WEIGHT_W"
    ports = [_MAP_PORTS] * bitmap
    ports += [Template(_PE_PORTS).substitute(pe=pe, width=word) for pe in range(params.pes)]
    joined = ("s_axis_m_tvalid", "s_axis_m_tready", "s_axis_m_tdata") if bitmap else ("1'b1", "unused_ready", "1'b0")
    text = _TOP.substitute(
        header=header(
            params.name,
            f"{params.pes} zero-skipping PEs on blocks of {params.block}, {params.accumulator_bits}-bit sums",
            {key.lower(): value for key, value in values.items()},
        ),
        name=params.name,
        form=params.form,
        constants=localparams(values),
        ports="\n".join(ports),
        value_word=word,
        map="  wire [PES*BLOCK-1:0] load_map;"
        if bitmap
        else "  wire load_map, unused_ready;\n  wire unused_ok = &{1'b0, load_map, unused_ready};",
        map_width="PES * BLOCK" if bitmap else "1",
        map_connections=",\n".join(
            f"      .s_axis_m_{signal}{' ' * (6 - len(signal))}({name})"
            for signal, name in zip(("tvalid", "tready", "tdata"), joined, strict=True)
        )
        + ",",
        streams="\n".join(Template(_PE_STREAM).substitute(pe=pe) for pe in range(params.pes)),
        pick_map="        .load_map       (load_map[i*BLOCK+:BLOCK]),\n" if bitmap else "",
    )
    return {
        **modules("systolic", ("tw_skid",)),
        **modules("dot", ("product_int",)),
        **modules("skip", ("skip_control", f"skip_pick_{params.form}", "skip_mac")),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: SkipParams, a: IntArray, w: IntArray) -> StreamWork:
    sums = params.golden(a, w)
    pad = -a.shape[1] % params.block
    blocks = np.pad(a, ((0, 0), (0, pad))).reshape(a.shape[0], -1, params.block)
    stored = np.pad(w, ((0, 0), (0, 0), (0, pad))).reshape(*w.shape[:2], -1, params.block)
    inputs = {
        "s_axis_a": Beats.of_packets([packed(block, params.input_format.bits) for block in job] for job in blocks)
    }
    if params.form == "bitmap":
        maps = (stored != 0).transpose(0, 2, 1, 3).reshape(a.shape[0], -1, params.pes * params.block)
        inputs["s_axis_m"] = Beats.of_packets([packed(one, 1) for one in job.astype(np.int64)] for job in maps)
    for pe in range(params.pes):
        inputs[f"s_axis_v{pe}"] = Beats.of_packets(
            [word for block in job for word in _value_words(params, block)] for job in stored[:, pe]
        )
    return StreamWork(
        inputs=inputs,
        outputs={"m_axis_o": Beats.of_packets([packed(row, params.accumulator_bits)] for row in sums)},
        cycles=params.cycles([a.shape[1]] * a.shape[0], (a, w)),
    )


def _value_words(params: SkipParams, block: IntArray) -> list[int]:
    """Return the words of one PE and block: values alone, or with place and end mark."""
    kept = np.flatnonzero(block)
    values = [int(value) for value in bits_of(block[kept], params.weight_format.bits)]
    if params.form == "bitmap":
        return values
    width = params.weight_format.bits
    words = [value | int(place) << width for value, place in zip(values, kept, strict=True)] or [0]
    words[-1] |= 1 << (width + params.index_bits)
    return words


@draw.register
def _(params: SkipParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    reductions = 1 if corner == "single" else int(rng.integers(1, 5))
    length = 1 if corner == "single" else int(rng.integers(1, 4 * params.block + 2))
    a = codes(codes_of(params.input_format), (reductions, length), rng, corner)
    w = codes(codes_of(params.weight_format), (reductions, params.pes, length), rng, corner)
    if corner == "random":  # from nothing kept to everything kept, another share per PE
        w = np.where(rng.random(w.shape) < rng.choice([0.0, 0.3, 1.0], (reductions, params.pes, 1)), w, 0)
    return a, w


@exhaustive.register
def _(params: SkipParams) -> tuple[IntArray, IntArray] | None:
    """Return every set of kept places of a block, values from the ends of the ranges."""
    places = params.pes * params.block
    if 1 << places > EXHAUSTIVE_LIMIT:
        return None
    kept = np.array(list(product((0, 1), repeat=places))).reshape(-1, params.pes, params.block)
    weights, activations = codes_of(params.weight_format), codes_of(params.input_format)
    ends = np.where(np.arange(places).reshape(params.pes, params.block) % 3, weights[0] or weights[-1], weights[-1])
    a = np.where(np.arange(params.block) % 2, activations[0], activations[-1] - np.arange(params.block) % 2)
    return np.repeat(a[None], len(kept), axis=0), kept * ends
