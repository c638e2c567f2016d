"""Run a generated core in an RTL simulator: values and cycles as the hardware has them."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw_models.systolic import IntArray, SystolicParams
from rtl.bench.protocol import JobRequest, Report, Request, ScenarioReport, ScenarioRequest
from rtl.emit import emit
from rtl.operands import job_beats, result_matrix
from rtl.simulator import Simulator, find_simulator
from rtl.systolic_top import systolic_constants
from workloads.errors import InputError, InternalError, MismatchError

BENCH = "rtl.bench.systolic_bench"


@dataclass(frozen=True, slots=True, eq=False)
class JobData:
    """Operands of one job: activations (M, K) and weights (K, N), integer codes of the core's formats."""

    a: IntArray
    w: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class JobRun:
    """What one job did in the simulator.

    `issue_cycle` and `last_cycle` are the clock edges of the ``cfg`` handshake and of the last result's.
    """

    issue_cycle: int
    last_cycle: int
    outputs: IntArray

    @property
    def cycles_issue_to_last(self) -> int:
        """Value of the time from issue to the last result, in cycles."""
        return self.last_cycle - self.issue_cycle


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """Jobs played one after another.

    Parameters
    ----------
    back_to_back : bool
        Offer jobs and operands as early as the core takes them; otherwise a job starts when the one before has ended.
    earliest_issue_cycles : tuple of int
        With `back_to_back`: per job, time since the first issue before which neither it nor its operands are offered;
        empty for no such bound.
    idle_percent, back_pressure_percent : int
        Share of cycles in which an operand source holds back, or the sink is not ready.
    seed : int
        Of the pauses.
    reset_after_cycles : int, optional
        Start, reset in the middle, then play the whole scenario.
    reset_busy : bool
        Offer on every input and take on every output in the cycle of that reset; otherwise nothing moves in it.
    check_paths : bool
        Also check each cycle that no output answers an input in the same cycle.
    """

    jobs: tuple[JobData, ...]
    back_to_back: bool = False
    earliest_issue_cycles: tuple[int, ...] = ()
    idle_percent: int = 0
    back_pressure_percent: int = 0
    seed: int = 0
    reset_after_cycles: int | None = None
    reset_busy: bool = False
    check_paths: bool = False

    def __post_init__(self) -> None:
        if not self.jobs:
            raise InputError("rtl scenario: no jobs, bound is >= 1; add one")
        if self.earliest_issue_cycles and len(self.earliest_issue_cycles) != len(self.jobs):
            raise InputError(
                f"rtl scenario: {len(self.earliest_issue_cycles)} earliest_issue_cycles for {len(self.jobs)} jobs; "
                f"give one per job or none"
            )
        for key, value in (("idle_percent", self.idle_percent), ("back_pressure_percent", self.back_pressure_percent)):
            if not 0 <= value <= 95:
                raise InputError(f"rtl scenario: {key} is {value}, bound is 0..95; choose a share in it")


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioRun:
    """Jobs of a scenario as the simulator ran them."""

    jobs: tuple[JobRun, ...]

    @property
    def total_cycles(self) -> int:
        """Value of the time from the first issue to the last result, in cycles."""
        return self.jobs[-1].last_cycle - self.jobs[0].issue_cycle


def run_core(
    params: SystolicParams,
    jobs: Sequence[JobData],
    simulator: str = "icarus",
    idle_percent: int = 0,
    back_pressure_percent: int = 0,
    work_dir: Path | None = None,
) -> list[JobRun]:
    """Run `jobs` one at a time, each on an idle core, and return what each did."""
    scenario = Scenario(tuple(jobs), idle_percent=idle_percent, back_pressure_percent=back_pressure_percent)
    return list(run_scenarios(params, [scenario], simulator, work_dir)[0].jobs)


def run_sequence(
    params: SystolicParams, jobs: Sequence[JobData], simulator: str = "icarus", work_dir: Path | None = None
) -> ScenarioRun:
    """Run `jobs` back to back, each accepted as early as the core accepts it."""
    return run_scenarios(params, [Scenario(tuple(jobs), back_to_back=True)], simulator, work_dir)[0]


