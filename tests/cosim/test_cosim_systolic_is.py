"""Input-stationary systolic cores against the golden model (bit for bit) and the closed form (cycle for cycle)."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import emit
from rtl.run import Scenario, run_scenarios
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.mutants import MUTANTS, Mutant
from tests.cosim.systolic_cases import FORMATS, timed_scenarios, wrong_cycles, wrong_values
from tests.cosim.systolic_is_cases import CORES, TOP_MUTANTS, core, random_jobs, standard_scenarios
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim


def assert_agrees(params: SystolicParams, scenarios: list[Scenario], simulator: str = "icarus") -> None:
    """Play `scenarios` and compare every value and every cycle count."""
    runs = run_scenarios(params, scenarios, simulator)
    assert wrong_values(params, scenarios, runs) == []
    assert wrong_cycles(params, scenarios, runs) == []


@pytest.mark.parametrize("params", CORES, ids=lint_tests.identifier)
def test_core_equals_its_model(params: SystolicParams) -> None:
    assert_agrees(params, standard_scenarios(params))


def test_job_offered_at_any_time_ends_when_the_issue_rule_says() -> None:
    params = core(4, 2)
    assert_agrees(params, timed_scenarios(params, range(1, 4 * params.rows + params.cols + 8)))


def test_verilator_agrees_too() -> None:
    params = core(3, 4, FORMATS[1])
    assert_agrees(params, standard_scenarios(params), "verilator")


def faults(params: SystolicParams, sources: dict[str, str]) -> list[str]:
    """Return what is wrong with the core built from `sources`: its interface, its values or its cycles."""
    jobs = random_jobs(params)
    played = [
        Scenario(jobs),
        Scenario(jobs, back_to_back=True),
        Scenario(jobs[:6], back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=5),
        Scenario(jobs[:2], back_to_back=True, reset_after_cycles=params.rows + 2),
    ]
    try:
        runs = run_scenarios(params, played, sources=sources)
    except MismatchError as error:
        return [str(error)]
    return wrong_values(params, played, runs) + wrong_cycles(params, played, runs)


SHARED = ("ws_swap_late", "ws_load_after_swap", "acc_emits_partial_sums", "mac_drops_input_sign")


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name in SHARED], ids=lambda mutant: mutant.name)
def test_mutant_of_a_shared_module_is_caught(mutant: Mutant) -> None:
    params = core(3, 2)
    assert faults(params, mutant.apply(emit(params)))


@pytest.mark.parametrize(("name", "old", "new"), TOP_MUTANTS, ids=[name for name, _, _ in TOP_MUTANTS])
def test_mutant_of_the_top_is_caught(name: str, old: str, new: str) -> None:
    params = core(3, 3, FORMATS[2])  # equal sides: the streams differ in the width of their words alone
    sources = emit(params)
    file = f"{params.name}.sv"
    assert sources[file].count(old) == 1
    if name == "formats not exchanged":
        assert faults(params, sources) == []
    assert faults(params, {**sources, file: sources[file].replace(old, new)})


@pytest.mark.parametrize("params", [*CORES, core(3, 5), core(8, 8)], ids=lint_tests.identifier)
def test_lint_is_silent(params: SystolicParams, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")
