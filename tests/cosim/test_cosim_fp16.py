"""RTL of FP16 multiply, add and interleaved accumulation: numpy's bits, and the cycles and stalls of the formulas."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_models.fp16 import FP16Params, float_codes, float_values
from hw_models.products import IntArray
from rtl.emit import write
from rtl.fp16_top import FP16_CORNERS
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.fp16_cases import CORES, INTERLEAVED, LATENCIES, NAIVE
from tests.reference.profile import examples
from workloads.formats import Float16, Float32, FloatFormat

pytestmark = pytest.mark.cosim
F16, F32 = Float16(), Float32()
F32_CORNERS = tuple(
    sign | bits
    for bits in (
        0, 1, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0x3F800001, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001,
    )
    for sign in (0, 1 << 31)
)  # fmt: skip

_BENCH = """
module bench;
  reg clk = 0;
  reg [{w}-1:0] a[0:{n}-1], b[0:{n}-1];
  reg [{out_w}-1:0] results[0:{n}-1];
  reg [{w}-1:0] left, right;
  wire [{out_w}-1:0] y;
  {module} #({parameters}, .STAGES({stages})) dut (.clk(clk), .ce(1'b1), .a(left), .b(right), .y(y));
  integer i;
  initial begin
    $readmemh("a.hex", a);
    $readmemh("b.hex", b);
    for (i = 0; i < {n} + {stages}; i = i + 1) begin
      left = i < {n} ? a[i] : 0;
      right = i < {n} ? b[i] : 0;
      #1 if (i >= {stages}) results[i-{stages}] = y;
      clk = 1;
      #1 clk = 0;
    end
    $writememh("y.hex", results);
  end
