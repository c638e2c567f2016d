"""From a job that a systolic core gets wrong to the smallest one found: smaller sides, zeros for values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_models.products import packed
from hw_models.systolic import IntArray, SystolicParams
from rtl.operands import job_beats
from rtl.repro import write_repro
from rtl.run import JobData, Scenario, run_scenarios
from rtl.stream_core import Beats, StreamWork
from workloads.errors import InputError, MismatchError

ROUNDS = 16


@dataclass(frozen=True, slots=True, eq=False)
class FailedJob:
    """A job that goes wrong alone, and how: ``value``, ``cycle``, or the rule of the interface that the core breaks."""

    job: JobData
    kind: str


def shrink_job(
    params: SystolicParams, jobs: Sequence[JobData], sources: Mapping[str, str], simulator: str = "icarus"
) -> FailedJob | None:
    """Return the simplest failing job found from `jobs`; None if the core gets each of them right, alone.

    Parameters
    ----------
    sources : mapping of str to str
        The RTL under test, file name to text.
    """
    best = _first_failure(params, jobs, sources, simulator)
    for _ in range(ROUNDS):
        if best is None:
            return None
        simpler = sorted(_variants(best.job), key=_weight)
        found = _first_failure(params, simpler, sources, simulator)
        if found is None:
            return best
        best = found
    return best


def write_job_repro(folder: Path, params: SystolicParams, failed: FailedJob, sources: Mapping[str, str]) -> None:
    """Write `failed` as a folder of its own (`rtl.repro.write_repro`); the job is offered with its first operand."""
    beats = job_beats(params, np.asarray(failed.job.a, np.int64), np.asarray(failed.job.w, np.int64))
    results = _result_beats(params, failed.job)
    last = tuple(index == len(results) - 1 for index in range(len(results)))
    job = beats.job
    work = StreamWork(
        inputs={
            "s_axis_w": Beats(beats.weights, (False,) * len(beats.weights)),
            "s_axis_a": Beats(beats.inputs, (False,) * len(beats.inputs)),
        },
        outputs={"m_axis_o": Beats(results, last)},
        cycles=params.cycles(job),
        settings={"cfg_stream": job.stream, "cfg_row_folds": job.row_folds, "cfg_col_folds": job.col_folds},
    )
    offered = "s_axis_w_tvalid" if params.dataflow == "is" else "s_axis_a_tvalid"
    write_repro(folder, params.name, work, sources, {"cfg_valid": offered})


def _result_beats(params: SystolicParams, job: JobData) -> tuple[int, ...]:
    """Return the result beats of `job`, padding included: the inverse of `rtl.operands.result_matrix`."""
    a, w = np.asarray(job.a, np.int64), np.asarray(job.w, np.int64)
    lanes = params.cols
    result = params.golden(a, w)
    if params.dataflow == "is":
        result = result.T
    tall = params.rows if params.dataflow == "os" else 1
    result = np.pad(result, ((0, -result.shape[0] % tall), (0, -result.shape[1] % lanes)))
    columns = [result[:, at : at + lanes] for at in range(0, result.shape[1], lanes)]
    if params.dataflow == "os":  # rows of a fold leave last row first
        columns = [column.reshape(-1, tall, lanes)[:, ::-1].reshape(-1, lanes) for column in columns]
    words = np.concatenate(columns) & ((1 << params.accumulator_format.bits) - 1)
    return tuple(packed(np.array([int(word) for word in row], dtype=object), params.accumulator_format.bits)
                 for row in words)  # fmt: skip


def _first_failure(
    params: SystolicParams, jobs: Sequence[JobData], sources: Mapping[str, str], simulator: str
) -> FailedJob | None:
    """Return the first of `jobs`, simplest first, that the core gets wrong."""
    jobs = [job for job in jobs if _accepted(params, job)]
    if not jobs:
        return None
    try:
        (runs,) = run_scenarios(params, [Scenario(tuple(jobs))], simulator, sources=sources)
    except MismatchError as error:
        if len(jobs) == 1:
            return FailedJob(jobs[0], str(error))
        middle = (len(jobs) + 1) // 2  # a broken interface ends the simulation: look for whose fault it is
        halves = (jobs[:middle], jobs[middle:])
        return next((found for half in halves if (found := _first_failure(params, half, sources, simulator))), None)
    for job, run in zip(jobs, runs.jobs, strict=True):
        if (run.outputs != params.golden(job.a, job.w)).any():
            return FailedJob(job, "value")
        if run.cycles_issue_to_last != params.cycles(params.job_for(job.a.shape[0], job.a.shape[1], job.w.shape[1])):
            return FailedJob(job, "cycle")
    return None


def _accepted(params: SystolicParams, job: JobData) -> bool:
    """Tell whether `job` is one of the core: a shorter reduction may not be sparse any more."""
    try:
        params.golden(job.a, job.w)
    except InputError:
        return False
    return True


def _weight(job: JobData) -> tuple[int, int]:
    """Return elements and elements that are not zero."""
    return job.a.size + job.w.size, int(np.count_nonzero(job.a) + np.count_nonzero(job.w))


def _variants(job: JobData) -> Iterator[JobData]:
    """Yield jobs with one side halved or one shorter, or with some values zero."""
    a, w = np.asarray(job.a), np.asarray(job.w)
    (m, k), n = a.shape, w.shape[1]
    for size in {m // 2, m - 1} - {0}:
        yield JobData(a[:size], w)
        yield JobData(a[-size:], w)
    for size in {k // 2, k - 1} - {0}:
        yield JobData(a[:, :size], w[:size])
        yield JobData(a[:, -size:], w[-size:])
    for size in {n // 2, n - 1} - {0}:
        yield JobData(a, w[:, :size])
        yield JobData(a, w[:, -size:])
    for part in range(4):
        for operand in (0, 1):
            changed: list[IntArray] = [a.copy(), w.copy()]
            flat = changed[operand].reshape(-1)
            flat[part * flat.size // 4 : (part + 1) * flat.size // 4] = 0
            if (changed[operand] != (a, w)[operand]).any():
                yield JobData(*changed)
