"""Zero-point correction: RTL against the asymmetric product by definition, alone and behind a systolic array."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hw_models.products import IntArray, codes_of
from hw_models.systolic import SystolicParams
from hw_models.zero_point import ZeroPointParams
from rtl.emit import emit
from rtl.operands import job_beats
from rtl.stream_core import Beats, StreamWork, constants, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from tests.cosim.zero_point_cases import CORES, tight
from tests.reference.profile import examples
from workloads.errors import MismatchError
from workloads.formats import Int

pytestmark = pytest.mark.cosim


def identifier(params: ZeroPointParams) -> str:
    """Return a readable test name."""
    return f"{params.name}-{params.cols}x{params.length}"


def every_code(params: ZeroPointParams) -> tuple[StreamWork, ...]:
    """Return, per activation zero point, every activation by every weight and weight zero point."""
    left, right = codes_of(params.input_format), codes_of(params.weight_format)
    w, zw = (grid.reshape(-1) for grid in np.meshgrid(right, right, indexing="ij"))
    return tuple(stream_work(params, left[:, None], w[None], int(za), zw) for za in left)


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: ZeroPointParams) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize(
    "params",
    [p for p in CORES if p.input_format.bits + p.weight_format.bits <= 8 and 4 in (p.input_format.bits, p.length)]
    + [tight(Int(2, signed), Int(2, not signed), 4, 1) for signed in (True, False)],
    ids=identifier,
)
def test_every_code_with_every_zero_point(params: ZeroPointParams) -> None:
    works = every_code(params)
    (runs,) = run_streams(params, [StreamScenario(works)])
    assert_exact(works, runs)
    assert [run.cycles for run in runs] == [work.cycles for work in works]


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_longest_reduction_of_end_codes(params: ZeroPointParams) -> None:
    """Every corner of activation, weight and both zero points at the full length: both ends of the result are met."""
    i, w = params.input_format, params.weight_format
    points = np.array([w.min, w.min, w.max, w.max])
    weights = np.tile([w.min, w.max, w.min, w.max], (params.length, 1))
    activations = np.repeat([[i.min], [i.max]], params.length, axis=1)
    works = tuple(stream_work(params, activations, weights, za, points) for za in (i.min, i.max))
    (runs,) = run_streams(params, [StreamScenario(works)])
    assert_exact(works, runs)
    most = params.length * (i.max - i.min) * (w.max - w.min)
    results = [params.golden(activations, weights, za, points) for za in (i.min, i.max)]
    assert (np.min(results), np.max(results)) == (-most, most)


@dataclass(frozen=True)
class Chain:
    """A systolic array whose results are the raw sums of a zero-point core; the job is a stream like any other."""

    array: SystolicParams
    core: ZeroPointParams
    name: str = "array_zero_point_chain"

    def sources(self) -> dict[str, str]:
        """Return both cores and a top that joins them."""
        both = {k: text for part in (self.array, self.core) for k, text in emit(part).items() if k.endswith(".sv")}
        array, core = self.array, self.core
        widths = {
            "j": 3 * array.COUNT_BITS, "w": array.cols * array.weight_format.bits,
            "a": array.rows * array.input_format.bits, "r": core.row_sum_format.bits, "c": core.cols * core.column_bits,
        }  # fmt: skip
        ports = ["input wire clk, rst, s_axis_r_tlast, m_axis_o_tready, output wire m_axis_o_tvalid, m_axis_o_tlast"]
        ports.append(f"output wire [{core.cols * core.output_format.bits}-1:0] m_axis_o_tdata")
        for port, width in widths.items():
            ports.append(f"input wire s_axis_{port}_tvalid, output wire s_axis_{port}_tready")
            ports.append(f"input wire [{width}-1:0] s_axis_{port}_tdata")
        fields = ", ".join(
            f".cfg_{field}(s_axis_j_tdata[{place * array.COUNT_BITS}+:{array.COUNT_BITS}])"
            for place, field in enumerate(("stream", "row_folds", "col_folds"))
        )
        return both | {
            f"{self.name}.sv": f"module {self.name} ({', '.join(ports)});\n"
            f"wire p_valid, p_ready, p_last; wire [{array.cols * array.accumulator_format.bits}-1:0] p_data;\n"
            f"{array.name} u_array (.*, .cfg_valid(s_axis_j_tvalid), .cfg_ready(s_axis_j_tready), {fields}, "
            f".m_axis_o_tvalid(p_valid), .m_axis_o_tready(p_ready), .m_axis_o_tdata(p_data), "
            f".m_axis_o_tlast(p_last));\n"
            f"{core.name} u_core (.*, .s_axis_p_tvalid(p_valid), .s_axis_p_tready(p_ready), .s_axis_p_tdata(p_data), "
            f".s_axis_p_tlast(p_last));\nendmodule\n"
        }


@constants.register
def _(params: Chain) -> dict[str, int | str]:
    return {}


@stream_work.register
def _(params: Chain, a: IntArray, w: IntArray, za: int, zw: IntArray) -> StreamWork:
    array, core = params.array, params.core
    back, front = stream_work(core, a, w, za, zw), job_beats(array, a, w)
    job = front.job
    word = job.stream | job.row_folds << array.COUNT_BITS | job.col_folds << 2 * array.COUNT_BITS
    inputs = {"s_axis_j": [word], "s_axis_w": front.weights, "s_axis_a": front.inputs}
    return StreamWork(
        {port: Beats.of_packets([beats]) for port, beats in inputs.items()}
        | {port: back.inputs[port] for port in ("s_axis_r", "s_axis_c")},
        back.outputs,
        array.cycles(job) + core.latency_cycles,
    )


def test_array_and_correction_give_the_asymmetric_product() -> None:
    formats = (Int(8, signed=False), Int(8))
    array = SystolicParams("ws", 4, 3, *formats, Int(24), 16)
    chain = Chain(array, ZeroPointParams(*formats, Int(24), 3, 24))
    rng = np.random.default_rng(6)
    works = []
    for m, k, n in ((1, 1, 1), (5, 4, 3), (7, 9, 8), *[(3, 24, 7)] * examples(2)):
        a, w = rng.integers(0, 256, (m, k)), rng.integers(-128, 128, (k, n))
        works.append(stream_work(chain, a, w, int(rng.integers(0, 256)), rng.integers(-128, 128, n)))
    scenarios = [
        StreamScenario(tuple(works)),
        StreamScenario(tuple(works), back_to_back=True, idle_percent=30, back_pressure_percent=50),
    ]
    alone, mixed = run_streams(chain, scenarios, sources=chain.sources())
    assert_exact(tuple(works), alone)
    assert_exact(tuple(works), mixed)
    assert [run.cycles for run in alone] == [work.cycles for work in works]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("zero_point_lane.sv", "base - product", "base + product"),
        ("zero_point_lane.sv", "(ROW_SIGNED != 0) & row", "row"),  # unsigned activations get a sign
        ("zero_point_lane.sv", "(WEIGHT_SIGNED != 0) & zero[WEIGHT_W-1]", "1'b0"),
        ("zero_point_lane.sv", "(SUM_SIGNED != 0) & sum[SUM_W-1]", "1'b0"),
        ("zero_point_lane.sv", " + $signed(folded)", ""),
        ("zero_point_front.sv", "open <= ~row_last", "open <= 1'b1"),  # constants of the first tile for ever
        ("zero_point_front.sv", "if (~open) op_const", "op_const"),
        ("zero_point_front.sv", "& (open | const_valid)", ""),  # constants late
        ("zero_point_front.sv", "take = ce &", "take ="),
        ("zero_point_front.sv", "      open   <= 1'b0;\n", "      open   <= open === 1'b1;\n"),
    ],
)
def test_a_planted_mistake_is_noticed(file: str, old: str, new: str) -> None:
    params = tight(Int(4, signed=False), Int(4), 2, 6)
    sources = emit(params)
    assert sources[file].count(old) == 1
    rng = np.random.default_rng(7)  # one row in many tiles: constants in every cycle
    row = stream_work(params, rng.integers(0, 16, (1, 6)), rng.integers(-8, 8, (6, 41)), 5, rng.integers(-8, 8, 41))
    works = (*works_of(params, 8), row)
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=1),
        StreamScenario(works, reset_after_cycles=5),
    ]
    try:
        played = run_streams(params, scenarios, sources={**sources, file: sources[file].replace(old, new)})
    except MismatchError:  # a hang or an X is noticed too
        return
    assert any(run.wrong_beats(work) for runs in played for run, work in zip(runs, works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: ZeroPointParams, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")  # type: ignore[arg-type]
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")  # type: ignore[arg-type]
