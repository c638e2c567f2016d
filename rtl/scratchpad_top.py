"""Scratchpads: generated tops, constants, accesses as beats, and accesses to verify them with."""

from __future__ import annotations

from itertools import product
from string import Template

import numpy as np

from hw_models.products import IntArray
from hw_models.scratchpad import NO_ACCESS, BankedParams
from hw_models.shift_read import ShiftReadParams
from rtl.fabric_top import draw_words
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_BANKED_PORTS = """\
    input  wire                                                  s_axis_r_tvalid,  // accesses of all ports
    output wire                                                  s_axis_r_tready,
    input  wire [READS*(ADDR_W+1)+WRITES*(DATA_W+ADDR_W+1)-1:0] s_axis_r_tdata,
    input  wire                                                  s_axis_r_tlast,
    output wire                                                  m_axis_o_tvalid,  // words of the read ports
    input  wire                                                  m_axis_o_tready,
    output wire [                             READS*DATA_W-1:0] m_axis_o_tdata,
    output wire                                                  m_axis_o_tlast"""
_SHIFT_PORTS = """\
    input  wire                                  s_axis_m_tvalid,  // words of a map
    output wire                                  s_axis_m_tready,
    input  wire [                    DATA_W-1:0] s_axis_m_tdata,
    input  wire                                  s_axis_m_tlast,   // last word of a map
    input  wire                                  s_axis_p_tvalid,  // passes
    output wire                                  s_axis_p_tready,
    input  wire [7*COORD_W+4*ADDR_W+DATA_W-1:0] s_axis_p_tdata,
    input  wire                                  s_axis_p_tlast,   // last pass on its map
    output wire                                  m_axis_o_tvalid,  // {border, word}
    input  wire                                  m_axis_o_tready,
    output wire [                      DATA_W:0] m_axis_o_tdata,
    output wire                                  m_axis_o_tlast    // last word of a pass"""

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire clk,
    input  wire rst,  // synchronous
$ports
);

  $module #(
$parameters
  ) u_core (
$connections
  );

endmodule

