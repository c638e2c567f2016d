"""Analytic cost of tilings of one layer, vectorised over tile sizes: cost model "tile roofline 1".

Per (tile sizes, loop order, cuts) the model gives, in exact integers,

* array cycles A: the fold rule of docs/architecture.md §3 summed over all ragged tiles;
* DRAM beats D: bytes moved with halo, borders clipped, partial-sum spills, cut into runs by the channels-innermost layout;
  a run pays whole beats, its alignment is not counted;
* vector cycles V; prologue P (first weight and input tile, first weight load) and epilogue E (drain, last vector tile,
  last store);

and from them the latency ``max(P + A + E, D + L, P + V) + S`` with L the DRAM latency and S a sequencing charge of four issue
cycles per compute command (load, compute, vector, store), and the energy from the access counts.

Shapes: every array has one entry per tiling under study; `Tilings` holds indices into the candidates of each dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Accelerator, Dataflow
from hw_models.array_timing import timing_of
from mappers.mapping import RELEVANT, TILED_DIMS
from mappers.problem import TileProblem
from mappers.tiles import Candidates, candidates

IntArray = npt.NDArray[np.int64]
SPATIAL = ("N", "OD", "OY", "OX")
COST_MODEL = "tile roofline 1"


def _ceil(a: IntArray, b: int | IntArray) -> IntArray:
    result: IntArray = -(-a // b)
    return result


@dataclass(frozen=True, slots=True)
class TensorCost:
    """Cost of one tensor at one cut, per tiling.

    `fits` tells whether the tile fits its slot; `bytes` and `beats` are DRAM traffic; `first_beats` those of the first
    (input, weight) or last (output) tile; `spill_bytes` the part of `bytes` that is partial sums; `vector_cycles` and
    `last_vector_cycles` are zero but for the output.
    """

    fits: npt.NDArray[np.bool_]
    bytes: IntArray
    beats: IntArray
    first_beats: IntArray
    spill_bytes: IntArray
    vector_cycles: IntArray
    last_vector_cycles: IntArray


class LayerCost:
    """Evaluates tilings of one problem on one accelerator under one dataflow."""

    def __init__(self, problem: TileProblem, accelerator: Accelerator, dataflow: Dataflow) -> None:
        core, dram = accelerator.core, accelerator.dram
        self.problem, self.accelerator, self.dataflow = problem, accelerator, dataflow
        self.array, self.beat = core.array, dram.beat_bytes
        depth = core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes)
        self.timing = timing_of(core.array, dataflow, max(1, depth))
        self.issue = core.dma.issue_cycles
        self.axes: dict[str, Candidates] = {
            dim: candidates(problem, dim, core.array, dataflow, self.beat) for dim in TILED_DIMS
        }
        self.size = problem.size
        self.outputs = problem.output_elements(self.size)
        self.stored = problem.stored_elements(self.size)

    # --- array ------------------------------------------------------------------------------------------------------

    def array_cycles(self, ix: dict[str, IntArray]) -> IntArray:
        """Return the array's busy time from the first issue to the last operand, in cycles."""
        ax, rows = self.axes, self.array.rows
        columns = ax["K"].folds[ix["K"]] * self.size["G"]
        groups = ax["K"].trips[ix["K"]] * ax["G"].trips[ix["G"]]
        last_m = np.ones_like(columns)
        for dim in SPATIAL:
            last_m = last_m * ax[dim].last[ix[dim]]
        if self.dataflow == "ws":
            streams, bubbles = np.zeros_like(columns), np.zeros_like(columns)
            for times, m in self._pixel_classes(ix):
                interval = np.maximum(m, rows)
                streams += times * interval
                bubbles += times * np.maximum(0, self.timing.load_cycles + self.issue - interval)
            total = ax["C"].folds[ix["C"]] * columns * streams + ax["C"].trips[ix["C"]] * groups * bubbles
            tail = np.maximum(last_m, self.timing.load_cycles + self.issue) - last_m
            return total - tail + self.issue + self.timing.load_cycles
        folds = np.zeros_like(columns)
        for times, m in self._pixel_classes(ix):
            folds += times * _ceil(m, rows)
        taps = self.problem.taps
        trips, tile, last = (getattr(ax["C"], key)[ix["C"]] for key in ("trips", "tile", "last"))
        streams = (trips - 1) * np.maximum(tile * taps, rows) + np.maximum(last * taps, rows)
        total = columns * folds * streams - (np.maximum(last * taps, rows) - last * taps)
        result: IntArray = total + self.issue
        return result

    def sequencing_cycles(self, ix: dict[str, IntArray]) -> IntArray:
        """Return the sequencing charge, in cycles."""
        commands = np.ones_like(ix["K"])
        for dim in TILED_DIMS:
            commands = commands * self.axes[dim].trips[ix[dim]]
        return 4 * self.issue * commands

    def _pixel_classes(self, ix: dict[str, IntArray]) -> list[tuple[IntArray, IntArray]]:
        """Return (how many tiles, output pixels of one) for each combination of whole and last iterations."""
        axes = [
            ((self.axes[d].trips[ix[d]] - 1, self.axes[d].tile[ix[d]]), (None, self.axes[d].last[ix[d]]))
            for d in SPATIAL
        ]
        classes = []
        for parts in product(*axes):
            times = np.ones(len(ix["K"]), dtype=np.int64)
            m = np.ones(len(ix["K"]), dtype=np.int64)
            for count, size in parts:
                times = times if count is None else times * count
                m = m * size
            if times.any():
                classes.append((times, m))
        return classes

    # --- tensors ----------------------------------------------------------------------------------------------------

    def _held(self, ix: dict[str, IntArray], order: Sequence[str], cut: int) -> dict[str, IntArray]:
        outside = set(order[:cut])
        return {
            d: self.axes[d].tile[ix[d]] if d in outside else np.full_like(ix[d], self.size[d]) for d in TILED_DIMS
        }

    def _trips(self, ix: dict[str, IntArray], order: Sequence[str], cut: int, role: str) -> IntArray:
        """Return how often each byte of the tensor moves: trips of outer loops that do not matter to it, free reuse skipped."""
        times = np.ones_like(ix["K"])
        matters = np.zeros(len(ix["K"]), dtype=bool)
        for dim in reversed(order[:cut]):
            trips = self.axes[dim].trips[ix[dim]]
            if dim in RELEVANT[role]:
                matters |= trips > 1
            else:
                times = times * np.where(matters, trips, 1)
        return times

    def _count(self, ix: dict[str, IntArray], order: Sequence[str], cut: int, dims: Sequence[str]) -> IntArray:
        count = np.ones_like(ix["K"])
        for dim in order[:cut]:
            if dim in dims:
                count = count * self.axes[dim].trips[ix[dim]]
        return count

    def _image_beats(
        self, lines: IntArray, pixels: IntArray, per_line: IntArray, channel_bytes: IntArray, splits: IntArray, whole: IntArray
    ) -> IntArray:
        """Return the beats of a channels-innermost image.

        Parameters
        ----------
        lines : ndarray
            Image rows moved (over all tiles).
        pixels : ndarray
            Pixels of one row moved, over its `per_line` tiles.
        channel_bytes, splits : ndarray
            Bytes of one pixel in one tile, and how many tiles share the pixel.
        whole : ndarray
            True where tiles cover whole rows and all channels, so that rows join into one run.
        """
        line_run = _ceil(_ceil(pixels, per_line) * channel_bytes, self.beat) * per_line
        joined = _ceil(lines * pixels * channel_bytes, self.beat)
        split = lines * pixels * splits * _ceil(channel_bytes, self.beat)
        return np.where(splits > 1, split, np.where(whole, joined, lines * line_run))

    def input_cost(self, ix: dict[str, IntArray], order: Sequence[str], cut: int) -> TensorCost:
        """Return the cost of the input held at `cut`."""
        problem, size, held = self.problem, self.size, self._held(ix, order, cut)
        zero = np.zeros_like(ix["K"])
        if problem.input_place == "resident":
            return TensorCost(np.ones(len(zero), dtype=bool), zero, zero, zero, zero, zero, zero)
        tile_bytes = held["N"] * held["G"] * held["C"] * problem.input_bytes
        span, first = {}, {}
        for dim in ("OD", "OY", "OX"):
            window, axis = problem.window(dim), self.axes[dim]
            reach = (held[dim] - 1) * window.stride + window.reach
            tile_bytes = tile_bytes * np.maximum(1, np.minimum(reach, window.size_in))
            inside = held[dim] == size[dim]
            span[dim] = np.where(inside, axis.whole_span, axis.span[ix[dim]])
            first[dim] = np.where(inside, axis.whole_span, axis.first_span[ix[dim]])
        times = self._trips(ix, order, cut, "I")
        channels = held["G"] * held["C"] if problem.groups_interleaved else held["C"]
        split_c = _ceil(np.full_like(zero, size["C"]), held["C"])
        split_g = _ceil(np.full_like(zero, size["G"]), held["G"]) if problem.groups_interleaved else np.ones_like(zero)
        splits = split_c * split_g
        channel_bytes = np.where(split_c > 1, held["C"], channels) * problem.input_bytes
        splits = np.where(split_c > 1, split_c * size["G"] if problem.groups_interleaved else split_c, splits)
        matrices = 1 if problem.groups_interleaved else size["G"]
        per_line = _ceil(np.full_like(zero, size["OX"]), held["OX"])
        whole = (span["OX"] == problem.window("OX").size_in) & (per_line == 1)
        lines = size["N"] * matrices * span["OD"] * span["OY"]
        beats = self._image_beats(lines, span["OX"], per_line, channel_bytes, splits, whole) * times
        first_bytes = held["N"] * held["G"] * held["C"] * first["OD"] * first["OY"] * first["OX"] * problem.input_bytes
        first_beats = _ceil(first_bytes, self.beat)
        moved = size["N"] * size["G"] * size["C"] * span["OD"] * span["OY"] * span["OX"] * problem.input_bytes * times
        return TensorCost(tile_bytes <= problem.input_slot_bytes, moved, beats, first_beats, zero, zero, zero)

    def weight_cost(self, ix: dict[str, IntArray], order: Sequence[str], cut: int) -> TensorCost:
        """Return the cost of the weights held at `cut`; tiles are packed, so a tile is one run."""
        problem, size, held = self.problem, self.size, self._held(ix, order, cut)
        zero = np.zeros_like(ix["K"])
        tile = held["G"] * held["K"] * held["C"] * problem.taps * problem.weight_bytes
        if problem.channel_terms:
            tile = tile + held["G"] * held["K"] * 8
        tiles = self._count(ix, order, cut, ("G", "K", "C"))
        times = self._trips(ix, order, cut, "W")
        moved = size["G"] * size["K"] * size["C"] * problem.taps * problem.weight_bytes + zero
        if problem.channel_terms:
            moved = moved + size["G"] * size["K"] * 8 * _ceil(np.full_like(zero, size["C"]), held["C"])
        beats = (_ceil(moved, self.beat) + (tiles - 1) // 2) * times
        return TensorCost(
            tile <= problem.weight_slot_bytes, moved * times, beats, _ceil(tile, self.beat), zero, zero, zero
        )

    def output_cost(self, ix: dict[str, IntArray], order: Sequence[str], cut: int) -> TensorCost:
        """Return the cost of the output held at `cut`: spills, residual, store, vector work."""
        problem, size, held = self.problem, self.size, self._held(ix, order, cut)
        vector = self.accelerator.core.vector
        zero = np.zeros_like(ix["K"])
        elements = held["N"] * held["G"] * held["K"] * held["OD"] * held["OY"] * held["OX"]
        plane = 1 if problem.whole_plane else _ceil(held["OY"], problem.pool[0]) * _ceil(held["OX"], problem.pool[1])
        staged = held["N"] * held["G"] * held["K"] * plane * (1 if problem.whole_plane else held["OD"])
        fits = elements * problem.sum_bytes <= problem.sum_slot_bytes
        if problem.output_place == "dram":
            fits = fits & (staged * problem.output_bytes <= problem.output_slot_bytes)
        if problem.residual == "dram":
            fits = fits & (elements * problem.output_bytes <= problem.operand_slot_bytes)
        spills = self._trips(ix, order, cut, "O") - 1
        spill_bytes = 2 * spills * self.outputs * problem.sum_bytes
        split_k = _ceil(np.full_like(zero, size["K"]), held["K"])
        split_g = _ceil(np.full_like(zero, size["G"]), held["G"]) if problem.groups_interleaved else np.ones_like(zero)
        per_pixel = np.where(split_k > 1, held["K"], held["G"] * held["K"] if problem.groups_interleaved else held["K"])
        splits = np.where(split_k > 1, split_k * (size["G"] if problem.groups_interleaved else 1), split_g)
        per_line = _ceil(np.full_like(zero, size["OX"]), held["OX"])
        matrices = 1 if problem.groups_interleaved else size["G"]
        beats, last, moved = zero, zero, spill_bytes
        for wanted, shrink in ((problem.residual == "dram", (1, 1)), (problem.output_place == "dram", problem.pool)):
            if wanted:
                lines, width = size["N"] * matrices * size["OD"] * -(-size["OY"] // shrink[0]), -(-size["OX"] // shrink[1])
                if problem.whole_plane and shrink is problem.pool:
                    lines, width = size["N"] * matrices, 1
                part = self._image_beats(
                    lines + zero, width + zero, per_line, per_pixel * problem.output_bytes, splits, per_line == 1
                )
                beats = beats + part
                moved = moved + lines * width * (size["G"] if problem.groups_interleaved else 1) * size["K"] * problem.output_bytes
        beats = beats + _ceil(spill_bytes, self.beat)
        if problem.output_place == "dram":
            last = _ceil(staged * problem.output_bytes, self.beat)
        step = problem.simple_passes * vector.simple_cycles + problem.special_passes * vector.special_cycles
        tiles = self._count(ix, order, cut, ("N", "G", "K", "OD", "OY", "OX"))
        rows = size["N"] * size["OD"] * size["OY"] * size["OX"]
        rests = size["K"] - (split_k - 1) * held["K"]
        lane_steps = (split_k - 1) * _ceil(held["G"] * held["K"], vector.lanes) + _ceil(held["G"] * rests, vector.lanes)
        groups = _ceil(np.full_like(zero, size["G"]), held["G"])
        cycles = rows * groups * lane_steps * step + tiles * (vector.latency_cycles + self.issue)
        held_rows = held["N"] * held["OD"] * held["OY"] * held["OX"]
        final = held_rows * _ceil(held["G"] * rests, vector.lanes) * step + vector.latency_cycles + self.issue
        return TensorCost(fits, moved, beats, last, spill_bytes, cycles, final)

    # --- energy -----------------------------------------------------------------------------------------------------

    def fixed_energy_pj(self, ix: dict[str, IntArray]) -> npt.NDArray[np.float64]:
        """Return the energy that depends on the tile sizes alone: MACs, array side of the scratchpads, vector unit."""
        core, ax, size, array = self.accelerator.core, self.axes, self.size, self.array
        pixels = size["N"] * size["OD"] * size["OY"] * size["OX"]
        columns = ax["K"].folds[ix["K"]] * size["G"]
        if self.dataflow == "ws":
            folds = ax["C"].folds[ix["C"]] * columns
            tiles = np.ones_like(folds)
            for dim in SPATIAL:
                tiles = tiles * ax[dim].trips[ix[dim]]
            inputs, weights = folds * pixels * array.rows, folds * tiles * array.pes
            sums = folds * pixels * array.cols
            reads = sums - columns * pixels * array.cols
        else:
            rows = np.zeros_like(columns)
            for times, m in self._pixel_classes(ix):
                rows += times * _ceil(m, array.rows)
            stream = size["C"] * self.problem.taps
            inputs, weights = rows * columns * stream * array.rows, rows * columns * stream * array.cols
            sums = rows * columns * array.pes * ax["C"].trips[ix["C"]]
            reads = rows * columns * array.pes * (ax["C"].trips[ix["C"]] - 1)
        sum_bytes = self.problem.sum_bytes
        operations = self.outputs * (self.problem.simple_passes + self.problem.special_passes)
        constant = float(array.mac_pj) * self.problem.macs + float(core.vector.op_pj) * operations
        constant += float(core.accumulator.read_pj_per_byte) * self.outputs * sum_bytes
        constant += 2 * float(core.vector.buffer_pj_per_byte) * self.stored * self.problem.output_bytes
        result: npt.NDArray[np.float64] = (
            constant
            + float(core.input.read_pj_per_byte) * self.problem.input_bytes * inputs
            + float(core.weight.read_pj_per_byte) * self.problem.weight_bytes * weights
            + float(core.accumulator.write_pj_per_byte) * sum_bytes * sums
            + float(core.accumulator.read_pj_per_byte) * sum_bytes * reads
        )
        return result

    def moved_energy_pj(self, i: IntArray, w: IntArray, o: IntArray) -> npt.NDArray[np.float64]:
        """Return the energy of moving `i`, `w`, `o` bytes between DRAM and the scratchpads."""
        core, dram = self.accelerator.core, float(self.accelerator.dram.energy_pj_per_byte)
        result: npt.NDArray[np.float64] = (
            (dram + float(core.input.write_pj_per_byte)) * i + (dram + float(core.weight.write_pj_per_byte)) * w + dram * o
        )
        return result
