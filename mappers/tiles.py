"""Candidate tile sizes of each dimension, and the exact sums over their ragged iterations.

A dimension of extent D tiled by t has ``ceil(D/t)`` iterations, all of size t but the last. The cost model depends on t
only through the iteration count, the sum of its fold counts, the beats of its runs and the size of the tile itself, and it
grows with each of them. Of two tile sizes with the same iteration count, one that is no larger in any of these is never
worse: only the minimal ones are kept (rule "minimal tiles"). For spatial dimensions the smallest tile of an iteration
count is also the most balanced one, which minimises the sum of max(m, rows) over iterations, a convex function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Dataflow, PEArray
from mappers.problem import TileProblem

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tile sizes of one dimension and what each costs.

    Every array has one entry per candidate, ascending in `tile`; `full`, the held-whole value of a window sum, is one number.

    Parameters
    ----------
    tile, trips, last : ndarray
        Size, iterations, size of the last iteration.
    folds : ndarray
        Sum over iterations of the fold count (C: row folds, K: column folds; elsewhere the iteration count).
    span : ndarray
        Sum over iterations of the clipped input window (spatial), or the extent.
    first_span : ndarray
        Clipped window of the first iteration (spatial), or the tile.
    """

    dim: str
    extent: int
    tile: IntArray
    trips: IntArray
    last: IntArray
    folds: IntArray
    span: IntArray
    first_span: IntArray
    whole_span: int

    def __len__(self) -> int:
        return len(self.tile)


def candidates(problem: TileProblem, dim: str, array: PEArray, dataflow: Dataflow, beat_bytes: int) -> Candidates:
    """Return the minimal tiles of `dim` for `problem` on `array`."""
    extent = problem.size[dim]
    sizes = np.arange(1, extent + 1, dtype=np.int64)
    if dim in ("OD", "OY", "OX"):
        sizes = _spatial_sizes(problem, dim, sizes, dataflow, array)
    trips = -(-extent // sizes)
    last = extent - (trips - 1) * sizes
    folds = (trips - 1) * _folds(problem, dim, sizes, array, dataflow) + _folds(problem, dim, last, array, dataflow)
    beats = (trips - 1) * -(-sizes // beat_bytes) + -(-last // beat_bytes)
    if dim in ("OD", "OY", "OX"):
        keep = np.ones(len(sizes), dtype=bool)  # already thinned by _spatial_sizes
    else:
        keep = _minimal(trips, folds, beats if dim in ("K", "C", "G") else np.zeros_like(beats))
    sizes, trips, last, folds = sizes[keep], trips[keep], last[keep], folds[keep]
    if dim in ("OD", "OY", "OX"):
        window = problem.window(dim)
        span = np.array([sum(_spans(problem, dim, int(t))) for t in sizes], dtype=np.int64)
        first = np.array([_spans(problem, dim, int(t))[0] for t in sizes], dtype=np.int64)
        low, high = window.span(0, extent)
        return Candidates(dim, extent, sizes, trips, last, folds, span, first, high - low)
    whole = np.full_like(sizes, extent)
    return Candidates(dim, extent, sizes, trips, last, folds, whole, sizes, extent)


def _spatial_sizes(
    problem: TileProblem, dim: str, sizes: IntArray, dataflow: Dataflow, array: PEArray
) -> IntArray:
    """Return the sizes allowed by fused pooling; for OS also those that fill whole rows of the array are kept."""
    if problem.whole_plane:
        return sizes[-1:]
    step = {"OY": problem.pool[0], "OX": problem.pool[1]}.get(dim, 1)
    allowed = sizes[(sizes % step == 0) | (sizes == len(sizes))]
    trips = -(-len(sizes) // allowed)
    keep = np.concatenate(([True], trips[1:] != trips[:-1]))
    if dataflow == "os":  # a tile that fills whole rows of the array may beat the most balanced one
        keep |= (allowed & (allowed - 1) == 0) | (allowed % array.rows == 0)
    return allowed[keep]


def _folds(problem: TileProblem, dim: str, sizes: IntArray, array: PEArray, dataflow: Dataflow) -> IntArray:
    """Return the folds that one iteration of each size makes along `dim`."""
    if dim == "K":
        return -(-sizes // array.cols)
    if dim == "C" and dataflow == "ws":
        if array.reduction_unroll == "window":
            return -(-(sizes * problem.taps) // array.rows)
        return -(-sizes // array.rows) * problem.taps
    if dim == "G":
        return sizes
    return np.ones_like(sizes)


def _minimal(trips: IntArray, *costs: IntArray) -> npt.NDArray[np.bool_]:
    """Mark, per iteration count, the sizes that improve some cost over every smaller size of that count."""
    keep = np.zeros(len(trips), dtype=bool)
    best: list[tuple[int, ...]] = []
    for index in range(len(trips)):
        if index == 0 or trips[index] != trips[index - 1]:
            best = []
        point = tuple(int(cost[index]) for cost in costs)
        if not any(all(b <= p for b, p in zip(old, point, strict=True)) for old in best):
            keep[index] = True
            best.append(point)
    return keep


def _spans(problem: TileProblem, dim: str, tile: int) -> list[int]:
    """Return the clipped input window of each iteration of `dim` tiled by `tile`."""
    window, extent = problem.window(dim), problem.size[dim]
    spans = []
    for start in range(0, extent, tile):
        low, high = window.span(start, min(tile, extent - start))
        spans.append(high - low)
    return spans



def thinned(axis: Candidates) -> Candidates:
    """Return every other candidate of `axis`, its largest tile kept."""
    keep = slice(None if len(axis) % 2 else 1, None, 2)
    return Candidates(
        axis.dim, axis.extent, axis.tile[keep], axis.trips[keep], axis.last[keep], axis.folds[keep],
        axis.span[keep], axis.first_span[keep], axis.whole_span,
    )  # fmt: skip
