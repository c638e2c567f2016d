"""Every planted RTL mistake is noticed, and the checks that notice them pass on the RTL as it is."""

from __future__ import annotations

from typing import Literal

import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import emit
from rtl.run import Scenario, run_scenarios
from tests.cosim.mutants import MUTANTS, Mutant
from tests.cosim.systolic_cases import core, fold_job, random_jobs, wrong_cycles, wrong_values
from workloads.errors import MismatchError
from workloads.formats import Int

pytestmark = pytest.mark.cosim


def cores(dataflow: Literal["ws", "os"]) -> list[SystolicParams]:
    """Return the cores that are tried in turn: signed, one row (distance-one hazards), unsigned."""
    unsigned = (Int(8, signed=False), Int(8, signed=False), Int(18, signed=False))
    return [core(dataflow, 3, 2), core(dataflow, 1, 2), core(dataflow, 2, 3, unsigned)]


def scenarios(params: SystolicParams) -> list[Scenario]:
    """Return a small set that still has every kind: alone, back to back, paused, reset half way."""
    jobs = random_jobs(params)
    short = (jobs[0], jobs[1], jobs[4], jobs[3], jobs[2], jobs[7])
    return [
        Scenario((*short, jobs[6])),  # jobs[6] fills the accumulator memory
        Scenario((*short, *short[::-1]), back_to_back=True),
        Scenario(short, back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=5),
        Scenario(short[:2], back_to_back=True, reset_after_cycles=params.rows + 2),
        Scenario(short[1:3], back_to_back=True, reset_after_cycles=params.cycles(fold_job(params, short[1])) - 1),
    ]


def faults(params: SystolicParams, sources: dict[str, str]) -> list[str]:
    """Return what is wrong with the core built from `sources`: its interface, its values or its cycles."""
    played = scenarios(params)
    try:
        runs = run_scenarios(params, played, sources=sources)
    except MismatchError as error:
        return [str(error)]
    return wrong_values(params, played, runs) + wrong_cycles(params, played, runs)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_rtl_as_it_is_has_no_fault(dataflow: Literal["ws", "os"]) -> None:
    for params in cores(dataflow):
        assert faults(params, emit(params)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    assert any(faults(params, mutant.apply(emit(params))) for params in cores(mutant.dataflow))


def test_mutants_are_many_and_distinct() -> None:
    assert len(MUTANTS) >= 20
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
