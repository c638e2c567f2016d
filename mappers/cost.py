"""Analytic cost of tilings of one layer, vectorised over tile sizes: cost model "tile roofline 1".

To the traffic of `mappers.traffic` it adds

* the time of the array from its first issue to its last operand: the fold rule of docs/architecture.md §3 summed
  over all ragged tiles in closed form;
* the ends: first weight and input tile, drain, last vector command, last store;
* the latency: the greatest of eight times, none of which the event model can undercut (`LayerCost.latency`);
* the energy of all counted accesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from hw_models.accelerator import Accelerator, Dataflow
from hw_models.array_timing import timing_of
from mappers.image import Index, IntArray, ceil_div
from mappers.mapping import TILED_DIMS
from mappers.problem import TileProblem
from mappers.traffic import PIXEL_DIMS, FloatArray, LayerTraffic, TensorCost

COST_MODEL = "tile roofline 1"
BUS_CHARGE_DIVISOR = 4
"""The search charges this part of the time of a beat, whatever else hides it."""
BUS_UNITS_LIMIT = 4096
"""Finest part of a cycle in which bus time is counted; a finer beat time is rounded down, which keeps the bound."""


class LayerCost(LayerTraffic):
    """Costs of tilings of one problem on one accelerator under one dataflow; see `LayerTraffic` for `only`."""

    def __init__(
        self,
        problem: TileProblem,
        accelerator: Accelerator,
        dataflow: Dataflow,
        only: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        super().__init__(problem, accelerator, dataflow, only)
        core = accelerator.core
        depth = core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes)
        self.timing = timing_of(core.array, dataflow, max(1, depth))
        per_beat = accelerator.dram.beats_cycles(1)
        self.units = min(per_beat.denominator, BUS_UNITS_LIMIT)
        self.beat_units = per_beat.numerator * self.units // per_beat.denominator

    @cached_property
    def pixel_work(self) -> PixelWork:
        """Sums over the ragged tiles of pixels, for every combination of their candidates."""
        shape, rows = tuple(len(self.axes[dim]) for dim in PIXEL_DIMS), self.array.rows
        places = np.unravel_index(np.arange(prod(shape)), shape)
        ix = dict.fromkeys(TILED_DIMS, np.zeros(prod(shape), dtype=np.int64)) | dict(
            zip(PIXEL_DIMS, places, strict=True)
        )
        first, side = self.timing.load_cycles + self.issue, self.array.cols if self.dataflow == "is" else rows
        streamed, waited, groups, m = (np.zeros(prod(shape), dtype=np.int64) for _ in range(4))
        for times, sizes in self.classes_of(ix, PIXEL_DIMS):
            m = _product(sizes)
            interval = np.maximum(m, rows)
            streamed += times * interval
            waited += times * (np.maximum(m, first) - interval)
            groups += times * ceil_div(m, side)
        return PixelWork(shape, streamed, waited, first - np.maximum(m, first) + m, groups)

    def array_cycles(self, ix: Index) -> IntArray:
        """Return the time from the first command's readiness to the last operand, in cycles: exact without stalls.

        WS: folds of one command start max(m, rows) apart; the next command's first fold starts max(m, load + issue)
        after the last one. OS: every fold ends max(k, rows) after the one before; with more than one issue cycle very
        short folds may start later than that (the model leaves it out and stays a bound). IS: as WS, output channels
        streamed and pixels in columns.
        """
        ax, rows = self.axes, self.array.rows
        columns = ax["K"].folds[ix["K"]] * self.size["G"]
        work, at = self.pixel_work, self.pixel_work.index(ix)
        if self.dataflow == "is":
            return self._is_cycles(ix)
        if self.dataflow == "ws":
            folds, jobs = ax["C"].folds[ix["C"]] * columns, self.trips_of(ix, ("C", "K", "G"))
            total: IntArray = folds * work.streamed[at] + jobs * work.waited[at] + work.end[at]
            return total
        groups = work.row_groups[at]
        tile, last = self.window_words(ix)
        streams = (ax["C"].trips[ix["C"]] - 1) * np.maximum(tile, rows) + np.maximum(last, rows)
        return columns * groups * streams - np.maximum(tile, rows) + tile + self.issue

    def _is_cycles(self, ix: Index) -> IntArray:
        ax, rows, k = self.axes, self.array.rows, self.axes["K"]
        first, last = self.timing.load_cycles + self.issue, k.last[ix["K"]]
        streamed, waited = np.zeros_like(ix["K"]), np.zeros_like(ix["K"])
        for times, size in ((k.trips[ix["K"]] - 1, k.tile[ix["K"]]), (np.ones_like(ix["K"]), last)):
            interval = np.maximum(size, rows)
            streamed = streamed + times * interval
            waited = waited + times * (np.maximum(size, first) - interval)
        columns = self.pixel_work.row_groups[self.pixel_work.index(ix)] * self.size["G"]
        jobs = self.trips_of(ix, ("C", "G", *PIXEL_DIMS))
        cycles: IntArray = ax["C"].folds[ix["C"]] * columns * streamed + jobs * waited
        return cycles + first - np.maximum(last, first) + last

    def window_words(self, ix: Index) -> tuple[IntArray, IntArray]:
        """Return how many operands of a PE the window of a whole and of the last tile of channels holds."""
        c, at, places, taps = self.axes["C"], ix["C"], self.problem.places, self.problem.taps
        return ceil_div(c.tile[at], places) * taps, ceil_div(c.last[at], places) * taps

    def last_job_cycles(self, ix: Index) -> IntArray:
        """Return the least time from the readiness of the last command to its last operand, in cycles."""
        ax, rows, taps = self.axes, self.array.rows, self.problem.taps
        m = np.ones_like(ix["K"])
        for dim in PIXEL_DIMS:
            m = m * ax[dim].last[ix[dim]]
        (_, words), columns = self.window_words(ix), ceil_div(ax["K"].last[ix["K"]], self.array.cols)
        columns = columns * ax["G"].last[ix["G"]]
        if self.dataflow == "is":
            m, columns = ax["K"].last[ix["K"]], ceil_div(m, self.array.cols) * ax["G"].last[ix["G"]]
        if self.dataflow == "os":
            stream, folds = words, ceil_div(m, rows) * columns
        elif self.array.reduction_unroll == "window":
            stream, folds = m, ceil_div(words, rows) * columns
        else:
            stream, folds = m, ceil_div(words // taps, rows) * taps * columns
        return self.issue + self.timing.load_cycles + (folds - 1) * np.maximum(stream, rows) + stream

    # --- objectives -------------------------------------------------------------------------------------------------

    def charge_cycles(self, ix: Index) -> IntArray:
        """Return the charge of the search for compute commands, in cycles: four issues (of one cycle or more) each.

        It is no part of the latency bound; it keeps the search from buying a few cycles at the ends with many commands.
        """
        return 4 * max(1, self.issue) * self.trips_of(ix, TILED_DIMS)

    def bus_charge(self, beats: IntArray | int) -> IntArray:
        """Return the charge of the search for bus beats, in units of 1/`units` cycle: a quarter of their time.

        It is no part of the latency bound either. The bus time of a layer is time in which its neighbours cannot
        prefetch; without the charge, traffic that hides behind the layer's own array time would be free.
        """
        charge: IntArray = np.asarray(self.beat_units * beats // BUS_CHARGE_DIVISOR)
        return charge

    def latency(self, array: IntArray, last_job: IntArray, i: TensorCost, w: TensorCost, o: TensorCost) -> IntArray:
        """Return the latency bound in units of 1/`units` cycle; the operands broadcast.

        The greatest of: first tiles, array, last tile; first tiles, vector unit, last store; the bus; the operand
        loads, then the last command and the last tile; what `outstanding` slots of the load and of the store engine
        allow; what the buffers allow, since a tile holds one from its request until the array has used it, and with a
        single accumulator buffer array and vector unit take turns.
        """
        dram, core, issue = self.accelerator.dram, self.accelerator.core, self.issue
        stored = self.problem.output_place == "dram"
        u, beat, first = self.units, self.beat_units, self.issue + max(1, dram.latency_cycles)
        ahead = i.end_beats if self.problem.weights_ready else i.end_beats + w.end_beats
        begin = u * first + beat * ahead
        tail = u * (issue + 1 + dram.latency_cycles if stored else 0) + beat * o.end_beats
        finish = u * (self.timing.drain_latency_cycles + o.last_vector_cycles) + tail
        load_beats = i.load_beats + w.load_beats + o.load_beats
        bus = beat * (load_beats + o.store_beats) + u * (first + (dram.latency_cycles if stored else 0))
        head = u * (issue + self.timing.load_cycles + 1 + self.timing.drain_latency_cycles)
        # a tile without input is not loaded, and its pass holds no buffer
        real_loads = 0 if self.problem.sees_border_alone else i.loads
        loads = beat * load_beats + u * first * (real_loads + w.loads + o.loads)
        stores = beat * o.store_beats + u * (issue + 1 + dram.latency_cycles) * o.stores
        slots = core.dma.store_slots
        load_slots = core.dma.load_slots
        result = np.maximum(begin + u * array + finish, begin + head + u * o.vector_cycles + tail)
        operands = beat * (i.load_beats + w.load_beats)
        result = np.maximum(result, np.maximum(bus, u * first + operands + u * last_job + finish))
        used = u * (array - self.timing.load_cycles - issue)
        ready = 1 if self.problem.weights_ready else 0
        held_by_input = 0 if self.problem.sees_border_alone else u * first * i.loads + beat * i.load_beats + used
        held_by_weight = u * first * np.maximum(w.loads - ready, 0) + beat * (w.load_beats - ready * w.end_beats) + used
        held = np.maximum(held_by_input // core.input.halves, held_by_weight // core.weight.halves)
        result = np.maximum(result, held + finish)
        if core.accumulator.halves == 1:
            turns = array + self.timing.drain_latency_cycles + o.vector_cycles
            result = np.maximum(result, begin + u * turns + tail)
        latency: IntArray = np.maximum(result, np.maximum(loads // load_slots, stores // slots))
        return latency

    def fixed_energy_pj(self, ix: Index) -> FloatArray:
        """Return the energy that the cuts do not change: MACs, array side of the scratchpads, vector unit, in pJ."""
        core, ax, size, array, problem = self.accelerator.core, self.axes, self.size, self.array, self.problem
        pixels = size["N"] * size["OD"] * size["OY"] * size["OX"]
        columns = ax["K"].folds[ix["K"]] * size["G"]
        if self.dataflow == "is":
            columns = self.pixel_work.row_groups[self.pixel_work.index(ix)] * size["G"]
            folds = ax["C"].folds[ix["C"]] * columns
            inputs, weights = folds * ax["K"].trips[ix["K"]] * array.pes, folds * (size["K"] * array.rows)
            writes = folds * (size["K"] * array.cols)
            reads = writes - columns * (size["K"] * array.cols)
        elif self.dataflow == "ws":
            folds = ax["C"].folds[ix["C"]] * columns
            inputs, weights = folds * (pixels * array.rows), folds * self.trips_of(ix, PIXEL_DIMS) * array.pes
            writes = folds * (pixels * array.cols)
            reads = writes - columns * (pixels * array.cols)
        else:
            rows = self.pixel_work.row_groups[self.pixel_work.index(ix)]
            (tile, last), trips = self.window_words(ix), ax["C"].trips[ix["C"]]
            streamed = rows * columns * ((trips - 1) * tile + last)
            inputs, weights = streamed * array.rows, streamed * array.cols
            writes, reads = rows * columns * array.pes * trips, rows * columns * array.pes * (trips - 1)
        outputs = problem.output_elements(size)
        constant = float(array.mac_pj) * problem.macs
        constant += float(core.vector.op_pj) * outputs * problem.lane_operations
        constant += float(core.accumulator.read_pj_per_byte) * outputs * problem.sum_bytes
        energy: FloatArray = (
            constant
            + float(core.input.read_pj_per_byte) * (problem.input_bytes * problem.places) * inputs
            + float(core.weight.read_pj_per_byte) * (problem.read_bits / 8) * weights
            + float(core.accumulator.write_pj_per_byte) * problem.sum_bytes * writes
            + float(core.accumulator.read_pj_per_byte) * problem.sum_bytes * reads
        )
        return energy


@dataclass(frozen=True, slots=True)
class PixelWork:
    """What the array's time depends on over N, OD, OY and OX, per combination of their candidates, flat.

    One pass over all tiles of pixels, per fold or command of the other dimensions.

    Parameters
    ----------
    shape : tuple of int
        Candidates of N, OD, OY, OX.
    streamed : ndarray
        WS: sum over tiles of the start-to-start interval of a fold, max(m, rows).
    waited : ndarray
        WS: what the first fold of each next command waits longer than that.
    end : ndarray
        WS: first weight load, and the last fold's m instead of its interval.
    row_groups : ndarray
        OS: groups of `rows` pixels; IS: of `cols`.
    """

    shape: tuple[int, ...]
    streamed: IntArray
    waited: IntArray
    end: IntArray
    row_groups: IntArray

    def index(self, ix: Index) -> IntArray:
        """Return the places of tiles `ix`, broadcast, in the flat tables."""
        at = ix[PIXEL_DIMS[0]]
        for dim, length in zip(PIXEL_DIMS[1:], self.shape[1:], strict=True):
            at = at * length + ix[dim]
        return at


def _product(sizes: Mapping[str, IntArray]) -> IntArray:
    result = np.ones_like(next(iter(sizes.values())))
    for size in sizes.values():
        result = result * size
    return result
