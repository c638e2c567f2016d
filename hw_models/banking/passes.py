"""Time of one pass of the array between scratchpads of banks: the fold rule with reads that take their cycles.

docs/architecture.md §3 gives the rule for reads without conflicts; here every operand vector enters after the cycles
that its banks take, and so do the vectors that load behind the shadow. The array moves in step: of reads that belong
to one step the slowest counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from hw_models.accelerator import Core, Dataflow
from hw_models.banking.banks import Banks, Layout
from hw_models.banking.conflicts import read_cycles
from hw_models.banking.reads import InputRead, WeightRead, input_pitches, packed_pitches, weight_pitches
from hw_models.banking.streams import (
    IDLE,
    input_by_pixel,
    input_by_window,
    weights_by_output,
    weights_by_window,
    window_folds,
)
from hw_models.products import IntArray


@dataclass(frozen=True, slots=True)
class PassReads:
    """What a pass reads, and how its tiles are laid out (of no consequence where a scratchpad has no banks)."""

    input: InputRead
    weight: WeightRead
    input_layout: Layout
    weight_layout: Layout


@dataclass(frozen=True, slots=True)
class PassTimes:
    """Folds of one pass, in cycles.

    Parameters
    ----------
    first_load_cycles : int
        Issue to first operand on an idle array (nothing for OS).
    first_stream_cycles, last_stream_cycles : int
        Streams of the first and of the last fold.
    span_cycles : int
        First operand to last operand.
    drain_interval_cycles : int
        OS: between the last operands of consecutive folds, at least; else 0.
    drain_extra_cycles : int
        Last operand to last result, beyond the latency of an array whose sums never wait for a bank.
    conflict_cycles : int
        Cycles of all streams in which no operand entered for want of a bank.
    folds : int
        Folds that were counted.
    """

    first_load_cycles: int
    first_stream_cycles: int
    last_stream_cycles: int
    span_cycles: int
    drain_interval_cycles: int
    drain_extra_cycles: int
    conflict_cycles: int
    folds: int

    def begin_end(self, issue_cycle: int, previous_end_cycle: int | None) -> tuple[int, int]:
        """Return the times of first and last operand of a pass issued at `issue_cycle`.

        `previous_end_cycle` is the last operand of the pass before, None after a pause for another dataflow.
        """
        begin = issue_cycle + self.first_load_cycles
        if previous_end_cycle is not None:
            # OS: the result rows of the fold before leave first
            apart = max(0, self.drain_interval_cycles - self.first_stream_cycles)
            begin = max(begin, previous_end_cycle + apart)
        return begin, begin + self.span_cycles


def row_cycles(elements: int, element_bytes: int, banks: Banks | None) -> int:
    """Return the cycles of reading `elements` in a row from the first bank on, as sums are kept; 1 without banks."""
    if banks is None:
        return 1
    words = -(-elements * element_bytes // banks.word_bytes)
    return int(read_cycles(np.arange(words, dtype=np.int64)[None, :] * banks.word_bytes, banks)[0])


class PassClock:
    """Times of the passes of one core; equal passes are counted once."""

    def __init__(self, core: Core) -> None:
        self._core, self._array = core, core.array
        self._input, self._weight = core.input.banks, core.weight.banks
        self._known: dict[tuple[Dataflow, PassReads], PassTimes] = {}
        self.update_cycles = row_cycles(core.array.cols, core.accumulator_bytes, core.accumulator.banks)
        """Cycles in which a vector of sums is read or written."""

    def times(self, dataflow: Dataflow, reads: PassReads) -> PassTimes:
        """Return the times of a pass."""
        key = (dataflow, reads)
        if key not in self._known:
            make = {"ws": self._weight_stationary, "os": self._output_stationary, "is": self._input_stationary}
            self._known[key] = make[dataflow](reads)
        return self._known[key]

    # --- dataflows ------------------------------------------------------------------------------------------------

    def _weight_stationary(self, reads: PassReads) -> PassTimes:
        array, plain = self._array, prod(reads.input.pixels)
        folds = self._folds(reads)
        columns = -(-reads.weight.outputs // array.cols)

        def group(index: int) -> tuple[IntArray, IntArray]:
            streams = np.full(len(folds), plain * self.update_cycles, dtype=np.int64)
            if self._input is not None:
                data = reads.input, reads.input_layout, self._input
                counts, cycles = input_by_window(*data, index, folds, reads.weight.places)
                streams = counts @ np.maximum(cycles, self.update_cycles)
            rows = None
            if self._weight is not None:
                rows = weights_by_output(reads.weight, reads.weight_layout, self._weight, index, array.cols)
            return _loaded(rows, folds, columns).ravel(), np.tile(streams, columns)

        return self._shadowed(reads, group, plain)

    def _input_stationary(self, reads: PassReads) -> PassTimes:
        array, plain = self._array, reads.weight.outputs
        folds = self._folds(reads)
        columns = -(-prod(reads.input.pixels) // array.cols)

        def group(index: int) -> tuple[IntArray, IntArray]:
            streams = np.full(len(folds), plain * self.update_cycles, dtype=np.int64)
            if self._weight is not None:
                cycles = weights_by_window(reads.weight, reads.weight_layout, self._weight, index, folds)
                streams = np.maximum(cycles, self.update_cycles).sum(axis=0)
            rows = None
            if self._input is not None:
                data = reads.input, reads.input_layout, self._input
                rows = input_by_pixel(*data, index, array.cols, reads.weight.places)
            return _loaded(rows, folds, columns).ravel(), np.tile(streams, columns)

        return self._shadowed(reads, group, plain)

    def _output_stationary(self, reads: PassReads) -> PassTimes:
        array = self._array
        plain = reads.weight.tile[1] * reads.weight.words
        columns, rows = -(-reads.weight.outputs // array.cols), -(-prod(reads.input.pixels) // array.rows)
        drain = array.rows * self.update_cycles

        def group(index: int) -> tuple[IntArray, IntArray]:
            inputs = np.ones((rows, plain), dtype=np.int64)
            weights = np.ones((columns, plain), dtype=np.int64)
            if self._input is not None:
                data = reads.input, reads.input_layout, self._input
                inputs = input_by_pixel(*data, index, array.rows, reads.weight.places)
            if self._weight is not None:
                weights = weights_by_output(reads.weight, reads.weight_layout, self._weight, index, array.cols)
            kinds, of_column = np.unique(weights, axis=0, return_inverse=True)
            steps = np.array([np.maximum(inputs, kind).sum(axis=1) for kind in kinds], dtype=np.int64)
            return steps[np.ravel(of_column)].ravel(), weights

        streams = np.concatenate([part[0] for part in self._by_group(reads, group)])
        span = int(streams[0] + np.maximum(streams[1:], drain).sum())
        stalled = int(streams.sum()) - len(streams) * plain
        return PassTimes(0, int(streams[0]), int(streams[-1]), span, drain, drain - array.rows, stalled, len(streams))

    # --- parts ------------------------------------------------------------------------------------------------------

    def _folds(self, reads: PassReads) -> IntArray:
        array, weight = self._array, reads.weight
        return window_folds(weight.tile[1], weight.words, array.rows, array.reduction_unroll)

    def _by_group(
        self, reads: PassReads, make: Callable[[int], tuple[IntArray, IntArray]]
    ) -> list[tuple[IntArray, IntArray]]:
        """Return `make(group)` per channel group; groups that start at the same place of the banks are one."""
        pitch, period = [0, 0], [1, 1]
        if self._input is not None:
            pitch[0], period[0] = (
                input_pitches(reads.input, reads.input_layout)[1],
                self._input.period_bytes,
            )
        if self._weight is not None:
            weight = reads.weight
            pitches = packed_pitches(weight) if weight.word_bits else weight_pitches(weight, reads.weight_layout)
            pitch[1], period[1] = pitches[0], self._weight.period_bytes
        known: dict[tuple[int, int], tuple[IntArray, IntArray]] = {}
        result = []
        for group in range(reads.input.groups):
            at = (group * pitch[0] % period[0], group * pitch[1] % period[1])
            if at not in known:
                known[at] = make(group)
            result.append(known[at])
        return result

    def _shadowed(self, reads: PassReads, make: Callable[[int], tuple[IntArray, IntArray]], plain: int) -> PassTimes:
        """Return the times of folds in order whose operands load behind a shadow."""
        parts = self._by_group(reads, make)
        loads, streams = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        span = int(np.maximum(loads[1:], streams[:-1]).sum() + streams[-1])
        stalled = int(streams.sum()) - len(streams) * plain
        return PassTimes(int(loads[0]), int(streams[0]), int(streams[-1]), span, 0, 0, stalled, len(streams))


def _loaded(cycles: IntArray | None, folds: IntArray, others: int) -> IntArray:
    """Return the cycles of loading every fold row by row, shape (others, folds); an idle row takes one cycle.

    `cycles` has shape (others, elements), or is None where every row takes one.
    """
    if cycles is None:
        return np.full((others, len(folds)), folds.shape[1], dtype=np.int64)
    return np.asarray(np.where(folds == IDLE, 1, cycles[:, folds]).sum(axis=2))
