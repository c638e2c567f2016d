"""N:M sparse systolic cores against the golden model (bit for bit) and the closed form (cycle for cycle)."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hw_models.systolic import IntArray
from hw_models.systolic_nm import SystolicNMParams
from rtl.bench.protocol import JobRequest, Request, ScenarioRequest
from rtl.emit import emit
from rtl.operands import job_beats, result_matrix
from rtl.run import BENCH, JobData, Scenario, run_core, run_scenarios, simulate_bench
from rtl.simulator import find_simulator
from rtl.systolic_top import systolic_constants
from sim.array_queue import simulate_jobs
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.systolic_cases import fold_job, wrong_cycles, wrong_values
from tests.cosim.systolic_nm_cases import (
    CORES,
    MUTANTS,
    Flow,
    core,
    corner_jobs,
    every_pattern,
    random_jobs,
    random_operands,
    standard_scenarios,
    timed_scenarios,
)
from tests.reference.profile import examples
from tilewright.verification import verify_params
from workloads.errors import MismatchError
from workloads.formats import Int

pytestmark = pytest.mark.cosim


def identifier(params: SystolicNMParams) -> str:
    """Return a readable test name."""
    return lint_tests.identifier(params)


def assert_agrees(params: SystolicNMParams, scenarios: list[Scenario], simulator: str = "icarus") -> None:
    """Play `scenarios` and compare every value and every cycle count."""
    runs = run_scenarios(params, scenarios, simulator)
    assert wrong_values(params, scenarios, runs) == []
    assert wrong_cycles(params, scenarios, runs) == []


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_core_equals_its_model(params: SystolicNMParams) -> None:
    assert_agrees(params, standard_scenarios(params))


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_every_index_pattern_of_two_of_four_in_every_element(dataflow: Flow) -> None:
    params = core(dataflow, 2, 3, 2, 4)
    jobs = tuple(every_pattern(params, seed) for seed in range(examples(3)))
    patterns = {tuple(np.flatnonzero(group)) for job in jobs for group in job.w.T.reshape(-1, 4)}
    assert len(patterns) == 1 + 4 + 6
    assert_agrees(params, [Scenario(jobs, back_to_back=True)])


@pytest.mark.parametrize("pattern", [(1, 4), (2, 8), (4, 8)], ids=lambda pattern: f"{pattern[0]}of{pattern[1]}")
def test_every_index_pattern_of_the_other_listed_cores(pattern: tuple[int, int]) -> None:
    params = core("ws", 2, 1, *pattern)
    assert_agrees(params, [Scenario((every_pattern(params, 0),))])


@pytest.mark.parametrize("dataflow", ["ws", "os"])
@pytest.mark.parametrize("pattern", [(2, 4), (2, 5)], ids=lambda pattern: f"{pattern[0]}of{pattern[1]}")
def test_slots_mean_what_their_bits_say(dataflow: Flow, pattern: tuple[int, int], tmp_path: Path) -> None:
    params = core(dataflow, 1, 1, *pattern)
    a, words, sums = raw_slots(params)
    assert np.array_equal(raw_results(params, emit(params), a, words, tmp_path), sums)


def raw_slots(params: SystolicNMParams) -> tuple[IntArray, list[int], IntArray]:
    """Return activations, words of two slots, and sums by definition.

    Every pair of indices, in either order, twice the same and beyond the group, and any index beside a value of zero.
    """
    rng, width, group = np.random.default_rng(3), params.index_bits, params.group
    values = ((0, 0), (5, 0), (0, -7), (-128, 127))
    slots = [(v, w, i, j) for i, j in product(range(1 << width), repeat=2) for v, w in values]
    a = rng.integers(-128, 128, (2, group * len(slots)))
    groups = np.zeros((2, len(slots), 1 << width), np.int64)  # an index beyond the group finds 0
    groups[:, :, :group] = a.reshape(2, len(slots), group)
    sums = sum(v * groups[:, word, i] + w * groups[:, word, j] for word, (v, w, i, j) in enumerate(slots))
    words = [v & 255 | i << 8 | (w & 255 | j << 8) << (8 + width) for v, w, i, j in slots]
    return a, words, np.asarray(sums).reshape(2, 1)


def raw_results(
    params: SystolicNMParams, sources: dict[str, str], a: IntArray, words: list[int], folder: Path
) -> IntArray:
    """Return what a 1 x 1 core gives for weight words that nobody checked, the same for every row of `a`."""
    beats = job_beats(params, a, np.zeros((a.shape[1], 1), np.int64))
    job: JobRequest = {
        "cfg": [beats.job.stream, beats.job.row_folds, beats.job.col_folds],
        "weights": [f"{word:x}" for word in words * (len(beats.weights) // len(words))],
        "inputs": [f"{beat:x}" for beat in beats.inputs],
        "results": beats.results,
    }
    scenario: ScenarioRequest = {
        "jobs": [job], "back_to_back": False, "earliest_issue_cycles": [0], "idle_percent": 0,
        "back_pressure_percent": 0, "seed": 0, "reset_after_cycles": None, "reset_busy": False,
        "check_paths": False, "timeout_cycles": 5000,
    }  # fmt: skip
    request: Request = {"parameters": systolic_constants(params), "scenarios": [scenario]}
    report = simulate_bench(params.name, sources, request, find_simulator("icarus"), folder, BENCH)
    return result_matrix(params, [int(beat, 16) for beat in report["scenarios"][0]["beats"][0]], a.shape[0], 1)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_job_offered_at_any_time_ends_when_the_issue_rule_says(dataflow: Flow) -> None:
    params = core(dataflow, 3, 2, 2, 4)
    assert_agrees(params, timed_scenarios(params, range(1, 4 * params.rows + params.cols + 8)))


def test_groups_cost_what_single_places_cost_the_dense_core() -> None:
    """2:4 halves the products and quarters the folds: one cycle per group, not per kept weight."""
    params = core("ws", 4, 4, 2, 4)
    one, four = run_core(params, [random_operands(params, (9, k, 4), k) for k in (16, 64)])
    assert four.cycles_issue_to_last - one.cycles_issue_to_last == 3 * 9
    assert (one.cycles_issue_to_last, four.cycles_issue_to_last) == tuple(
        simulate_jobs(params, [params.job_for(9, k, 4)])[0][1] for k in (16, 64)
    )


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_verify_runs_it(dataflow: Flow) -> None:
    report = verify_params(core(dataflow, 2, 3, 1, 4))
    assert report.ok
    assert [row.run for row in report.rows] == ["alone", "back to back", "layer"]


@pytest.mark.nightly
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_verilator_agrees_too(dataflow: Flow) -> None:
    params = core(dataflow, 3, 4, 3, 5, (Int(8, signed=False), Int(5), Int(17)))
    assert_agrees(params, standard_scenarios(params), "verilator")


def faults(params: SystolicNMParams, sources: dict[str, str]) -> list[str]:
    """Return what is wrong with the core built from `sources`: its interface, its values or its cycles."""
    jobs = random_jobs(params)
    played = [Scenario(jobs[:4]), Scenario(corner_jobs(params), back_to_back=True)]
    try:
        runs = run_scenarios(params, played, sources=sources)
    except MismatchError as error:
        return [str(error)]
    return wrong_values(params, played, runs) + wrong_cycles(params, played, runs)


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=[name for name, _, _ in MUTANTS])
def test_mutant_of_the_element_is_caught(name: str, old: str, new: str, tmp_path: Path) -> None:
    params = core("ws", 2, 2, 3, 5)
    if name == "choice kept":  # seen only where an index lies beyond the group
        params = core("ws", 1, 1, 2, 5)
    sources = emit(params)
    text = sources["systolic_mac.sv"]
    assert text.count(old) == 1
    edited = {**sources, "systolic_mac.sv": text.replace(old, new)}
    if name == "choice kept":
        a, words, sums = raw_slots(params)
        assert not np.array_equal(raw_results(params, edited, a, words, tmp_path), sums)
    else:
        assert faults(params, edited)


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: SystolicNMParams, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")


def test_weight_words_are_slots_in_order_of_their_index() -> None:
    params = core("ws", 1, 2, 2, 4)
    w = np.array([[0, 0], [3, 0], [0, 0], [-1, 5]])
    beats = job_beats(params, np.zeros((1, 4), np.int64), w)
    first, second = 3 | 1 << 8 | (255 | 3 << 8) << 10, 5 | 3 << 8
    assert beats.weights == (first | second << 20,)


def test_reduction_that_is_no_multiple_of_the_group_ends_in_a_short_group() -> None:
    params = core("os", 2, 2, 2, 4)
    data = JobData(np.ones((3, 6), np.int64), np.array([[1], [1], [0], [0], [1], [1]]))
    (run,) = run_core(params, [data])
    assert run.outputs.tolist() == [[4]] * 3
    assert run.cycles_issue_to_last == params.cycles(fold_job(params, data))
    assert fold_job(params, data).stream == 2
