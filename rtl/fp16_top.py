"""FP16 multiply-add cores: generated top, constants, and operands as beats."""

from __future__ import annotations

from string import Template

from hw_models.fp16 import FP16Params
from hw_models.products import IntArray
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
