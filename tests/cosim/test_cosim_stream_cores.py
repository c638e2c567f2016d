"""Every stream core's RTL against its golden model, bit for bit, and its cycle formula, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from rtl.stimulus import CORNERS, draw, exhaustive
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, WorkRun, run_streams
from tests.cosim.dot_cases import CORES
from tests.reference.profile import examples

pytestmark = pytest.mark.cosim


def identifier(params: object) -> str:
    """Return a readable test name."""
    return f"{getattr(params, 'name', '')}-{getattr(params, 'lanes', '')}"


def works_of(params: object, count: int, seed: int = 0) -> tuple[StreamWork, ...]:
    """Return drawn works, every corner in turn."""
    rng = np.random.default_rng(seed)
    return tuple(stream_work(params, *draw(params, rng, CORNERS[index % len(CORNERS)])) for index in range(count))


def assert_exact(works: tuple[StreamWork, ...], runs: list[WorkRun]) -> None:
    """Fail on any wrong beat."""
    assert [run.wrong_beats(work) for work, run in zip(works, runs, strict=True)] == [0] * len(works)


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles_are_exact(params: object) -> None:
    works = works_of(params, examples(12))
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True, check_paths=True),
        StreamScenario(works, back_to_back=True, idle_percent=40, seed=1),
        StreamScenario(works, back_to_back=True, back_pressure_percent=60, seed=2),
        StreamScenario(works, idle_percent=30, back_pressure_percent=30, seed=3, check_paths=True),
        StreamScenario(works, reset_after_cycles=5),
    ]
    alone, *others = run_streams(params, scenarios)
    assert_exact(works, alone)
    assert [run.cycles for run in alone] == [work.cycles for work in works]
    for runs in others:
        assert_exact(works, runs)
    assert [run.cycles for run in others[-1]] == [work.cycles for work in works]  # a reset leaves nothing behind


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) is not None], ids=identifier)
def test_every_pair_of_codes(params: object) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    if len(work.inputs["s_axis_a"].data) > examples(5000):
        pytest.skip("nightly: many pairs")
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles
