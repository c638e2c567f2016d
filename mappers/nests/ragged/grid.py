"""Tile sizes of all dimensions at once, as an array with one axis per dimension.

A point is, per dimension, an upper bound of what one position of the array still has to step through inside a cut of
the nest. Moving inwards it only falls, so the best over all points inside is a running minimum along every axis. Long
dimensions are cut into cells of sizes that need the same number of trips: about two times the square root of the size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from math import prod

import numpy as np

from mappers.nests.lattice import FloatArray

EVERY_SIZE = 16
"""Dimensions up to this size have a cell for every size."""
LARGEST_RATIO = 1e6


@lru_cache(maxsize=1024)
def cells(size: int) -> tuple[int, ...]:
    """Return the least tile of each cell of a dimension of `size`, ascending; tiles of a cell need equal trips.

    Examples
    --------
    >>> cells(17)
    (1, 2, 3, 4, 5, 6, 9, 17)
    """
    if size <= EVERY_SIZE:
        return tuple(range(1, size + 1))
    found, tile = [], size
    while True:
        trips = -(-size // tile)
        tile = -(-size // trips)  # the least with as many trips
        found.append(tile)
        if tile == 1:
            return tuple(reversed(found))
        tile -= 1


def thinned(own: tuple[int, ...], ratio: float) -> tuple[int, ...]:
    """Return some of the cells, each at least `ratio` times the one before, the first two and the last always."""
    found = list(own[:2])
    for tile in own[2:-1]:
        if tile >= ratio * found[-1] and own[-1] >= ratio * tile:
            found.append(tile)
    return (*found, *own[-1:]) if len(own) > 2 else own


class Grid:
    """All cells of dimensions of `sizes`.

    Parameters
    ----------
    most_points : int
        Cells of the dimensions with most of them join their neighbours until there are no more points than that.

    Attributes
    ----------
    shape : tuple of int
        Cells per dimension, in the order of `dims`: longest last, so that slices are long.
    low, high : dict of dim to array
        Least and largest tile of each cell, broadcastable to `shape`.
    """

    def __init__(self, sizes: Mapping[str, int], most_points: int) -> None:
        self.sizes = dict(sizes)
        self.dims = tuple(sorted(self.sizes, key=lambda dim: self.sizes[dim])) or ("",)
        self._cells = {dim: cells(self.sizes.get(dim, 1)) for dim in self.dims}
        ratio = 1.0
        while prod(len(own) for own in self._cells.values()) > most_points and ratio < LARGEST_RATIO:
            ratio *= 1.05
            self._cells = {dim: thinned(cells(self.sizes.get(dim, 1)), ratio) for dim in self.dims}
        self.shape = tuple(len(self._cells[dim]) for dim in self.dims)
        self.top = tuple(length - 1 for length in self.shape)
        self.low: dict[str, FloatArray] = {}
        self.high: dict[str, FloatArray] = {}
        for at, dim in enumerate(self.dims):
            own = self._cells[dim]
            shape = [-1 if at == k else 1 for k in range(len(self.dims))]
            self.low[dim] = np.array(own, dtype=float).reshape(shape)
            self.high[dim] = np.array([*(tile - 1 for tile in own[1:]), own[-1]], dtype=float).reshape(shape)

    def index(self, dim: str, tile: int) -> int:
        """Return the cell of a tile, the last one for tiles that are larger than the dimension."""
        return bisect_right(self._cells[dim], tile) - 1

    def inside(self, table: FloatArray) -> FloatArray:
        """Return, at every point, the least of `table` over the point and all smaller ones; `table` is overwritten."""
        for axis, length in enumerate(self.shape):
            slices = np.moveaxis(table, axis, 0)
            for at in range(1, length):  # several times faster than np.minimum.accumulate
                np.minimum(slices[at : at + 1], slices[at - 1 : at], out=slices[at : at + 1])
        return table
