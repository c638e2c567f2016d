"""Tile sizes of all dimensions at once, as an array with one axis per dimension.

A point is, per dimension, an upper bound of what one position of the array still has to step through inside a cut of
the nest. Moving inwards it only falls, so the best over all points inside is a running minimum along every axis. Long
dimensions are cut into cells of sizes that need the same number of trips: about two times the square root of the size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from math import prod

import numpy as np

from mappers.nests.lattice import FloatArray

EVERY_SIZE = 16
"""Dimensions up to this size have a cell for every size."""


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
        while prod(len(own) for own in self._cells.values()) > most_points:
            longest = max(self.dims, key=lambda dim: len(self._cells[dim]))
            own = self._cells[longest]
            if len(own) < 5:
                break
            at = min(range(2, len(own) - 1), key=lambda k: own[k + 1] / own[k - 1])  # the least loss; 1 stays alone
            self._cells[longest] = own[:at] + own[at + 1 :]
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
