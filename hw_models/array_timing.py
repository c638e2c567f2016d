"""What the mapper and the event model ask of any array: job, cycles, accesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hw_models.accelerator import Dataflow, PEArray
from hw_models.systolic import FoldJob, SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from workloads.errors import InputError


class ArrayTiming(Protocol):
    """Fold timing of one array under one dataflow (docs/architecture.md §3)."""

    @property
    def load_cycles(self) -> int:
        """Value of the first weight load of a command, in cycles."""

    @property
    def drain_latency_cycles(self) -> int:
        """Value of the time from the last operand to the last result, in cycles."""

    def job_for(self, m: int, k: int, n: int) -> FoldJob:
        """Return the folds of a GEMM of `m` x `k` x `n`."""

    def interval_cycles(self, job: FoldJob) -> int:
        """Return the start-to-start interval of consecutive folds, in cycles."""

    def stream_end_cycle(self, job: FoldJob, issue_cycle: int, previous_end_cycle: int | None = None) -> int:
        """Return the time the last operand of `job`, issued at `issue_cycle`, has entered."""

    def cycles(self, job: FoldJob) -> int:
        """Return issue to last result when nothing stalls, in cycles."""


@dataclass(frozen=True, slots=True)
class AdderTreeParams:
    """Atomic dot-product array: `cols` trees of `rows` products, weights held while `stream` vectors pass.

    The next fold's weights load behind a shadow at one row of `cols` weights per cycle, as in the WS array.
    """

    rows: int
    cols: int
    tree_latency_cycles: int

    @property
    def load_cycles(self) -> int:
        """Value of the first weight load, in cycles."""
        return self.rows

    @property
    def drain_latency_cycles(self) -> int:
        """Value of the tree pipeline, in cycles."""
        return self.tree_latency_cycles

    def job_for(self, m: int, k: int, n: int) -> FoldJob:
        """Return the folds of a GEMM of `m` x `k` x `n`."""
        return FoldJob(stream=m, row_folds=-(-k // self.rows), col_folds=-(-n // self.cols))

    def interval_cycles(self, job: FoldJob) -> int:
        """Return the start-to-start interval of consecutive folds, in cycles."""
        return max(job.stream, self.rows)

    def stream_end_cycle(self, job: FoldJob, issue_cycle: int, previous_end_cycle: int | None = None) -> int:
        """Return the time the last operand of `job` has entered: the rule of the WS array."""
        start = issue_cycle + self.load_cycles
        if previous_end_cycle is not None:
            start = max(start, previous_end_cycle)
        return start + (job.folds - 1) * self.interval_cycles(job) + job.stream

    def cycles(self, job: FoldJob) -> int:
        """Return issue to last result when nothing stalls, in cycles."""
        return self.load_cycles + (job.folds - 1) * self.interval_cycles(job) + job.stream + self.drain_latency_cycles


@dataclass(frozen=True, slots=True)
class ArrayAccesses:
    """Scratchpad accesses of one job, array side only: operands of a PE, and elements of the accumulator.

    An operand of a PE is one activation and one weight; on an N:M array the activations of a group and its weight word.
    """

    input_reads: int
    weight_reads: int
    accumulator_reads: int
    accumulator_writes: int


def timing_of(array: PEArray, dataflow: Dataflow, accumulator_depth: int) -> ArrayTiming:
    """Return the timing object of `array` under `dataflow`.

    Raises
    ------
    InputError
        If the array does not have the dataflow, or the dataflow is not simulated yet.
    """
    if dataflow not in array.dataflows:
        raise InputError(
            f"array: dataflow '{dataflow}' is not one of {list(array.dataflows)}; choose one of these or extend it"
        )
    if dataflow == "rs":
        raise InputError(
            "array: dataflow 'rs' (row stationary) has no folds: it runs in passes; use `sim` on it, or choose an "
            "accelerator with ws, os or is"
        )
    if array.kind == "adder_tree":
        return AdderTreeParams(array.rows, array.cols, array.tree_latency_cycles)
    sizes = (dataflow, array.rows, array.cols, array.input_format, array.weight_format, array.accumulator_format)
    if array.sparsity is None:
        return SystolicParams(*sizes, accumulator_depth)
    return SystolicNMParams(*sizes, accumulator_depth, array.sparsity.kept, array.sparsity.group)


def timings_of(array: PEArray, accumulator_depth: int = 1) -> dict[Dataflow, ArrayTiming]:
    """Return the timing object of `array` under each of its dataflows that has folds."""
    return {flow: timing_of(array, flow, accumulator_depth) for flow in array.dataflows if flow != "rs"}


def accesses_of(array: PEArray, dataflow: Dataflow, job: FoldJob, accumulate: bool) -> ArrayAccesses:
    """Return the elements a job moves between the array and its scratchpads.

    A partial fold moves as much as a full one: idle rows and columns are clocked with zeros. WS: every fold loads
    `rows x cols` weights, streams `stream` vectors of `rows`, and updates `stream` vectors of `cols` partial sums; only
    the first row fold of a fresh tile does not read them. OS: every fold streams `stream` vectors of `rows` inputs
    and of `cols` weights and leaves `rows` vectors of `cols` sums. IS: as WS, activations loaded and weights streamed.
    """
    if dataflow in ("ws", "is"):
        sums = job.folds * job.stream * array.cols
        first = 0 if accumulate else job.col_folds * job.stream * array.cols
        streamed, loaded = job.folds * job.stream * array.rows, job.folds * array.pes
        inputs, weights = (streamed, loaded) if dataflow == "ws" else (loaded, streamed)
        return ArrayAccesses(inputs, weights, sums - first, sums)
    sums = job.folds * array.pes
    return ArrayAccesses(
        job.folds * job.stream * array.rows, job.folds * job.stream * array.cols, sums if accumulate else 0, sums
    )
