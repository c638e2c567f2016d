"""Stream fabric: generated tops, constants, words as beats, and words to verify them with."""

from __future__ import annotations

from itertools import product
from string import Template

import numpy as np

from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from hw_models.products import IntArray
from rtl.stimulus import EXHAUSTIVE_LIMIT, Corner, draw, exhaustive
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules

_BUFFER = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire             clk,
    input  wire             rst,              // synchronous
    input  wire             s_axis_i_tvalid,
    output wire             s_axis_i_tready,
    input  wire [WORD_W-1:0] s_axis_i_tdata,
    input  wire             s_axis_i_tlast,
    output wire             m_axis_o_tvalid,
    input  wire             m_axis_o_tready,
    output wire [WORD_W-1:0] m_axis_o_tdata,
    output wire             m_axis_o_tlast
);

  $module #(
$parameters      .DATA_W(WORD_W + 1)
  ) u_core (
      .clk      (clk),
      .rst      (rst),
      .in_valid (s_axis_i_tvalid),
      .in_ready (s_axis_i_tready),
      .in_data  ({s_axis_i_tlast, s_axis_i_tdata}),
      .out_valid(m_axis_o_tvalid),
      .out_ready(m_axis_o_tready),
      .out_data ({m_axis_o_tlast, m_axis_o_tdata})
  );

endmodule

