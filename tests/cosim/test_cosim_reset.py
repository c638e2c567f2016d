"""A reset of a single cycle, at every moment of a run: what is played behind it is as if nothing had been before.

Cores are reset while every input offers and every output is taken, nightly also with everything idle; engines within
bursts of both channels of the memory. In CI at some moments, nightly at each cycle of a run of 200 or less.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_models.layer_engine import EngineParams
from hw_models.systolic import SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from rtl.emit import emit
from rtl.engine_run import EngineRun, run_engine
from rtl.run import JobData, Scenario, run_scenarios
from rtl.stimulus import draw
from rtl.stream_core import stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import systolic_cases, systolic_nm_cases
from tests.cosim.engine_cases import BASE, BOTH, HASTY, INPUTS_STAY, OUTPUTS_STAY, THREE, Played
from tests.cosim.engine_judge import engines, memory_bytes
from tests.cosim.systolic_cases import fold_job, wrong_cycles, wrong_values
from tests.reference.profile import NIGHTLY, examples
from tilewright.cores import CoreRow, list_cores
from workloads.errors import InputError, MismatchError

pytestmark = pytest.mark.cosim

MOMENTS = 10
"""Moments at which a core is reset in CI, about."""
BUSY = (False, True) if NIGHTLY else (True,)
ENGINES = (
    pytest.param(BASE, 9, (7, 30, 50, 84), 1, id="ws"),
    pytest.param(INPUTS_STAY, 5, (7, 30, 45, 62), 1, id="is"),
    pytest.param(HASTY, 0, (5, 70, 133), 2, id="is-hasty"),
    pytest.param(BOTH, 4, (36, 150, 256), 5, id="ws-os"),
    pytest.param(OUTPUTS_STAY, 5, (), 2, id="os", marks=pytest.mark.nightly),
    pytest.param(THREE, 1, (), 7, id="ws-os-is", marks=pytest.mark.nightly),
)
"""Engine, which of its runs, cycles after which it is reset in CI, and how far apart they are nightly."""


def moments(cycles: int) -> range:
    """Return the cycles after which a run of `cycles` on a core is reset."""
    return range(1, cycles, max(1, cycles // examples(MOMENTS)))


def cores() -> list[CoreRow]:
    """Return the cores of the list; outside the nightly profile the first of each kind."""
    rows = [row for row in list_cores() if not isinstance(row.params, EngineParams)]
    kinds = {(type(row.params), getattr(row.params, "dataflow", "")): row for row in reversed(rows)}
    return rows if NIGHTLY else list(kinds.values())


def identifier(row: CoreRow) -> str:
    """Return a readable test name."""
    return row.name


def operands(params: SystolicParams, shape: tuple[int, int, int], seed: int) -> JobData:
    """Return random operands, pruned where the core wants it."""
    if isinstance(params, SystolicNMParams):
        return systolic_nm_cases.random_operands(params, shape, seed)
    return systolic_cases.random_operands(params, shape, seed)


@pytest.mark.parametrize("row", [row for row in cores() if isinstance(row.params, SystolicParams)], ids=identifier)
def test_array_forgets_at_a_reset(row: CoreRow) -> None:
    params = row.params
    assert isinstance(params, SystolicParams)
    shape = (3, params.rows + 1, params.cols + 1)
    jobs = tuple(operands(params, shape, seed) for seed in (1, 2))
    cycles = sum(params.cycles(fold_job(params, job)) for job in jobs)
    scenarios = [
        Scenario(jobs, back_to_back=bool(after % 2), reset_after_cycles=after, reset_busy=busy)
        for after in moments(cycles)
        for busy in BUSY
    ]
    runs = run_scenarios(params, scenarios)
    assert wrong_values(params, scenarios, runs) == []
    assert wrong_cycles(params, scenarios, runs) == []


@pytest.mark.parametrize("row", [row for row in cores() if not isinstance(row.params, SystolicParams)], ids=identifier)
def test_stream_core_forgets_at_a_reset(row: CoreRow) -> None:
    rng = np.random.default_rng(3)
    works = tuple(stream_work(row.params, *draw(row.params, rng, corner)) for corner in ("single", "random"))
    cycles = sum(work.cycles for work in works)
    alike = works[0].settings == works[1].settings
    scenarios = [
        StreamScenario(works, back_to_back=alike and bool(after % 2), reset_after_cycles=after, reset_busy=busy)
        for after in moments(cycles)
        for busy in BUSY
    ]
    for scenario, runs in zip(scenarios, run_streams(row.params, scenarios), strict=True):
        at = scenario.reset_after_cycles, scenario.reset_busy
        assert [run.wrong_beats(work) for run, work in zip(runs, works, strict=True)] == [0, 0], at
        if not scenario.back_to_back:
            assert [run.cycles for run in runs] == [work.cycles for work in works], at


def test_a_beat_taken_in_the_cycle_of_a_reset_is_noticed() -> None:
    """A register that loses its reset while something is offered passes with idle inputs, not with busy ones."""
    row = next(row for row in list_cores() if row.name == "skid_8")
    sources = dict(emit(row.params))
    planted = sources["tw_slice.sv"].replace("if (rst) ", "if (rst & ~in_valid) ")
    assert planted != sources["tw_slice.sv"]
    sources["tw_slice.sv"] = planted
    works = (stream_work(row.params, *draw(row.params, np.random.default_rng(3), "random")),)
    idle = StreamScenario(works, reset_after_cycles=5)
    (runs,) = run_streams(row.params, [idle], sources=sources)
    assert runs[0].wrong_beats(works[0]) == 0
    with pytest.raises(MismatchError, match="surplus beat"):
        run_streams(row.params, [replace(idle, reset_busy=True)], sources=sources)


@pytest.mark.parametrize(("params", "place", "few", "step"), ENGINES)
def test_engine_forgets_at_a_reset(params: EngineParams, place: int, few: tuple[int, ...], step: int) -> None:
    case = engines()[params][place].case
    after = few if few and not NIGHTLY else range(1, case.predicted_cycles, step)
    played = [Played(case, reset_after_cycles=cycles, reset_cycles=1) for cycles in after]
    outcomes = run_engine(params, [one.run() for one in played], memory_bytes=memory_bytes(played))
    wrong = [(one.reset_after_cycles, one.verdict(got)) for one, got in zip(played, outcomes, strict=True)]
    assert [entry for entry in wrong if entry[1]] == []
    assert {channel for outcome in outcomes for channel in outcome.cut} == {"r", "w"}


def test_reset_of_no_cycle_is_refused() -> None:
    run = engines()[BASE][0].case.run()
    with pytest.raises(InputError, match="reset_cycles is 0, bound is >= 1"):
        replace(run, reset_cycles=0)
    assert isinstance(run, EngineRun)
