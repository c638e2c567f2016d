"""Tile sizes of each dimension that belong to the map space, and what one axis of them costs.

A dimension of extent D tiled by t has ``ceil(D / t)`` iterations, all of size t but the last: any t from 1 to D, not
only divisors. The map space holds the **minimal tiles**: t belongs to it unless a smaller tile has as many
iterations, no more folds of the array along the dimension and no more bus beats per pixel. It thus holds the most
balanced tile of every iteration count, and the larger ones that fill lanes or beats better. On an accumulator of whole
rows, a tile of output channels that fills rows gives way to such tiles alone. Under a fused pooling only tiles of whole
windows exist, under a fused global pooling only the whole plane, under N:M weights only tiles of whole groups of input
channels.

This is a definition, not a theorem: a larger tile leaves a smaller last one, which can shorten the last store by a few
cycles. `tests/property` holds the search against all tiles of this space and reports what the others would have gained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Dataflow, PEArray
from mappers.problem import TileProblem
from workloads.window import Window

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tile sizes of one dimension, ascending; the last one holds the dimension whole.

    Parameters
    ----------
    tile, trips, last : ndarray
        Size, iterations, size of the last iteration.
    folds : ndarray
        Sum over iterations of the folds along this dimension: K column folds (IS: iterations), C row folds (OS:
        iterations), N, OD, OY and OX row folds of OS, column folds of IS (WS: iterations).
    """

    dim: str
    extent: int
    tile: IntArray
    trips: IntArray
    last: IntArray
    folds: IntArray

    def __len__(self) -> int:
        return len(self.tile)

    @property
    def whole(self) -> int:
        """Value of the index of the tile that holds the dimension whole."""
        return len(self.tile) - 1

    def extents(self) -> list[IntArray]:
        """Return the sizes of the iterations of each candidate."""
        return [_sizes(self.extent, int(t)) for t in self.tile]


_KNOWN: dict[tuple[object, ...], Candidates] = {}


def candidates(
    problem: TileProblem, dim: str, array: PEArray, dataflow: Dataflow, beat_bytes: int, only: Sequence[int] = ()
) -> Candidates:
    """Return the minimal tiles of `dim` for `problem` on `array`, or those of `only` and the whole dimension."""
    if only:
        return _candidates(problem, dim, array, dataflow, beat_bytes, only)
    # All that the tiles depend on: many problems of a network share it.
    key = (
        dim, problem.size[dim], problem.taps, problem.pool, problem.whole_plane,
        problem.places, problem.stored_places, array.rows, array.cols, array.reduction_unroll, dataflow, beat_bytes,
        problem.sum_lanes,
    )  # fmt: skip
    if key not in _KNOWN:
        _KNOWN[key] = _candidates(problem, dim, array, dataflow, beat_bytes, ())
    return _KNOWN[key]


def _candidates(
    problem: TileProblem, dim: str, array: PEArray, dataflow: Dataflow, beat_bytes: int, only: Sequence[int]
) -> Candidates:
    extent = problem.size[dim]
    sizes = np.array(sorted({*only, extent}), dtype=np.int64) if only else _allowed(problem, dim)
    trips = -(-extent // sizes)
    last = extent - (trips - 1) * sizes
    folds = (trips - 1) * _folds(problem, dim, sizes, array, dataflow) + _folds(problem, dim, last, array, dataflow)
    if not only:
        run_beats = np.zeros_like(sizes)
        if dim in ("G", "K", "C"):  # they cut the run of a pixel
            run_beats = (trips - 1) * -(-sizes // beat_bytes) + -(-last // beat_bytes)
        part_rows = np.zeros_like(sizes)
        if dim == "K":
            part_rows = np.where(trips > 1, sizes % problem.sum_lanes != 0, 0)
        keep = _minimal(trips, folds, run_beats, part_rows)
        sizes, trips, last, folds = sizes[keep], trips[keep], last[keep], folds[keep]
    return Candidates(dim, extent, sizes, trips, last, folds)


def thinned(axis: Candidates) -> Candidates:
    """Return every other candidate of `axis`, its smallest and its largest tile kept."""
    keep = np.arange(len(axis)) % 2 == 0
    keep[-1] = True
    return Candidates(axis.dim, axis.extent, axis.tile[keep], axis.trips[keep], axis.last[keep], axis.folds[keep])


def window_spans(window: Window, extent: int, tile: int) -> IntArray:
    """Return the real inputs that each tile of outputs needs: halo included, padding not (see `Window.span`)."""
    sizes = _sizes(extent, tile)
    first = np.arange(len(sizes), dtype=np.int64) * (tile * window.stride) - window.pad_before
    last = first + (sizes - 1) * window.stride + window.reach - 1
    start = np.clip(first, 0, window.size_in)
    spans: IntArray = np.maximum(start, np.minimum(last + 1, window.size_in)) - start
    return spans


def _sizes(extent: int, tile: int) -> IntArray:
    trips = -(-extent // tile)
    sizes: IntArray = np.full(trips, tile, dtype=np.int64)
    sizes[-1] = extent - (trips - 1) * tile
    return sizes


def _allowed(problem: TileProblem, dim: str) -> IntArray:
    """Return the sizes that the fused operations allow."""
    sizes: IntArray = np.arange(1, problem.size[dim] + 1, dtype=np.int64)
    if dim == "C":
        whole_words: IntArray = sizes[(sizes % problem.stored_places == 0) | (sizes == len(sizes))]
        return whole_words
    if dim not in ("OD", "OY", "OX"):
        return sizes
    if problem.whole_plane:
        return sizes[-1:]
    step = {"OY": problem.pool[0], "OX": problem.pool[1]}.get(dim, 1)
    allowed: IntArray = sizes[(sizes % step == 0) | (sizes == len(sizes))]
    return allowed


def _folds(problem: TileProblem, dim: str, sizes: IntArray, array: PEArray, dataflow: Dataflow) -> IntArray:
    """Return the folds that one iteration of each size makes along `dim`, other dimensions held at one."""
    if dim == "K" and dataflow != "is":
        return -(-sizes // array.cols)
    if dim == "C" and dataflow != "os":
        words = -(-sizes // problem.places)
        if array.reduction_unroll == "window":
            return -(-(words * problem.taps) // array.rows)
        return -(-words // array.rows) * problem.taps
    if dim in ("N", "OD", "OY", "OX") and dataflow in ("os", "is"):
        return -(-sizes // (array.rows if dataflow == "os" else array.cols))
    return np.ones_like(sizes)


def _minimal(trips: IntArray, *costs: IntArray) -> npt.NDArray[np.bool_]:
    """Mark, per iteration count, the sizes that improve some cost over every smaller size of that count."""
    keep = np.zeros(len(trips), dtype=bool)
    best: list[tuple[int, ...]] = []
    for index, point in enumerate(zip(*(cost.tolist() for cost in costs), strict=True)):
        if index == 0 or trips[index] != trips[index - 1]:
            best = []
        if not any(all(b <= p for b, p in zip(old, point, strict=True)) for old in best):
            keep[index] = True
            best.append(point)
    return keep
