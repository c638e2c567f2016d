"""Zero-skipping rows: RTL against dense dot products, and cycles that follow the fullest PE of each block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.zero_skip import SkipParams
from rtl.emit import emit
from rtl.stimulus import exhaustive
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_rtl_lint as lint
from tests.cosim.skip_cases import CORES
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from tests.reference.profile import examples
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim


def identifier(params: SkipParams) -> str:
    """Return a readable test name."""
    return f"{params.name}-{params.pes}x{params.block}"


def shaped_works(params: SkipParams) -> list[StreamWork]:
    """Return works with empty, dense and one-sided blocks in every order of three."""
    rng = np.random.default_rng(5)
    patterns = [np.array([order // 9 % 3, order // 3 % 3, order % 3]) for order in range(27)]
    a = rng.integers(params.input_format.min, params.input_format.max + 1, (27, 3 * params.block))
    w = np.full((27, params.pes, 3, params.block), params.weight_format.max)
    for job, kinds in enumerate(patterns):
        w[job][:, kinds == 0] = 0  # nobody has a weight
        w[job][:-1, kinds == 1] = 0  # the last PE alone is full
    flat = w.reshape(27, params.pes, -1)
    together = stream_work(params, a, flat)
    return [*(stream_work(params, a[job : job + 1], flat[job : job + 1]) for job in range(0, 27, 4)), together]


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles_are_exact(params: SkipParams) -> None:
    works = (*works_of(params, examples(10)), *shaped_works(params))
    if (operands := exhaustive(params)) is not None and len(operands[0]) <= examples(1024):
        works = (*works, stream_work(params, *operands))
    short = works[: examples(10)]
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True),
        StreamScenario(short, back_to_back=True, idle_percent=40, seed=1, check_paths=True),
        StreamScenario(short, back_to_back=True, back_pressure_percent=60, seed=2),
        StreamScenario(short, idle_percent=30, back_pressure_percent=30, seed=3, check_paths=True),
        StreamScenario(short, reset_after_cycles=5),
        StreamScenario(short, back_to_back=True, reset_after_cycles=11),
    ]
    alone, *others = run_streams(params, scenarios)
    assert_exact(works, alone)
    assert [run.cycles for run in alone] == [work.cycles for work in works]
    for scenario, runs in zip(scenarios[1:], others, strict=True):
        assert_exact(scenario.works, runs)
    assert [run.cycles for run in others[-2]] == [work.cycles for work in short]  # a reset leaves nothing behind


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("skip_pick_bitmap.sv", "(value_valid | (left == '0))", "(left == '0)"),  # a block ends one cycle late
        ("skip_pick_bitmap.sv", "op_w <= take ? value : '0", "op_w <= value"),
        ("skip_control.sv", "(~busy | all_done)", "~busy"),  # a gap between blocks
        ("skip_mac.sv", "(product_first ? ACC_W'(0) : sum)", "sum"),
    ],
)
def test_a_planted_mistake_is_noticed(file: str, old: str, new: str) -> None:
    params = CORES[0]
    sources = emit(params)
    assert old in sources[file]
    works = tuple(shaped_works(params))
    try:
        (runs,) = run_streams(
            params, [StreamScenario(works)], sources={**sources, file: sources[file].replace(old, new)}
        )
    except MismatchError:  # a hang or an X is noticed too
        return
    assert any(run.wrong_beats(work) or run.cycles != work.cycles for run, work in zip(runs, works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: SkipParams, tmp_path: Path) -> None:
    lint.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint.test_slang_has_no_diagnostics(params, tmp_path / "slang")
