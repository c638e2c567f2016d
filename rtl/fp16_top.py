"""FP16 multiply-add cores: generated top, constants, and operands as beats."""

from __future__ import annotations

from string import Template

import numpy as np

from hw_models.fp16 import FP16Params, float_codes
from hw_models.products import IntArray
from rtl.stimulus import Corner, draw
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.top_text import connections, header, localparams, modules
from workloads.formats import Float16

_TOP = Template("""\
$header
`default_nettype none

module $name #(
$constants
) (
    input  wire                         clk,
    input  wire                         rst,              // synchronous
    input  wire                         s_axis_a_tvalid,  // pair k of every output in rotation, then pair k + 1
    output wire                         s_axis_a_tready,
    input  wire [        EXP_W+MAN_W:0] s_axis_a_tdata,
    input  wire                         s_axis_a_tlast,   // last pair of its output
    input  wire                         s_axis_w_tvalid,  // one beat per beat of s_axis_a
    output wire                         s_axis_w_tready,
    input  wire [        EXP_W+MAN_W:0] s_axis_w_tdata,
    output wire                         m_axis_o_tvalid,  // one sum per output
    input  wire                         m_axis_o_tready,
    output wire [ACC_EXP_W+ACC_MAN_W:0] m_axis_o_tdata,
    output wire                         m_axis_o_tlast,
    output wire [                 31:0] stall_cycles      // cycles since reset in which a product waited for its sum
);

  fp_mac #(
$parameters
  ) u_mac (
$ports
  );

endmodule

`default_nettype wire
""")

_PORTS = ("clk", "rst", *(f"s_axis_a_t{end}" for end in ("valid", "ready", "data", "last")))
_PORTS += tuple(f"s_axis_w_t{end}" for end in ("valid", "ready", "data"))
_PORTS += (*(f"m_axis_o_t{end}" for end in ("valid", "ready", "data", "last")), "stall_cycles")


@constants.register
def _(params: FP16Params) -> dict[str, int | str]:
    operand, total = Float16(), params.accumulator_format
    return {
        "EXP_W": operand.exponent_bits,
        "MAN_W": operand.mantissa_bits,
        "ACC_EXP_W": total.exponent_bits,
        "ACC_MAN_W": total.mantissa_bits,
        "INTERLEAVE": params.interleave,
        "ADD_LATENCY": params.adder_latency_cycles,
        "MUL_LATENCY": params.multiplier_latency_cycles,
    }


def fp16_sources(params: FP16Params) -> dict[str, str]:
    """Return the modules of the core and its top, file name to text, in compile order."""
    values = constants(params)
    title = f"FP16 multiply-add, {params.interleave} {params.accumulator_format.name} sums in rotation"
    text = _TOP.substitute(
        header=header(params.name, title, {key.lower(): value for key, value in values.items()}),
        name=params.name,
        constants=localparams(values),
        parameters=connections({key: key for key in values}),
        ports=connections({port: port for port in _PORTS}),
    )
    sources = modules("systolic", ("tw_skid", "tw_delay")) | modules("dot", ("dot_front",))
    return {**sources, **modules("fp16", ("fp_round", "fp_mul", "fp_add", "fp_mac")), f"{params.name}.sv": text}


@stream_work.register
def _(params: FP16Params, a: IntArray, w: IntArray) -> StreamWork:
    sums = params.golden(a, w)
    outputs, length = a.shape
    cycles = params.cycles(outputs, length)
    rotated = (outputs // params.interleave, params.interleave, length)
    last = ((False,) * (length - 1) * params.interleave + (True,) * params.interleave) * rotated[0]
    beats = [
        Beats(tuple(int(code) for code in codes.reshape(rotated).transpose(0, 2, 1).ravel()), last) for codes in (a, w)
    ]
    return StreamWork(
        inputs={"s_axis_a": beats[0], "s_axis_w": beats[1]},
        outputs={"m_axis_o": Beats.of_packets([int(code)] for code in sums)},
        cycles=cycles,
    )


FP16_FINITE = tuple(sign | bits for bits in (0, 1, 0x3FF, 0x400, 0x3C00, 0x3C01, 0x7BFF) for sign in (0, 0x8000))
"""FP16 codes at the ends of their kinds: zeros, subnormals, least normal, one, one and an ulp, greatest."""
FP16_CORNERS = (*FP16_FINITE, 0x7C00, 0xFC00, 0x7E00, 0xFE00, 0x7C01, 0xFFFF)
"""Those, infinities, and quiet and signalling not-a-numbers."""


@draw.register
def _(params: FP16Params, rng: np.random.Generator, corner: Corner) -> tuple[IntArray, IntArray]:
    rotations, length = (1, 1) if corner == "single" else (int(rng.integers(1, 4)), int(rng.integers(1, 12)))
    shape = (2, rotations * params.interleave, length)
    if corner == "extreme":
        a, w = rng.choice(FP16_CORNERS if rng.random() < 0.5 else FP16_FINITE, shape)
    else:  # few enough that most sums stay finite, with signs that cancel and magnitudes that fall into subnormals
        values = rng.normal(size=shape) * 2.0 ** rng.integers(-14, 8, shape)
        a, w = float_codes(values.astype(np.float16), Float16())
    if corner == "sparse":
        a = np.where(rng.random(a.shape) < 0.8, a & 0x8000, a)  # zeros of either sign
    return a, w