`default_nettype wire
""")


@constants.register
def _(params: BankedParams) -> dict[str, int | str]:
    return {
        "BANKS": params.banks,
        "WORDS": params.bank_words,
        "DATA_W": params.bits,
        "READS": params.reads,
        "WRITES": params.writes,
        "ADDR_W": params.address_bits,
        "ROW_W": params.row_bits,
    }


@constants.register
def _(params: ShiftReadParams) -> dict[str, int | str]:
    return {
        "WORDS": params.words,
        "DATA_W": params.bits,
        "ADDR_W": params.address_bits,
        "COORD_W": params.coordinate_bits,
    }


def banked_sources(params: BankedParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    title = f"scratchpad of {params.banks} banks of {params.bank_words} words"
    return _sources(params, "banked_scratchpad", title, _BANKED_PORTS, "r")


def shift_read_sources(params: ShiftReadParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    return _sources(params, "shift_read", f"shifted reads of a map of {params.words} words", _SHIFT_PORTS, "mp")


def _sources(
    params: BankedParams | ShiftReadParams, module: str, title: str, ports: str, inputs: str
) -> dict[str, str]:
    values = constants(params)
    streams = (*(f"s_axis_{letter}" for letter in inputs), "m_axis_o")
    names = ("clk", "rst", *(f"{port}_t{end}" for port in streams for end in ("valid", "ready", "data", "last")))
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        ports=ports,
        module=module,
        parameters=connections({key: key for key in values}),
        connections=connections({name: name for name in names}),
    )
    return {
        **modules("systolic", ("tw_skid",)),
        **modules("scratchpad", ("tw_bank", module)),
        f"{params.name}.sv": text,
    }


@stream_work.register
def _(params: BankedParams, read_at: IntArray, write_at: IntArray, data: IntArray) -> StreamWork:
    result = params.golden(read_at, write_at, data)
    width, word = params.address_bits, params.bits
    beats = []
    for reads, writes, words in zip(read_at, write_at, data, strict=True):
        fields = [(_asked(int(at), width), width + 1) for at in reads]
        fields += [
            (int(one) | _asked(int(at), width) << word, word + width + 1) for at, one in zip(writes, words, strict=True)
        ]
        beats.append(_joined(fields))
    return StreamWork(
        inputs={"s_axis_r": Beats.of_packets([beats])},
        outputs={"m_axis_o": Beats.of_packets([[_joined([(int(one), word) for one in row]) for row in result]])},
        cycles=params.cycles(read_at, write_at, data),
    )


def _asked(address: int, width: int) -> int:
    """Return {valid, address}."""
    return 0 if address == NO_ACCESS else address | 1 << width


def _joined(fields: list[tuple[int, int]]) -> int:
    """Return (value, bits) fields side by side, the first lowest; values modulo their width."""
    word = low = 0
    for value, bits in fields:
        word |= (value & ((1 << bits) - 1)) << low
        low += bits
    return word


@stream_work.register
def _(params: ShiftReadParams, feature_map: IntArray, passes: IntArray) -> StreamWork:
    height, width, depth = feature_map.shape
    coordinate, address = params.coordinate_bits, params.address_bits
    commands, packets = [], []
    for row, result in zip(passes, params.golden(feature_map, passes), strict=True):
        out_h, out_w, dy, dx, stride, first, channels, zero = (int(value) for value in row)
        sides = (out_h - 1, out_w - 1, height, width, dy, dx, stride)
        places = ((dy * width + dx) * depth + first, stride * depth, stride * width * depth, channels - 1)
        fields = [(side, coordinate) for side in sides] + [(place, address) for place in places]
        commands.append(_joined([*fields, (zero, params.bits)]))
        y, x = np.arange(out_h) * stride + dy, np.arange(out_w) * stride + dx
        border = ((y < 0) | (y >= height))[:, None] | ((x < 0) | (x >= width))[None, :]
        packets.append(
            [
                int(word) | int(outside) << params.bits
                for words, outside in zip(result.reshape(-1, channels), border.reshape(-1), strict=True)
                for word in words
            ]
        )
    return StreamWork(
        inputs={
            "s_axis_m": Beats.of_packets([[int(word) for word in feature_map.reshape(-1)]]),
            "s_axis_p": Beats.of_packets([commands]),
        },
        outputs={"m_axis_o": Beats.of_packets(packets)},
        cycles=params.cycles(feature_map, passes),
    )


@draw.register
def _(params: BankedParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray, IntArray]:
    """Return writes, then reads of written words among writes; under ``extreme`` all in one bank."""
    beats = 1 if corner == "single" else int(rng.integers(4, 17))
    shape = (beats, params.writes)
    step = params.banks if corner == "extreme" else 1
    few = rng.choice(params.words // step, min(params.words // step, 12), replace=False) * step
    share = 0.3 if corner == "sparse" else 0.85
    write_at = np.where(rng.random(shape) < share, rng.choice(few, shape), NO_ACCESS)
    write_at[0, 0] = few[0]
    read_at = np.full((beats, params.reads), NO_ACCESS)
    written: list[int] = []
    for beat in range(1, beats):
        written += [int(at) for at in write_at[beat - 1] if at != NO_ACCESS]
        read_at[beat] = np.where(rng.random(params.reads) < share, rng.choice(written, params.reads), NO_ACCESS)
    return read_at, write_at, draw_words(params.bits, shape, rng, corner)


@exhaustive.register
def _(params: BankedParams) -> tuple[IntArray, IntArray, IntArray] | None:
    """Return, after every word was written, every set of accesses that a beat can ask for."""
    ports = params.reads + params.writes
    if (params.words + 1) ** ports > EXHAUSTIVE_LIMIT:
        return None
    fill = np.full((params.words, ports), NO_ACCESS)
    fill[:, params.reads] = np.arange(params.words)
    every = np.array(list(product((NO_ACCESS, *range(params.words)), repeat=ports)))
    at = np.concatenate((fill, every))
    data = (np.arange(len(at) * params.writes) * 7 + 1).reshape(len(at), params.writes) % (1 << min(params.bits, 62))
    return at[:, : params.reads], at[:, params.reads :], data


@draw.register
def _(params: ShiftReadParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    """Return a map and passes with borders on all sides; under ``extreme`` the 3 x 3 taps of one convolution."""
    depth = 1 if corner == "single" else int(rng.integers(1, min(3, params.words) + 1))
    side = (
        1 if corner == "single" else min(5, int((params.words // depth) ** 0.5), (1 << params.coordinate_bits - 2) - 1)
    )
    height, width = (int(rng.integers(1, max(side, 1) + 1)) for _ in "hw")
    zero = int(rng.integers(0, 1 << params.bits))
    taps: list[tuple[int, ...]] = []
    if corner == "extreme":
        taps = [(height, width, dy, dx, 1, 0, depth, zero) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    else:
        for _ in range(1 if corner == "single" else int(rng.integers(1, 5))):
            first = int(rng.integers(depth))
            stride = int(rng.integers(1, 3))
            sides = (-(-(one + int(rng.integers(2))) // stride) for one in (height, width))
            shift = (int(rng.integers(-one - 1, one + 2)) for one in (height, width))
            channels = int(rng.integers(1, depth - first + 1))
            taps.append((*sides, *shift, stride, first, channels, int(rng.integers(0, 1 << params.bits))))
    limit = (1 << (params.coordinate_bits - 1)) - 1
    kept = [tap for tap in taps if max(tap[2] + (tap[0] - 1) * tap[4], tap[3] + (tap[1] - 1) * tap[4]) <= limit]
    passes = np.array(kept or [(1, 1, 0, 0, 1, 0, 1, zero)], dtype=np.int64)
    return draw_words(params.bits, (height, width, depth), rng, corner), passes


@exhaustive.register
def _(params: ShiftReadParams) -> tuple[IntArray, IntArray] | None:
    """Return every shift of a small map into, across and out of its border, with strides 1 and 2."""
    if params.words < 18:
        return None
    feature_map = (np.arange(18) * 5 + 1).reshape(3, 3, 2) % (1 << params.bits)
    shifts = product(range(-4, 5), range(-4, 5), (1, 2))
    if params.coordinate_bits < 5:
        shifts = product(range(-2, 2), range(-2, 2), (1,))
    passes = [(3, 2 + dx % 2, dy, dx, stride, 0, 2, 3 % (1 << params.bits)) for dy, dx, stride in shifts]
    return feature_map, np.array(passes)
