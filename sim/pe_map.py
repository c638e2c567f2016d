"""Useful MACs of every PE of the array, exact: which rows and columns the edges of folds leave idle.

A fold fills rows from the first and columns from the first; what a last fold does not fill is idle for as long as it
streams. Rows hold words of the reduction (WS, IS) or output pixels (OS), columns output channels (WS, OS) or pixels
(IS).
On an N:M array a word is a group of M channels of one tap and makes N products, its last word what is left.

Counted from the walks of the commands (`mappers.walk`); no time depends on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Accelerator, PEArray
from mappers.commands import ComputeCommand, Program
from mappers.kinds import kinds_of

IntArray = npt.NDArray[np.int64]
Shape = tuple[str, int, int, int, int, int, int]
"""Dataflow, groups, channels, taps, outputs, pixels, channels that a PE takes at once."""

MOST_REGIONS = 4
"""Regions per side of the table in a result."""


@dataclass(frozen=True, slots=True)
class PERegions:
    """Useful MACs of blocks of PEs, per layer.

    Parameters
    ----------
    row_edges, col_edges : tuple of int
        Block (i, j) holds rows ``row_edges[i] .. row_edges[i + 1] - 1`` and the like columns.
    layer_macs : tuple of tuple of tuple of int
        Per layer, block row and block column.
    """

    row_edges: tuple[int, ...]
    col_edges: tuple[int, ...]
    layer_macs: tuple[tuple[tuple[int, ...], ...], ...]


def pe_macs(program: Program, accelerator: Accelerator) -> list[IntArray] | None:
    """Return, per layer, the useful MACs of every PE, rows x columns.

    None if some array command does not say what it computes, or the array has no folds (row stationary).
    """
    array = accelerator.core.array
    shapes: list[Counter[tuple[Shape, int]]] = [Counter() for _ in program.layers]
    kinds = kinds_of(program, accelerator.dram.beat_bytes)
    for command, times in zip(kinds.samples, kinds.times, strict=True):
        if isinstance(command, ComputeCommand):
            shape = _shape(command)
            if shape is None:
                return None
            shapes[command.layer][shape, command.macs] += times
    known: dict[tuple[Shape, int], IntArray] = {}
    result = []
    for counter in shapes:
        total = np.zeros((array.rows, array.cols), dtype=np.int64)
        for (shape, macs), times in counter.items():
            if (shape, macs) not in known:
                known[shape, macs] = _macs(shape, macs, array)
            total += times * known[shape, macs]
        result.append(total)
    return result


def regions_of(macs: Sequence[IntArray], accelerator: Accelerator) -> PERegions:
    """Return the MACs of `MOST_REGIONS` blocks a side at most, near-equal in size."""
    array = accelerator.core.array
    rows, cols = _edges(array.rows), _edges(array.cols)
    layers = tuple(
        tuple(tuple(int(plane[a:b, c:d].sum()) for c, d in pairwise(cols)) for a, b in pairwise(rows)) for plane in macs
    )
    return PERegions(rows, cols, layers)


def _edges(size: int) -> tuple[int, ...]:
    parts = min(MOST_REGIONS, size)
    return tuple(size * k // parts for k in range(parts + 1))


def _shape(command: ComputeCommand) -> Shape | None:
    walk = command.walk
    if walk is None or command.dataflow == "rs":
        return None
    n, y, x = walk.pixels
    return (
        command.dataflow,
        walk.groups,
        walk.channels,
        walk.taps[0] * walk.taps[1] * walk.depth // walk.planes,
        walk.outputs,
        walk.planes * n * y * x,
        command.places,
    )


def _macs(shape: Shape, macs: int, array: PEArray) -> IntArray:
    """Return the useful MACs of every PE of one command of `shape`, `macs` in all."""
    flow, groups, channels, taps, outputs, pixels, places = shape
    products = macs // (groups * outputs * pixels)
    words = -(-channels // places)
    each = products // taps // words if words * places == channels else min(places, array.kept)
    tap = np.full(words, each, dtype=np.int64)
    tap[-1] = products // taps - each * (words - 1)
    if flow == "os":
        rows, cols, times = _spread(pixels, array.rows), _spread(outputs, array.cols), groups * products
    else:
        if array.reduction_unroll == "window":
            rows = _folded(np.tile(tap, taps), array.rows)
        else:
            rows = _folded(tap, array.rows) * taps
        over = outputs if flow == "ws" else pixels
        cols, times = _spread(over, array.cols), groups * (pixels if flow == "ws" else outputs)
    plane: IntArray = times * np.outer(rows, cols)
    return plane


def _folded(work: IntArray, size: int) -> IntArray:
    """Return the sum of `work` over folds of `size` places."""
    folds = -(-len(work) // size)
    whole = np.zeros(folds * size, dtype=np.int64)
    whole[: len(work)] = work
    total: IntArray = whole.reshape(folds, size).sum(axis=0)
    return total


def _spread(count: int, size: int) -> IntArray:
    """Return how many of `count` items each of `size` places takes, filled from the first."""
    places: IntArray = (count - np.arange(size, dtype=np.int64) + size - 1) // size
    return np.maximum(places, 0)