`default_nettype wire
""")

_ARBITER = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                     clk,
    input  wire                     rst,              // synchronous
$ports
    output wire                     m_axis_o_tvalid,
    input  wire                     m_axis_o_tready,
    output wire [PORT_W+WORD_W-1:0] m_axis_o_tdata,   // {port, word}
    output wire                     m_axis_o_tlast
);

  tw_arbiter #(
      .PORTS (PORTS),
      .DATA_W(WORD_W),
      .PORT_W(PORT_W)
  ) u_core (
      .clk      (clk),
      .rst      (rst),
      .in_valid ({$valid}),
      .in_ready ({$ready}),
      .in_data  ({$data}),
      .in_last  ({$last}),
      .out_valid(m_axis_o_tvalid),
      .out_ready(m_axis_o_tready),
      .out_data (m_axis_o_tdata[WORD_W-1:0]),
      .out_last (m_axis_o_tlast),
      .out_port (m_axis_o_tdata[WORD_W+:PORT_W])
  );

endmodule

`default_nettype wire
""")

_PORT = Template("""\
    input  wire                     s_axis_${i}_tvalid,
    output wire                     s_axis_${i}_tready,
    input  wire [       WORD_W-1:0] s_axis_${i}_tdata,
    input  wire                     s_axis_${i}_tlast,""")


@constants.register
def _(params: FifoParams) -> dict[str, int | str]:
    return {"DEPTH": params.depth, "WORD_W": params.bits}


@constants.register
def _(params: SkidParams) -> dict[str, int | str]:
    return {"WORD_W": params.bits}


@constants.register
def _(params: ArbiterParams) -> dict[str, int | str]:
    return {"PORTS": params.ports, "WORD_W": params.bits, "PORT_W": params.port_bits}


def fifo_sources(params: FifoParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    return modules("fabric", ("tw_fifo",)) | _buffer(params, f"FIFO of {params.depth} beats", "tw_fifo", ("DEPTH",))


def skid_sources(params: SkidParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    sources = modules("systolic", ("tw_skid",)) | modules("fabric", ("tw_slice",))
    return sources | _buffer(params, "register slice", "tw_slice", ())


def _buffer(params: FifoParams | SkidParams, title: str, module: str, names: tuple[str, ...]) -> dict[str, str]:
    values = constants(params)
    text = _BUFFER.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        module=module,
        parameters=connections({key: key for key in names}) + ",\n" if names else "",
    )
    return {f"{params.name}.sv": text}


def arbiter_sources(params: ArbiterParams) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    downwards = range(params.ports - 1, -1, -1)
    joined = {end: ", ".join(f"s_axis_{i}_t{end}" for i in downwards) for end in ("valid", "ready", "data", "last")}
    text = _ARBITER.substitute(
        header=header(
            params.name,
            f"round-robin arbiter of {params.ports} streams of packets",
            {key.lower(): value for key, value in values.items()},
        ),
        name=params.name,
        constants=localparams(values),
        ports="\n".join(_PORT.substitute(i=i) for i in range(params.ports)),
        **joined,
    )
    return {
        **modules("systolic", ("tw_skid",)),
        **modules("fabric", ("tw_arbiter",)),
        f"{params.name}.sv": text,
    }


@stream_work.register(FifoParams)
@stream_work.register(SkidParams)
def _(params: FifoParams | SkidParams, words: IntArray) -> StreamWork:
    sent, got = ([[int(word) for word in row] for row in rows] for rows in (words, params.golden(words)))
    return StreamWork(
        inputs={"s_axis_i": Beats.of_packets(sent)},
        outputs={"m_axis_o": Beats.of_packets(got)},
        cycles=params.cycles(words),
    )


@stream_work.register
def _(params: ArbiterParams, words: IntArray, marks: IntArray) -> StreamWork:
    return StreamWork(
        inputs={f"s_axis_{i}": Beats.of_packets(own) for i, own in enumerate(params.packets(words, marks))},
        outputs={
            "m_axis_o": Beats.of_packets(
                [port << params.bits | word for word in packet] for port, packet in params.golden(words, marks)
            )
        },
        cycles=params.cycles(words, marks),
        sources={"m_axis_o": params.bits},
    )


def draw_words(bits: int, shape: tuple[int, ...], rng: np.random.Generator, corner: Corner) -> IntArray:
    """Return words of `bits` bits: any, the two ends, or mostly zero; of type object above 62 bits."""
    if corner == "extreme":
        drawn = [int(bit) * ((1 << bits) - 1) for bit in rng.integers(0, 2, int(np.prod(shape)))]
    else:
        drawn = [int.from_bytes(rng.bytes(bits // 8 + 1)) & ((1 << bits) - 1) for _ in range(int(np.prod(shape)))]
    words = np.array(drawn, dtype=np.int64 if bits <= 62 else object).reshape(shape)
    return words * (rng.random(shape) < 0.2) if corner == "sparse" else words


@draw.register(FifoParams)
@draw.register(SkidParams)
def _(params: FifoParams | SkidParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray]:
    most = params.depth if isinstance(params, FifoParams) else 2
    shape = (1, 1) if corner == "single" else (int(rng.integers(1, 5)), int(rng.integers(1, min(2 * most, 40) + 6)))
    return (draw_words(params.bits, shape, rng, corner),)


@draw.register
def _(params: ArbiterParams, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    """Return packets of one word under ``extreme``, and few ports that ask under ``sparse``."""
    shape = (params.ports, 1 if corner == "single" else int(rng.integers(2, 16)))
    shares = {"random": (0.2, 0.5, 0.3), "extreme": (0.0, 0.0, 1.0), "sparse": (0.85, 0.1, 0.05)}
    marks = rng.choice(3, shape, p=shares.get(corner, (0.5, 0.0, 0.5)))
    marks[rng.integers(params.ports), 0] = ArbiterParams.END
    return draw_words(params.bits, shape, rng, corner), marks


@exhaustive.register
def _(params: FifoParams) -> tuple[IntArray] | None:
    return None if 1 << params.bits > EXHAUSTIVE_LIMIT else (np.arange(1 << params.bits, dtype=np.int64)[None],)


@exhaustive.register
def _(params: SkidParams) -> tuple[IntArray] | None:
    return None if 1 << params.bits > EXHAUSTIVE_LIMIT else (np.arange(1 << params.bits, dtype=np.int64)[None],)


@exhaustive.register
def _(params: ArbiterParams) -> tuple[IntArray, IntArray] | None:
    """Return, for up to four ports, every assignment of up to two words to packets, one after another in one work."""
    if params.ports > 4:
        return None
    ways = np.array(list(product(((2, 0), (1, 2), (2, 2)), repeat=params.ports)))  # a port without words would drift
    marks = ways.transpose(1, 0, 2).reshape(params.ports, -1)
    return np.arange(marks.size, dtype=np.int64).reshape(marks.shape) % (1 << min(params.bits, 62)), marks