def run_scenarios(
    params: SystolicParams,
    scenarios: Sequence[Scenario],
    simulator: str = "icarus",
    work_dir: Path | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[ScenarioRun]:
    """Play `scenarios` in one simulation of the core.

    Parameters
    ----------
    work_dir : Path, optional
        Where sources, build, log and bench files go; it must not hold an earlier run. A temporary folder otherwise.
    sources : mapping, optional
        Other sources than ``emit(params)``, as for a planted mistake.

    Raises
    ------
    InputError
        If the simulator is not installed or a job does not fit the core.
    MismatchError
        If the core hangs or breaks a rule of its interface.
    """
    found = find_simulator(simulator)
    request: Request = {
        "parameters": systolic_constants(params),
        "scenarios": [_request(params, scenario) for scenario in scenarios],
    }
    sources = emit(params) if sources is None else sources
    if work_dir is None:
        with tempfile.TemporaryDirectory(prefix="tilewright_rtl_") as folder:
            report: Report = simulate_bench(params.name, sources, request, found, Path(folder), BENCH)
    else:
        work_dir.mkdir(parents=True, exist_ok=True)
        if any(work_dir.iterdir()):
            raise InputError(f"rtl run: folder '{work_dir}' is not empty; name a new one")
        report = simulate_bench(params.name, sources, request, found, work_dir, BENCH)
    return [
        ScenarioRun(tuple(_job_runs(params, scenario, played)))
        for scenario, played in zip(scenarios, report["scenarios"], strict=True)
    ]


def _request(params: SystolicParams, scenario: Scenario) -> ScenarioRequest:
    """Return `scenario` as the bench reads it."""
    jobs: list[JobRequest] = []
    bound_cycles = max(scenario.earliest_issue_cycles, default=0)
    for data in scenario.jobs:
        params.golden(data.a, data.w)  # refuses what the formats do not hold
        beats = job_beats(params, np.asarray(data.a, np.int64), np.asarray(data.w, np.int64))
        params.check_job(beats.job)
        bound_cycles += params.cycles(beats.job) + beats.results
        jobs.append(
            {
                "cfg": [beats.job.stream, beats.job.row_folds, beats.job.col_folds],
                "weights": [f"{beat:x}" for beat in beats.weights],
                "inputs": [f"{beat:x}" for beat in beats.inputs],
                "results": beats.results,
            }
        )
    # Pauses of two sources and the sink stretch a run by less than the product of their shares; twice that is a hang.
    stretch = 100**3 / ((100 - scenario.idle_percent) ** 2 * (100 - scenario.back_pressure_percent))
    return {
        "jobs": jobs,
        "back_to_back": scenario.back_to_back,
        "earliest_issue_cycles": list(scenario.earliest_issue_cycles or (0,) * len(jobs)),
        "idle_percent": scenario.idle_percent,
        "back_pressure_percent": scenario.back_pressure_percent,
        "seed": scenario.seed,
        "reset_after_cycles": scenario.reset_after_cycles,
        "reset_busy": scenario.reset_busy,
        "check_paths": scenario.check_paths,
        "timeout_cycles": 100 + int(2 * stretch * bound_cycles),
    }


def _job_runs(params: SystolicParams, scenario: Scenario, played: ScenarioReport) -> list[JobRun]:
    """Return the runs of a scenario's jobs from the bench's record."""
    runs = []
    for data, issue_cycle, last_cycle, beats in zip(
        scenario.jobs, played["issue_cycles"], played["last_cycles"], played["beats"], strict=True
    ):
        words = [int(beat, 16) for beat in beats]
        outputs = result_matrix(params, words, data.a.shape[0], data.w.shape[1])
        runs.append(JobRun(issue_cycle, last_cycle, outputs))
    return runs


def simulate_bench(
    name: str, sources: Mapping[str, str], request: Mapping[str, Any], simulator: Simulator, folder: Path, bench: str
) -> Any:
    """Build `sources` in `folder`, run the module `bench` on `request` and return its report.

    Raises
    ------
    MismatchError
        If the bench reports that the core hung or broke a rule of its interface.
    InternalError
        If the simulator failed.
    """
    from cocotb_tools.runner import get_runner  # heavy, and an extra: imported when a simulation is asked for

    for file, text in sources.items():
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    # The runner turns a failed test into an exit; what failed is in the report.
    failure: BaseException | None = None
    with simulator.activated(), _absolute_import_path():
        runner = get_runner(simulator.name)
        try:
            runner.build(
                sources=[folder / file for file in sources if file.endswith(".sv")],
                hdl_toplevel=name,
                build_dir=folder / "build",
                build_args=list(simulator.build_args),
                timescale=("1ns", "1ps"),
                log_file=folder / "build.log",
            )
            runner.test(
                test_module=bench,
                hdl_toplevel=name,
                build_dir=folder / "build",
                test_dir=folder,
                seed=0,
                extra_env={
                    "TILEWRIGHT_BENCH_REQUEST": str(folder / "request.json"),
                    "TILEWRIGHT_BENCH_REPORT": str(folder / "report.json"),
                },
                log_file=folder / "simulation.log",
            )
        except (RuntimeError, SystemExit) as error:
            failure = error
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InternalError(
            f"rtl core '{name}': {simulator.name} gave no report ({failure}){_tail(folder)}"
        ) from failure
    if report["error"] is not None:
        raise MismatchError(f"rtl core '{name}': {report['error']}")
    if failure is not None:
        raise InternalError(f"rtl core '{name}': {simulator.name} failed ({failure}){_tail(folder)}") from failure
    return report


@contextmanager
def _absolute_import_path() -> Iterator[None]:
    """Make ``sys.path`` absolute for a while: the runner hands it to a simulator that works in another folder."""
    before = list(sys.path)
    sys.path[:] = [str(Path(entry).resolve()) for entry in before]
    try:
        yield
    finally:
        sys.path[:] = before


def _tail(folder: Path) -> str:
    """Return the last lines of the newest log."""
    for log in (folder / "simulation.log", folder / "build.log"):
        if log.exists():
            return "; end of log:\n" + "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    return ""
