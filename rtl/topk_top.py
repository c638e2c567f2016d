"""N:M reduction cores: generated top, constants, and values as beats."""

from __future__ import annotations

from itertools import product
from string import Template

import numpy as np

from hw_models.products import IntArray, packed
from hw_models.topk import TopKParams
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
    input  wire                                 clk,
    input  wire                                 rst,              // synchronous
    input  wire                                 s_axis_v_tvalid,  // beat i of a group: value i of every lane
    output wire                                 s_axis_v_tready,
    input  wire [            LANES*VALUE_W-1:0] s_axis_v_tdata,
    input  wire                                 s_axis_v_tlast,   // last beat of a row, which ends a group
    output wire                                 m_axis_o_tvalid,  // per lane N slots of index and value
    input  wire                                 m_axis_o_tready,
    output wire [LANES*N*(VALUE_W+INDEX_W)-1:0] m_axis_o_tdata,
    output wire                                 m_axis_o_tlast    // last group of a row
);

  topk_stream #(
$parameters
  ) u_stream (
$ports
  );

endmodule

`default_nettype wire
""")

_PORTS = ("clk", "rst", *(f"s_axis_v_t{end}" for end in ("valid", "ready", "data", "last")))
_PORTS += tuple(f"m_axis_o_t{end}" for end in ("valid", "ready", "data", "last"))


@constants.register
def _(params: TopKParams) -> dict[str, int | str]:
    form = params.value_format
    return {
        "LANES": params.lanes,
        "N": params.n,
        "M": params.m,
        "VALUE_W": form.bits,
        "INDEX_W": params.slots.index_bits,
        "KIND": int(form.signed) if isinstance(form, Int) else 2,
    }


def topk_sources(params: TopKParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    title = f"{params.lanes} lanes that keep {params.n} of every {params.m} {params.value_format.name} values"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        parameters=connections({key: key for key in values}),
        ports=connections({port: port for port in _PORTS}),
    )
    sources = modules("systolic", ("tw_skid",)) | modules("topk", ("topk_magnitude", "topk_lane", "topk_stream"))
    return {**sources, f"{params.name}.sv": text}


@stream_work.register
def _(params: TopKParams, rows: IntArray) -> StreamWork:
    width, slot = params.value_format.bits, params.slots.weight_bits
    pad = ((0, 0), (0, -rows.shape[1] % params.elements))
    shape = (rows.shape[0], -1, params.lanes, params.m)
    values = np.pad(rows, pad).reshape(shape)
    pruned = np.pad(params.golden(rows), pad).reshape(shape)
    kept = np.ones(shape[2:], dtype=bool)
    return StreamWork(
        inputs={
            "s_axis_v": Beats.of_packets(
                [packed(beat, width) for group in row for beat in group.transpose()] for row in values
            )
        },
        outputs={
            "m_axis_o": Beats.of_packets(
                [packed_words(params.slots.weight_words(group, kept), slot) for group in row] for row in pruned
            )
        },
        cycles=params.cycles([rows.shape[1]] * rows.shape[0]),
    )


def packed_words(words: list[int], width: int) -> int:
    """Return words side by side, the first lowest."""
    return sum(word << (place * width) for place, word in enumerate(words))


@draw.register
def _(params: TopKParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray]:
    shape = (1, 1) if corner == "single" else (int(rng.integers(1, 5)), int(rng.integers(1, 4 * params.elements + 2)))
    form = params.slots.weight_format
    few = form.bits <= 16  # of a wide format, a sample with both ends and zero
    alphabet = params.alphabet if few else np.unique([form.min, 0, form.max, *rng.integers(form.min, form.max, 4096)])
    return (codes(alphabet, shape, rng, corner),)


@exhaustive.register
def _(params: TopKParams) -> tuple[IntArray] | None:
    if 1 << (params.value_format.bits * params.m) > EXHAUSTIVE_LIMIT:
        return None
    return (np.array(list(product(params.alphabet, repeat=params.m))).reshape(1, -1),)  # one row of every group
