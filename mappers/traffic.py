"""What tilings of one layer move between DRAM and the scratchpads, vectorised over tile sizes.

Bytes, bus beats and DMA commands of every tensor in exact integers: halo, clipped borders, runs of the
channels-innermost layout, weights packed per tile, partial sums that spill and return, residual, fused pooling; and
the vector unit's time.

Shapes: arrays have one entry per tiling under study; an index maps each dimension to indices into its candidates. A
tensor covers whole every dimension whose loop stands inside its cut: the index is then that of the candidate `whole`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Accelerator, Dataflow
from mappers.image import BoolArray, Image, Index, IntArray, ceil_div
from mappers.mapping import TILED_DIMS
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from mappers.tiles import Candidates, candidates, window_spans

PIXEL_DIMS = ("N", "OD", "OY", "OX")
FloatArray = npt.NDArray[np.float64]


def _float(values: npt.NDArray[Any]) -> FloatArray:
    return values.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class TensorCost:
    """Cost of one tensor at one cut, per tiling.

    Parameters
    ----------
    fits : ndarray of bool
        Whether its tiles fit their slots.
    bytes : ndarray
        DRAM bytes, both directions.
    load_beats, store_beats : ndarray
        Bus beats of reads and writes.
    loads, stores : ndarray
        DMA commands.
    end_beats : ndarray
        Beats of the first tile (input, weight) or of the last store (output).
    vector_cycles, last_vector_cycles : ndarray
        Time of all vector commands and of the last one, issue included; zero but for the output.
    energy_pj : ndarray of float
        Energy of the DRAM traffic and of the scratchpad accesses it causes.
    """

    fits: BoolArray
    bytes: IntArray
    load_beats: IntArray
    store_beats: IntArray
    loads: IntArray
    stores: IntArray
    end_beats: IntArray
    vector_cycles: IntArray
    last_vector_cycles: IntArray
    energy_pj: FloatArray


class LayerTraffic:
    """DRAM traffic and vector work of tilings of one problem on one accelerator.

    Parameters
    ----------
    only : mapping of str to sequence of int, optional
        Per dimension the tile sizes to study instead of those of the map space.
    """

    def __init__(
        self,
        problem: TileProblem,
        accelerator: Accelerator,
        dataflow: Dataflow,
        only: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        core, dram = accelerator.core, accelerator.dram
        self.problem, self.accelerator, self.dataflow = problem, accelerator, dataflow
        self.array, self.beat = core.array, dram.beat_bytes
        self.issue = core.dma.issue_cycles
        self.size = problem.size
        self.axes: dict[str, Candidates] = {
            dim: candidates(problem, dim, core.array, dataflow, self.beat, () if only is None else only[dim])
            for dim in TILED_DIMS
        }
        self.draw_images()

    def draw_images(self) -> None:
        """Describe input, residual and output as they lie in DRAM."""
        problem, size = self.problem, self.size
        plain = {dim: (size[dim], self.axes[dim].extents()) for dim in ("N", "G", *PIXEL_DIMS[1:])}
        outer = ("N",) if problem.groups_interleaved else ("G", "N")
        groups = size["G"] if problem.groups_interleaved else 1
        seen = {}
        for dim in PIXEL_DIMS[1:]:
            window = problem.window(dim)
            tiles = [window_spans(window, size[dim], int(t)) for t in self.axes[dim].tile]
            seen[dim] = (window.size_in, tiles)
        above = {dim: plain[dim] for dim in outer}
        self.input = Image(above | seen, groups * size["C"] * problem.input_bytes, self.beat)
        out_bytes = groups * size["K"] * problem.output_bytes
        planes = {dim: plain[dim] for dim in PIXEL_DIMS[1:]}
        self.residual = Image(above | planes, out_bytes, self.beat)
        for dim, step in (("OD", 1), ("OY", problem.pool[0]), ("OX", problem.pool[1])):
            length, tiles = plain[dim]
            if problem.whole_plane:
                planes[dim] = (1, [np.ones(1, dtype=np.int64) for _ in tiles])
            else:
                planes[dim] = (-(-length // step), [ceil_div(t, step) for t in tiles])
        self.stored = Image(above | planes, out_bytes, self.beat)

    def _tile(self, ix: Index, dim: str) -> IntArray:
        return self.axes[dim].tile[ix[dim]]

    def trips_of(self, ix: Index, dims: Sequence[str]) -> IntArray:
        count = np.ones_like(ix["K"])
        for dim in dims:
            count = count * self.axes[dim].trips[ix[dim]]
        return count

    def classes_of(self, ix: Index, dims: Sequence[str]) -> list[tuple[IntArray, dict[str, IntArray]]]:
        """Return (how many tiles, their sizes) for each combination of whole and last iterations of `dims`."""
        sides = []
        for dim in dims:
            axis, at = self.axes[dim], ix[dim]
            last = (np.ones_like(at), axis.last[at])
            sides.append([last] if axis.trips[at].max() == 1 else [(axis.trips[at] - 1, axis.tile[at]), last])
        classes = []
        for parts in product(*sides):
            times = np.ones_like(ix["K"])
            for count, _ in parts:
                times = times * count
            classes.append((times, {dim: size for dim, (_, size) in zip(dims, parts, strict=True)}))
        return classes

    # --- tensors ----------------------------------------------------------------------------------------------------

    def _pixel_beats(self, ix: Index, inner: str, element_bytes: int) -> tuple[BoolArray, IntArray, IntArray, IntArray]:
        """Return how tiles of channels cut a pixel: (whether, beats of all its runs, of the first tile, of the last).

        With `inner` (C or K) tiled, every group of a tile is a run of its own; with G alone tiled, a tile is one run.
        """
        ch, at = self.axes[inner], ix[inner]
        tile, last, trips = (values[at] * element_bytes for values in (ch.tile, ch.last, np.ones_like(ch.tile)))
        trips = ch.trips[at]
        runs = (trips - 1) * ceil_div(tile, self.beat) + ceil_div(last, self.beat)
        first_run, last_run = ceil_div(tile, self.beat), ceil_div(last, self.beat)
        if not self.problem.groups_interleaved:
            return trips > 1, runs, first_run, last_run
        g, bytes_of_group = self.axes["G"], self.size[inner] * element_bytes
        g_tile, g_last, g_trips = g.tile[ix["G"]], g.last[ix["G"]], g.trips[ix["G"]]
        joined_first, joined_last = (ceil_div(n * bytes_of_group, self.beat) for n in (g_tile, g_last))
        joined = (g_trips - 1) * joined_first + joined_last
        cut = trips > 1
        return (
            cut | (g_trips > 1),
            np.where(cut, runs * self.size["G"], joined),
            np.where(cut, first_run * g_tile, joined_first),
            np.where(cut, last_run * g_last, joined_last),
        )

    def stored_bytes(self, outputs: IntArray, channels: IntArray) -> IntArray:
        """Return the bytes of the weights of tiles of `outputs` by `channels`: see `TileProblem.stored_bytes`."""
        problem = self.problem
        row = ceil_div(outputs * problem.stored_bits, 8)
        return ceil_div(channels, problem.stored_places) * row * problem.taps

    def input_cost(self, ix: Index, times: IntArray) -> TensorCost:
        """Return the cost of the input with tiles `ix`, each brought in `times` times."""
        problem, core, zero = self.problem, self.accelerator.core, np.zeros_like(times)
        if problem.input_place == "resident":
            return TensorCost(zero == 0, zero, zero, zero, zero, zero, zero, zero, zero, zero.astype(np.float64))
        tile = self._tile(ix, "N") * self._tile(ix, "G") * self._tile(ix, "C") * problem.input_bytes
        for dim in ("OD", "OY", "OX"):
            window = problem.window(dim)
            tile = tile * np.clip((self._tile(ix, dim) - 1) * window.stride + window.reach, 1, window.size_in)
        split, pixel_beats, first_beats, _ = self._pixel_beats(ix, "C", problem.input_bytes)
        groups = self.size["G"] if problem.groups_interleaved else 1
        moved = self.input.pixels(ix) * (groups * self.size["C"] * problem.input_bytes) * times
        energy = float(self.accelerator.dram.energy_pj_per_byte + core.input.write_pj_per_byte)
        return TensorCost(
            fits=tile <= problem.input_slot_bytes,
            bytes=moved,
            load_beats=self.input.beats(ix, split, pixel_beats) * times,
            store_beats=zero,
            loads=self.trips_of(ix, ("N", "G", "C", "OD", "OY", "OX")) * times,
            stores=zero,
            end_beats=self.input.tile_beats(ix, "first", split, first_beats),
            vector_cycles=zero,
            last_vector_cycles=zero,
            energy_pj=_float(energy * moved),
        )

    def weight_cost(self, ix: Index, times: IntArray) -> TensorCost:
        """Return the cost of the weights with tiles `ix`; tiles are packed on beat boundaries, so a tile is one run."""
        problem, core, zero = self.problem, self.accelerator.core, np.zeros_like(times)
        terms = CHANNEL_TERM_BYTES if problem.channel_terms else 0
        moved, beats = zero, zero
        for count, size in self.classes_of(ix, ("G", "K", "C")):
            tile = size["G"] * (self.stored_bytes(size["K"], size["C"]) + size["K"] * terms)
            moved, beats = moved + count * tile, beats + count * ceil_div(tile, self.beat)
        k = self._tile(ix, "K")
        first = self._tile(ix, "G") * (self.stored_bytes(k, self._tile(ix, "C")) + k * terms)
        energy = float(self.accelerator.dram.energy_pj_per_byte + core.weight.write_pj_per_byte)
        return TensorCost(
            fits=first <= problem.weight_slot_bytes,
            bytes=moved * times,
            load_beats=beats * times,
            store_beats=zero,
            loads=self.trips_of(ix, ("G", "K", "C")) * times,
            stores=zero,
            end_beats=ceil_div(first, self.beat),
            vector_cycles=zero,
            last_vector_cycles=zero,
            energy_pj=_float(energy * (moved * times)),
        )

    def output_cost(self, ix: Index, times: IntArray) -> TensorCost:
        """Return the cost of the output with tiles `ix`, each visited `times` times: all visits but the last spill.

        Spilled sums are stored and loaded as one dense stream per pass; the residual comes with the last visit.
        """
        problem, core, dram, zero = self.problem, self.accelerator.core, self.accelerator.dram, np.zeros_like(times)
        sums = problem.output_elements(self.size)
        tiles = self.trips_of(ix, ("N", "G", "K", "OD", "OY", "OX"))
        spill = (times - 1) * (sums * problem.sum_bytes)
        spill_beats = (times - 1) * -(-sums * problem.sum_bytes // self.beat)
        split, pixel_beats, _, last_beats = self._pixel_beats(ix, "K", problem.output_bytes)
        held = self._tile(ix, "G") * self._tile(ix, "K") * self._tile(ix, "N")
        lanes = ceil_div(self._tile(ix, "K"), problem.sum_lanes) * problem.sum_lanes
        rows = self._tile(ix, "G") * lanes * self._tile(ix, "N")
        plane, pooled = np.ones_like(held), np.ones_like(held)
        for dim, step in (("OD", 1), ("OY", problem.pool[0]), ("OX", problem.pool[1])):
            plane = plane * self._tile(ix, dim)
            pooled = pooled if problem.whole_plane else pooled * ceil_div(self._tile(ix, dim), step)
        fits = rows * plane * problem.sum_bytes <= problem.sum_slot_bytes
        if problem.sums_stay:
            fits = fits & (times == 1)
        load_beats, store_beats, loads, stores = spill_beats, spill_beats, (times - 1) * tiles, (times - 1) * tiles
        moved, end, buffered = 2 * spill, zero, zero
        if problem.residual == "dram":
            fits = fits & (held * plane * problem.output_bytes <= problem.operand_slot_bytes)
            added = sums * problem.output_bytes
            load_beats, loads = load_beats + self.residual.beats(ix, split, pixel_beats), loads + tiles
            moved, buffered = moved + added, buffered + added
        kept = problem.stored_elements(self.size) * problem.output_bytes
        if problem.output_place == "dram":
            fits = fits & (held * pooled * problem.output_bytes <= problem.output_slot_bytes)
            store_beats, stores = store_beats + self.stored.beats(ix, split, pixel_beats), stores + tiles
            end = self.stored.tile_beats(ix, "last", split, last_beats)
            moved, buffered = moved + kept, buffered + kept
        vector_cycles, last_vector = self._vector_cycles(ix)
        energy = float(dram.energy_pj_per_byte) * moved + 2 * float(core.vector.buffer_pj_per_byte) * buffered
        energy = energy + float(core.accumulator.read_pj_per_byte + core.accumulator.write_pj_per_byte) * spill
        if problem.output_place == "resident":
            energy = energy + float(core.input.write_pj_per_byte) * kept
        return TensorCost(fits, moved, load_beats, store_beats, loads, stores, end, vector_cycles, last_vector, energy)

    def _vector_cycles(self, ix: Index) -> tuple[IntArray, IntArray]:
        """Return the time of all vector commands and of the last: a step per `lanes` channels of each pixel."""
        problem, unit, ax = self.problem, self.accelerator.core.vector, self.axes
        step = problem.simple_passes * unit.simple_cycles + problem.special_passes * unit.special_cycles
        rows = self.size["N"] * self.size["OD"] * self.size["OY"] * self.size["OX"]
        steps, fixed = np.zeros_like(ix["K"]), unit.latency_cycles
        for count, size in self.classes_of(ix, ("G", "K")):
            steps = steps + count * ceil_div(size["G"] * size["K"], unit.lanes)
        last_rows = np.ones_like(ix["K"])
        for dim in PIXEL_DIMS:
            last_rows = last_rows * ax[dim].last[ix[dim]]
        last_steps = ceil_div(ax["G"].last[ix["G"]] * ax["K"].last[ix["K"]], unit.lanes)
        tiles = self.trips_of(ix, ("N", "G", "K", "OD", "OY", "OX"))
        every, last = rows * steps * step + tiles * fixed, last_rows * last_steps * step + fixed
        if unit.clock is None:
            return every + tiles * self.issue, last + self.issue
        reference, own = unit.clock.rounded()
        return ceil_div(every * reference, own) + tiles * self.issue, ceil_div(last * reference, own) + self.issue
