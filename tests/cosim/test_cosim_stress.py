"""Random cores, jobs, offer times and pauses (most of them nightly), and the size of the preset array (nightly)."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import pytest

from hw_models.systolic import SystolicParams
from rtl.run import JobData, Scenario, run_core, run_scenarios
from tests.cosim.systolic_cases import DATAFLOWS, core, random_operands, wrong_cycles, wrong_values
from workloads.formats import Int

pytestmark = pytest.mark.cosim


def random_core(draw: random.Random) -> SystolicParams:
    """Return a core of up to 6 x 6 with random formats and an accumulator that often wraps."""
    i, w = (Int(draw.randint(1, 10), draw.random() < 0.5) for _ in range(2))
    accumulator = Int(i.bits + w.bits + 1 + draw.choice((0, 3, 20)))
    rows, cols = draw.choice((1, 1, 2, 3, 4, 6)), draw.choice((1, 2, 3, 5, 6))
    return core(draw.choice(DATAFLOWS), rows, cols, (i, w, accumulator), accumulator_depth=draw.randint(8, 20))


def random_scenario(params: SystolicParams, draw: random.Random) -> Scenario:
    """Return up to eight jobs at random times, in half of the cases with pauses."""
    jobs = tuple(
        random_operands(params, (draw.randint(1, 8), draw.randint(1, 14), draw.randint(1, 9)), draw.randrange(2**32))
        for _ in range(draw.randint(1, 8))
    )
    times = [0, *sorted(draw.randint(0, 60 * len(jobs)) for _ in jobs[1:])]
    paused = draw.random() < 0.5
    return Scenario(
        jobs,
        back_to_back=True,
        earliest_issue_cycles=tuple(times),
        idle_percent=draw.choice((5, 50, 90)) if paused else 0,
        back_pressure_percent=draw.choice((0, 5, 50, 90)) if paused else 0,
        seed=draw.randrange(2**32),
        reset_after_cycles=draw.choice((None, None, draw.randint(1, 60))),
    )


@pytest.mark.parametrize(
    "seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(10, 60))]
)
def test_random_core_and_schedule(seed: int) -> None:
    draw = random.Random(seed)
    params = random_core(draw)
    scenarios = [random_scenario(params, draw) for _ in range(12)]
    runs = run_scenarios(params, scenarios)
    assert wrong_values(params, scenarios, runs) == []
    assert wrong_cycles(params, scenarios, runs) == []


@pytest.mark.nightly
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_preset_array_runs_a_ragged_layer_under_verilator(dataflow: Literal["ws", "os"]) -> None:
    """A 7 x 7 x 300 -> 100 point-wise layer on 32 x 32."""
    params = core(dataflow, 32, 32, accumulator_depth=512)
    draw = np.random.default_rng(7)
    data = JobData(draw.integers(-128, 128, (49, 300)), draw.integers(-128, 128, (300, 100)))
    run = run_core(params, [data], "verilator")[0]
    assert np.array_equal(run.outputs, params.golden(data.a, data.w))
    assert run.cycles_issue_to_last == params.cycles(params.job_for(49, 300, 100))
