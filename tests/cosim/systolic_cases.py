"""Cores, shapes and operand data that the co-simulation tests share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from hw_models.systolic import FoldJob, SystolicParams
from rtl.run import JobData, Scenario, ScenarioRun
from workloads.formats import Int

DATAFLOWS: tuple[Literal["ws", "os"], ...] = ("ws", "os")
SIZES = ((1, 1), (1, 3), (3, 1), (2, 3), (4, 4), (5, 2), (8, 8), (16, 16))
#: Input, weight, accumulator: unsigned, mixed signs, other widths, and accumulators that wrap.
FORMATS = (
    (Int(8, signed=False), Int(8, signed=False), Int(24, signed=False)),
    (Int(8, signed=False), Int(8), Int(17)),
    (Int(4), Int(6, signed=False), Int(10)),
    (Int(12), Int(5), Int(40)),
    (Int(1), Int(1, signed=False), Int(3)),
)


def core(
    dataflow: Literal["ws", "os"],
    rows: int,
    cols: int,
    formats: tuple[Int, Int, Int] = (Int(8), Int(8), Int(32)),
    accumulator_depth: int = 24,
) -> SystolicParams:
    """Return a core; the default depth is no power of two and equals the longest stream of `shapes`."""
    return SystolicParams(dataflow, rows, cols, *formats, accumulator_depth)


def shapes(params: SystolicParams) -> list[tuple[int, int, int]]:
    """Return GEMM shapes (M, K, N): ones, exact tiles, ragged tiles by one either way, long and short streams."""
    r, c = params.rows, params.cols
    return [
        (1, 1, 1),
        (1, 2 * r + 1, c),
        (2, 1, c + 1),
        (r, r, c),
        (r + 1, 2 * r, 2 * c),
        (min(2 * r + 1, 24), r + 1, max(c - 1, 1)),
        (24, 3 * r, c + 1),
        (3, 19, 2),
        (2 * r + 1, 1, 2 * c + 1),  # OS: folds shorter than their drain
    ]


def random_operands(params: SystolicParams, shape: tuple[int, int, int], seed: int) -> JobData:
    """Return operands uniform over the whole range of the formats."""
    m, k, n = shape
    draw = np.random.default_rng(seed)
    i, w = params.input_format, params.weight_format
    return JobData(
        draw.integers(i.min, i.max, (m, k), dtype=np.int64, endpoint=True),
        draw.integers(w.min, w.max, (k, n), dtype=np.int64, endpoint=True),
    )


def corner_operands(params: SystolicParams) -> list[JobData]:
    """Return jobs of extreme values: every corner of the product, zeros, and alternating signs."""
    m, k, n = 3, 2 * params.rows + 1, params.cols + 1
    i, w = params.input_format, params.weight_format
    jobs = [JobData(np.full((m, k), x), np.full((k, n), y)) for x in (i.min, i.max, 0) for y in (w.min, w.max, 0)]
    steps = np.arange(m * k).reshape(m, k) % 2
    return [*jobs, JobData(np.where(steps == 1, i.min, i.max), np.where(steps.T[:, [0] * n] == 1, w.max, w.min))]


def random_jobs(params: SystolicParams) -> tuple[JobData, ...]:
    """Return one job of random values per shape of `shapes`."""
    return tuple(random_operands(params, shape, seed) for seed, shape in enumerate(shapes(params)))


def fold_job(params: SystolicParams, data: JobData) -> FoldJob:
    """Return the folds of the job that `data` makes."""
    return params.job_for(data.a.shape[0], data.a.shape[1], data.w.shape[1])


def expected_last_cycles(params: SystolicParams, jobs: Sequence[FoldJob], offered_cycles: Sequence[int]) -> list[int]:
    """Return when each job of a back-to-back sequence ends, by the rule of docs/architecture.md §3.

    A job issues when it is offered and the last fold of the job before has started streaming.
    """
    ends: list[int] = []
    for index, (job, offered) in enumerate(zip(jobs, offered_cycles, strict=True)):
        previous = ends[-1] if ends else None
        issue = offered if previous is None else max(offered, previous - jobs[index - 1].stream)
        ends.append(params.stream_end_cycle(job, issue, previous))
    return [end + params.drain_latency_cycles for end in ends]


def wrong_values(params: SystolicParams, scenarios: Sequence[Scenario], runs: Sequence[ScenarioRun]) -> list[str]:
    """Return which jobs did not give the golden result."""
    return [
        f"scenario {s}, job {j}: values"
        for s, (scenario, run) in enumerate(zip(scenarios, runs, strict=True))
        for j, (data, got) in enumerate(zip(scenario.jobs, run.jobs, strict=True))
        if not np.array_equal(got.outputs, params.golden(data.a, data.w))
    ]


def wrong_cycles(params: SystolicParams, scenarios: Sequence[Scenario], runs: Sequence[ScenarioRun]) -> list[str]:
    """Return which jobs of the scenarios without pauses did not end when the closed form says."""
    wrong = []
    for s, (scenario, run) in enumerate(zip(scenarios, runs, strict=True)):
        if scenario.idle_percent or scenario.back_pressure_percent:
            continue
        folds = [fold_job(params, data) for data in scenario.jobs]
        if scenario.back_to_back:
            # Jobs without an earliest cycle are offered from the start, however long the core lets them wait.
            earliest = scenario.earliest_issue_cycles or (0,) * len(folds)
            offered = [run.jobs[0].issue_cycle + cycle for cycle in earliest]
            expected = expected_last_cycles(params, folds, offered)
        else:
            expected = [got.issue_cycle + params.cycles(job) for job, got in zip(folds, run.jobs, strict=True)]
        wrong += [
            f"scenario {s}, job {j}: ended at {got.last_cycle}, expected {cycle}"
            for j, (got, cycle) in enumerate(zip(run.jobs, expected, strict=True))
            if got.last_cycle != cycle
        ]
    return wrong


def standard_scenarios(params: SystolicParams) -> list[Scenario]:
    """Return the scenarios of one core: alone, back to back, paused, reset half way, corner values."""
    jobs = random_jobs(params)
    return [
        Scenario(jobs),
        Scenario(jobs, back_to_back=True),
        Scenario(jobs[::-1], back_to_back=True),
        Scenario(jobs, back_to_back=True, idle_percent=40, seed=1),
        Scenario(jobs, back_to_back=True, back_pressure_percent=60, seed=2),
        Scenario(jobs, idle_percent=20, back_pressure_percent=20, seed=3),
        Scenario(jobs[1:3], back_to_back=True, reset_after_cycles=params.rows + 3),
        Scenario(jobs[:3], back_to_back=True, reset_after_cycles=params.cycles(fold_job(params, jobs[0])) + 1),
        Scenario(tuple(corner_operands(params)), back_to_back=True),
    ]


def timed_scenarios(params: SystolicParams, gaps_cycles: Iterable[int]) -> list[Scenario]:
    """Return pairs of jobs, the second offered at every one of `gaps_cycles` after the first."""
    r, c = params.rows, params.cols
    pairs = [((1, 1, 1), (1, 1, 1)), ((2 * r + 2, 2 * r + 2, c), (1, 1, c)), ((1, 1, c), (r + 2, r + 2, c + 1))]
    return [
        Scenario(
            (random_operands(params, first, gap), random_operands(params, second, gap + 1)),
            back_to_back=True,
            earliest_issue_cycles=(0, gap),
        )
        for first, second in pairs
        for gap in gaps_cycles
    ]
