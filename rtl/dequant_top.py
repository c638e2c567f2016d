"""Dequantise-on-read unit: generated top, constants, operands as beats, and operands to verify it with."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template

import numpy as np

from hw_models.dequantise import DequantParams, HalfArray
from hw_models.nibbles import pack_codes
from hw_models.products import IntArray, codes_of
from hw_models.products_table import table_literal
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, codes, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules
from workloads.formats import Int

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                      clk,
    input  wire                      rst,              // synchronous
    input  wire                      s_axis_c_tvalid,  // words of CODES packed codes
    output wire                      s_axis_c_tready,
    input  wire [  CODES*CODE_W-1:0] s_axis_c_tdata,
    input  wire                      s_axis_c_tlast,   // last word of a row; rows are whole groups
    input  wire                      s_axis_g_tvalid,  // one beat per group: {zero, scale}
    output wire                      s_axis_g_tready,
    input  wire [CODE_W+SCALE_W-1:0] s_axis_g_tdata,
    output wire                      m_axis_o_tvalid,  // one beat of values per word, the first code lowest
    input  wire                      m_axis_o_tready,
    output wire [   CODES*OUT_W-1:0] m_axis_o_tdata,
    output wire                      m_axis_o_tlast
);

  localparam integer STAGES = $stages;  // registers of a lane

  wire op_valid, op_last;
  wire [CODES*CODE_W-1:0] op_word;
  wire [CODE_W-1:0] op_zero;
  wire [SCALE_W-1:0] op_scale;
  wire ce = ~m_axis_o_tvalid | m_axis_o_tready;

  dequant_front #(
      .WORD_W     (CODES * CODE_W),
      .PARAM_W    (CODE_W + SCALE_W),
      .GROUP_WORDS(GROUP_WORDS)
  ) u_front (
      .clk            (clk),
      .rst            (rst),
      .ce             (ce),
      .s_axis_c_tvalid(s_axis_c_tvalid),
      .s_axis_c_tready(s_axis_c_tready),
      .s_axis_c_tdata (s_axis_c_tdata),
      .s_axis_c_tlast (s_axis_c_tlast),
      .s_axis_g_tvalid(s_axis_g_tvalid),
      .s_axis_g_tready(s_axis_g_tready),
      .s_axis_g_tdata (s_axis_g_tdata),
      .op_valid       (op_valid),
      .op_last        (op_last),
      .op_word        (op_word),
      .op_param       ({op_zero, op_scale})
  );

  // Place i of a word holds code PLACED.
  for (genvar i = 0; i < CODES; i++) begin : g_lane
    localparam integer PLACED = $$signed(32'(ORDER[i*8+:8]));
    $module #(
$lane
    ) u_lane (
        .clk  (clk),
        .ce   (ce),
        .code (op_word[i*CODE_W+:CODE_W]),
        .zero (op_zero),
        .scale(op_scale),
        .y    (m_axis_o_tdata[PLACED*OUT_W+:OUT_W])
    );
  end

  tw_delay #(
      .DATA_W(2),
      .DEPTH (STAGES),
      .RESET (1)
  ) u_flags (
      .clk(clk),
      .rst(rst),
      .ce (ce),
      .d  ({op_valid, op_valid & op_last}),
      .q  ({m_axis_o_tvalid, m_axis_o_tlast})
  );

endmodule

`default_nettype wire
""")


@constants.register
def _(params: DequantParams) -> dict[str, int | str]:
    form = params.scale_format
    return {
        "CODES": params.codes_per_word,
        "CODE_W": params.bits,
        "GROUP_WORDS": params.words_per_group,
        "SCALE_W": form.bits,
        **({"SCALE_SIGNED": int(form.signed)} if isinstance(form, Int) else {}),
        "OUT_W": params.output_bits,
        "ORDER": table_literal(params.order, 8),
    }


def dequant_sources(params: DequantParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    lane = ("CODE_W",) if params.floating else ("CODE_W", "SCALE_W", "SCALE_SIGNED", "OUT_W")
    module = "dequant_half" if params.floating else "dequant_int"
    title = f"{params.bits}-bit codes in groups of {params.group}, {params.scale_format.name} scales"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        stages=params.latency_cycles - 1,
        module=module,
        lane=connections({key: key for key in lane}, "        "),
    )
    return {
        **modules("systolic", ("tw_skid", "tw_delay")),
        **modules("dequant", ("dequant_front", module)),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: DequantParams, codes: IntArray, zeros: IntArray, scales: IntArray | HalfArray) -> StreamWork:
    results = params.golden(codes, zeros, scales)
    values, stored = ((one.view(np.uint16) if params.floating else one).astype(np.int64) for one in (results, scales))
    mask = (1 << params.scale_format.bits) - 1
    return StreamWork(
        inputs={
            "s_axis_c": Beats.of_packets(pack_codes(row, params.bits, params.order) for row in codes),
            "s_axis_g": Beats.of_packets(
                [scale & mask | zero << params.scale_format.bits for scale, zero in zip(*pair, strict=True)]
                for pair in zip(stored.tolist(), zeros.tolist(), strict=True)
            ),
        },
        outputs={
            "m_axis_o": Beats.of_packets(
                [_joined(beat, params.output_bits) for beat in row]
                for row in values.reshape(len(codes), -1, params.codes_per_word).tolist()
            )
        },
        cycles=params.cycles([codes.shape[1]] * codes.shape[0]),
    )


def _joined(words: Iterable[int], width: int) -> int:
    """Return numbers side by side, the first lowest."""
    return sum((word & ((1 << width) - 1)) << (place * width) for place, word in enumerate(words))


_HALF_ENDS = np.array([0x0000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF], dtype=np.uint16)
"""Zero, least and greatest subnormal, least normal, one, greatest: magnitudes of binary16 scales."""


def _scales(
    params: DequantParams, shape: tuple[int, int], rng: np.random.Generator, corner: Corner
) -> IntArray | HalfArray:
    if isinstance(params.scale_format, Int):
        return codes(codes_of(params.scale_format), shape, rng, corner)
    magnitudes = rng.integers(0, 0x7C00, shape) if corner != "extreme" else rng.choice(_HALF_ENDS, shape)
    signs = rng.integers(0, 2, shape) << 15
    return (magnitudes | signs).astype(np.uint16).view(np.float16)


@draw.register
def _(
    params: DequantParams, rng: np.random.Generator, corner: Corner
) -> tuple[IntArray, IntArray, IntArray | HalfArray]:
    rows, groups = (1, 1) if corner == "single" else (int(rng.integers(1, 4)), int(rng.integers(1, 5)))
    alphabet = np.arange(1 << params.bits)
    stored = codes(alphabet, (rows, groups * params.group), rng, corner)
    return stored, codes(alphabet, (rows, groups), rng, corner), _scales(params, (rows, groups), rng, corner)


@exhaustive.register
def _(params: DequantParams) -> tuple[IntArray, IntArray, IntArray] | None:
    """Return every code with every zero and every integer scale, in one row."""
    form = params.scale_format
    repeats = -(-(1 << params.bits) // params.group)
    if not isinstance(form, Int) or repeats * params.group << (params.bits + form.bits) > EXHAUSTIVE_LIMIT:
        return None
    pairs = np.array(np.meshgrid(np.arange(1 << params.bits), codes_of(form), indexing="ij")).reshape(2, -1)
    zeros, scales = (np.repeat(one, repeats)[None] for one in pairs)
    stored = np.tile(np.arange(repeats * params.group) % (1 << params.bits), pairs.shape[1])
    return stored[None], zeros, scales
