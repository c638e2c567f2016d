"""RTL of the epilogue against golden models and formulas: every core alone, disturbed, with every operand if few."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_models.pool import PoolParams
from hw_models.requant import RequantParams
from hw_models.thresholds import ThresholdParams, requantiser_thresholds
from rtl.emit import emit
from rtl.stimulus import exhaustive
from rtl.stream_core import stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.epilogue_cases import CORES, I8, U4
from tests.cosim.test_cosim_stream_cores import assert_exact, identifier, works_of
from tests.reference.profile import examples
from workloads.errors import MismatchError
from workloads.formats import Int

pytestmark = pytest.mark.cosim


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: object) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) is not None], ids=identifier)
def test_every_operand(params: object) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    if len(work.inputs["s_axis_x"].data) > examples(5000):
        pytest.skip("nightly: many operands")
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles


@pytest.mark.parametrize("rounding", ["half_up", "half_even"])
def test_every_end_of_every_operand_of_a_requantiser(rounding: str) -> None:
    """All ends of accumulator, bias, multiplier and shift, 64 bits wide; and of residuals at 30-bit multipliers."""
    low, high = -(1 << 31), (1 << 31) - 1
    for params in (RequantParams(4, I8, 32, 31, rounding), RequantParams(4, I8, 32, 30, rounding, I8)):  # type: ignore[arg-type]
        most = (1 << params.multiplier_bits) - 1
        ends = [
            (low, high),
            (low, -1, 0, high),
            (0, 1, most),
            (0, 1, 31, 47),
            *([(0, most)] if params.residual else []),
        ]
        x, bias, factor, shift, *added = np.array(list(product(*ends))).T
        output = np.array([-5, -128, 127])
        works = []
        for r, zero in ((-128, 127), (127, -128), (5, 5)):
            residual = (np.full((1, len(x)), r), added[0], zero) if params.residual else ()
            works.append(stream_work(params, x[None], bias, factor, shift, output, *residual))
        (runs,) = run_streams(params, [StreamScenario(tuple(works))])
        assert_exact(tuple(works), runs)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_slots_of_thresholds_are_not_overwritten_early(bits: int) -> None:
    """Tiles of about as many vectors as thresholds: a slot is filled again while its last vector is searched for."""
    params = ThresholdParams(2, Int(bits), 12)
    rng = np.random.default_rng(bits)
    works = []
    for m in (1, 2, params.thresholds - 1, params.thresholds, params.thresholds + 1, params.thresholds + 3):
        x = rng.integers(-2048, 2048, (max(m, 1), 9))
        works.append(stream_work(params, x, np.sort(rng.integers(-2048, 2048, (9, params.thresholds)), axis=1)))
    scenarios = [StreamScenario(tuple(works))]
    scenarios += [
        StreamScenario(tuple(works), True, idle, stalls, idle) for idle, stalls in ((0, 80), (10, 50), (50, 0))
    ]
    alone, *others = run_streams(params, scenarios)
    assert [run.cycles for run in alone] == [work.cycles for work in works]
    for runs in (alone, *others):
        assert_exact(tuple(works), runs)


def test_a_threshold_bank_stands_in_for_a_requantiser() -> None:
    """Both cores on the same sums give the same words."""
    params = RequantParams(4, U4, 16, 24, "half_even")
    rng = np.random.default_rng(4)
    x = rng.integers(-(1 << 15), 1 << 15, (40, 7))
    coefficients = (rng.integers(-999, 999, 7), rng.integers(1 << 22, 1 << 24, 7), rng.integers(32, 36, 7))
    operands = (*coefficients, np.array([3, 0, 15]))
    bank, thresholds = requantiser_thresholds(params, *operands)
    works = stream_work(params, x, *operands), stream_work(bank, x[:, :4], thresholds[:4])
    ((first,),) = run_streams(params, [StreamScenario(works[:1])])
    ((second,),) = run_streams(bank, [StreamScenario(works[1:])])
    assert_exact(works, [first, second])
    assert first.outputs["m_axis_o"].data[:40] == second.outputs["m_axis_o"].data
    assert len(set(second.outputs["m_axis_o"].data)) > 20


MEAN, MAXIMUM = PoolParams("avg", 2, 3, Int(3)), PoolParams("max", 2, 3, Int(3))
ADD = RequantParams(2, Int(4), 10, 20, "half_even", Int(4))
BANK = ThresholdParams(2, Int(3), 8)


@pytest.mark.parametrize(
    ("params", "file", "old", "new"),
    [
        (ADD, "requant_lane.sv", "shifted[0] & (shifted[1] | (|cut))", "shifted[0]"),  # half up
        (ADD, "requant_lane.sv", ">>> places", ">> places"),
        (ADD, "requant_lane.sv", "RESIDUAL != 0 ? 3 : 2", "2"),  # shift of the vector before
        (ADD, "epilogue_front.sv", "x_valid & r_valid &", "x_valid &"),
        (ADD, "epilogue_front.sv", "open <= ~x_last", "open <= 1'b1"),  # coefficients of the first tile for ever
        (ADD, "epilogue_front.sv", "      open     <= 1'b0;\n", "      open     <= open === 1'b1;\n"),
        (BANK, "threshold_front.sv", "write = ce & t_valid", "write = t_valid"),  # overtakes a search that stands
        (BANK, "threshold_front.sv", "      write_node <= BITS'(1);\n", ""),
        (BANK, "threshold_lane.sv", "(ACC_W + 1)'(sum[k]) >= bank", "(ACC_W + 1)'(sum[k]) > bank"),
        (MEAN, "pool_front.sv", "x_last | (count", "(count"),  # short windows run on
        (MAXIMUM, "pool_max_lane.sv", "(x ^ TURN) > (y ^ TURN)", "x > y"),
        (MAXIMUM, "pool_front.sv", "      count    <= COUNT_W'(1);\n", ""),
    ],
)
def test_a_planted_mistake_is_noticed(params: object, file: str, old: str, new: str) -> None:
    sources = emit(params)
    assert sources[file].count(old) == 1
    works = works_of(params, 8)
    disturbed = StreamScenario(works, back_to_back=True, idle_percent=20, back_pressure_percent=50, seed=1)
    scenarios = [StreamScenario(works), disturbed, *(StreamScenario(works, reset_after_cycles=n) for n in (5, 11))]
    try:
        played = run_streams(params, scenarios, sources={**sources, file: sources[file].replace(old, new)})
    except MismatchError:  # a hang or an X is noticed too
        return
    assert any(run.wrong_beats(work) for runs in played for run, work in zip(runs, works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: object, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")