endmodule
"""
_COUNTING_BENCH = """
module bench;
  reg clk = 0, rst = 1, go = 0;
  integer edges = 0, first = -1, last = -1, taken = 0, sums = 0;
  wire a_ready, w_ready, valid;
  wire [31:0] stalls;
  {name} dut (
      .clk(clk), .rst(rst), .s_axis_a_tvalid(go), .s_axis_a_tready(a_ready), .s_axis_a_tdata(16'h3c00),
      .s_axis_a_tlast(taken % {rotation} >= {rotation} - {interleave}), .s_axis_w_tvalid(go), .s_axis_w_tready(w_ready),
      .s_axis_w_tdata(16'h3c00), .m_axis_o_tvalid(valid), .m_axis_o_tready(1'b1), .m_axis_o_tdata(), .m_axis_o_tlast(),
      .stall_cycles(stalls));
  always begin
    #1 clk = 1;
    edges = edges + 1;
    if (go & a_ready & first < 0) first = edges;
    if (valid & ~rst) begin last = edges; sums = sums + 1; end
    if (go & a_ready) begin #1 taken = taken + 1; end else #1;
    rst = edges < 2;
    go = ~rst & taken < {beats};
    #1 clk = 0;
    if (edges == {cycles} + 20) begin
      $display("%0d %0d %0d", sums, last - first, stalls);
      $finish;
    end
  end
endmodule
"""


def simulated(folder: Path, bench: str, core: FP16Params, edited: Mapping[str, str] | None = None) -> str:
    """Run a plain test bench on the sources of `core`, or those `edited` of them, and return what it prints."""
    sources = [path.name for path in write(core, folder) if path.suffix == ".sv"]
    for name, text in (edited or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bench.sv").write_text(bench, encoding="utf-8")
    for command in (
        ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.sv", *sources],
        ["vvp", "-n", "bench.vvp"],
    ):
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout


def operands(form: FloatFormat, count: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return pairs of codes: every pair of corners, uniform bits, like exponents, and ends of the exponent range."""
    rng = np.random.default_rng(seed)
    corners = np.array(list(product(FP16_CORNERS if form == F16 else F32_CORNERS, repeat=2))).T
    part = -(-(count - corners.shape[1]) // 3)
    uniform = rng.integers(0, 1 << form.bits, (2, part))
    close = rng.integers(0, 1 << form.bits, (2, part))  # cancellation, ties, operands that just miss each other
    top = (1 << form.exponent_bits) - 1
    exponent = np.clip(
        (close[0] >> form.mantissa_bits & top) + rng.integers(-3, form.mantissa_bits + 4, part), 0, top - 1
    )
    close[1] = close[1] & ~(top << form.mantissa_bits) | exponent << form.mantissa_bits
    close[:, ::3] &= ~((1 << form.mantissa_bits // 2) - 1)
    middle = rng.integers(0, 1 << form.bits, (2, part))  # products about the least normal number
    half = np.clip((top >> 1) - exponent + rng.integers(-form.mantissa_bits - 2, 3, part), 0, top)
    for row, field in enumerate((exponent, half)):
        middle[row] = middle[row] & ~(top << form.mantissa_bits) | field << form.mantissa_bits
    a, b = np.concatenate([corners, uniform, close, middle, beside_half(form, rng)], axis=1)
    return a, b


def beside_half(form: FloatFormat, rng: np.random.Generator) -> IntArray:
    """Return pairs whose product is closest above or below half the least subnormal: its last bits decide."""
    mantissa = form.mantissa_bits
    left = rng.integers((1 << mantissa) + 1, 2 << mantissa, 200)
    right = (2 << 2 * mantissa) // left + rng.integers(0, 2, 200)
    total = (1 << (form.exponent_bits - 1)) - 2 - mantissa
    exponent = rng.integers(1, total, 200)
    hidden = 1 << mantissa
    near = np.array([left - hidden + (exponent << mantissa), right - hidden + (total - exponent << mantissa)])
    # Products of few bits about the least subnormals: exact, or exact ties, where a stray sticky bit shows.
    powers = rng.integers(1, total, 200)
    few = rng.integers(0, 4, (2, 200)) << (mantissa - 2)
    other = np.clip(total + rng.integers(-1, 5, 200) - powers, 1, (1 << form.exponent_bits) - 2)
    return np.concatenate([near, few + (np.array([powers, other]) << mantissa)], axis=1)


@pytest.mark.parametrize(
    ("module", "form", "result", "stages"),
    [
        ("fp_add", F16, F16, 0), ("fp_add", F16, F16, 2), ("fp_add", F32, F32, 0), ("fp_add", F32, F32, 7),
        ("fp_mul", F16, F16, 0), ("fp_mul", F16, F16, 3), ("fp_mul", F16, F32, 1), ("fp_mul", F32, F32, 0),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)  # fmt: skip
def test_operations_are_numpy_bit_for_bit(
    module: str, form: FloatFormat, result: FloatFormat, stages: int, tmp_path: Path
) -> None:
    a, b = operands(form, examples(21_000), seed=stages)
    assert len(a) >= 20_000
    for name, codes in (("a", a), ("b", b)):
        (tmp_path / f"{name}.hex").write_text("\n".join(f"{code:x}" for code in codes), encoding="utf-8")
    parameters = {"EXP_W": form.exponent_bits, "MAN_W": form.mantissa_bits}
    if module == "fp_mul":
        parameters |= {"OUT_EXP_W": result.exponent_bits, "OUT_MAN_W": result.mantissa_bits}
    bench = _BENCH.format(
        w=form.bits, out_w=result.bits, n=len(a), module=module, stages=stages,
        parameters=", ".join(f".{key}({value})" for key, value in parameters.items()),
    )  # fmt: skip
    simulated(tmp_path, bench, FP16Params(1, 1))
    lines = (tmp_path / "y.hex").read_text(encoding="utf-8").splitlines()
    got = np.array([int(line, 16) for line in lines if not line.startswith("//")])
    kind = float_values(np.zeros(1, dtype=np.int64), result).dtype
    left, right = float_values(a, form).astype(kind), float_values(b, form).astype(kind)
    with np.errstate(all="ignore"):
        wanted = float_codes(left + right if module == "fp_add" else left * right, result)
    wrong = np.flatnonzero(got != wanted)
    assert [(hex(a[i]), hex(b[i]), hex(got[i]), hex(wanted[i])) for i in wrong[:5]] == []


def identifier(params: FP16Params) -> str:
    """Return a readable test name."""
    return f"{params.accumulator_format.name}-{params.interleave}-of-{params.adder_latency_cycles}"


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: FP16Params) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


def counted(
    params: FP16Params, outputs: int, length: int, folder: Path, edited: Mapping[str, str] | None = None
) -> tuple[int, int, int]:
    """Return sums, cycles from the first handshake to the last, and stalls, with streams that never stall."""
    bench = _COUNTING_BENCH.format(
        name=params.name, beats=outputs * length, rotation=params.interleave * length, interleave=params.interleave,
        cycles=params.cycles(outputs, length),
    )  # fmt: skip
    sums, cycles, stalls = map(int, simulated(folder, bench, params, edited).split())
    return sums, cycles, stalls


@pytest.mark.parametrize("latency", LATENCIES)
def test_rotation_hides_the_adder_latency(latency: int, tmp_path: Path) -> None:
    naive, rotated = NAIVE[latency - 1], INTERLEAVED[latency - 1]
    length, overhead = 9, 1 + FP16Params.OUTPUT_CYCLES
    one_by_one = counted(naive, latency, length, tmp_path / "naive")
    together = counted(rotated, latency, length, tmp_path / "rotated")
    assert one_by_one[:2] == (latency, latency * length * latency + overhead)
    assert together == (latency, latency * length + latency - 1 + overhead, 0)


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_stall_counter(params: FP16Params, tmp_path: Path) -> None:
    outputs, length = 2 * params.interleave, 6
    assert counted(params, outputs, length, tmp_path) == (
        outputs, params.cycles(outputs, length), params.stall_cycles(outputs, length),
    )  # fmt: skip
    assert (params.stall_cycles(outputs, length) == 0) == (params.interleave >= params.adder_latency_cycles)


@pytest.mark.parametrize("params", [CORES[1], CORES[14], *CORES[-4:]], ids=identifier)
def test_lint(params: FP16Params, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")  # type: ignore[arg-type]
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")  # type: ignore[arg-type]
