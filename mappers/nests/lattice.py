"""Divisor tiles of all dimensions at once, as an array with one axis per prime exponent.

A point is the tile of every dimension at one cut of the nest; moving inwards along the nest divides tiles, so "may
stand inside of" is the order of divisibility, and the best over all points inside is a running minimum along every
axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@lru_cache(maxsize=4096)
def factorised(number: int) -> tuple[tuple[int, int], ...]:
    """Return (prime, exponent) of `number`, ascending."""
    found, left, prime = [], number, 2
    while prime * prime <= left:
        exponent = 0
        while left % prime == 0:
            left //= prime
            exponent += 1
        if exponent:
            found.append((prime, exponent))
        prime += 1
    return tuple(found) + (((left, 1),) if left > 1 else ())


@lru_cache(maxsize=4096)
def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of `number`, ascending."""
    found = [1]
    for prime, exponent in factorised(number):
        found = [value * prime**power for value in found for power in range(exponent + 1)]
    return tuple(sorted(found))


class Lattice:
    """All tiles ``u`` with ``u[d]`` a divisor of ``sizes[d]``.

    Attributes
    ----------
    shape : tuple of int
        One axis per (dimension, prime): exponent + 1.
    values : dict of dim to array
        Tile of the dimension, broadcastable to `shape`.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        axes = [(dim, prime, power) for dim, size in sizes.items() for prime, power in factorised(size)]
        self.axes = axes or [("", 2, 0)]  # nothing runs in time: a single point
        self.shape = tuple(power + 1 for _, _, power in self.axes)
        self.values: dict[str, FloatArray] = {}
        for dim in sizes:
            value = np.ones([1] * len(self.axes))
            for at, (own, prime, power) in enumerate(self.axes):
                if own == dim:
                    line = np.array([float(prime**k) for k in range(power + 1)])
                    value = value * line.reshape([-1 if at == k else 1 for k in range(len(self.axes))])
            self.values[dim] = value
        self.top = tuple(power for _, _, power in self.axes)
        self.points = prod(self.shape)

    def tiles(self, point: tuple[int, ...]) -> dict[str, int]:
        """Return the tile of every dimension at `point`."""
        found = dict.fromkeys(self.sizes, 1)
        for (dim, prime, _), power in zip(self.axes, point, strict=True):
            if power:
                found[dim] *= prime**power
        return found

    def inside(self, table: FloatArray) -> FloatArray:
        """Return, at every point, the least of `table` over the point and all tiles that divide it; overwrites it."""
        for axis, length in enumerate(self.shape):
            slices = np.moveaxis(table, axis, 0)
            for at in range(1, length):  # several times faster than np.minimum.accumulate
                np.minimum(slices[at : at + 1], slices[at - 1 : at], out=slices[at : at + 1])
        return table

    def dims_axes(self, dims: tuple[str, ...]) -> tuple[int, ...]:
        """Return the array axes of `dims`."""
        return tuple(at for at, (dim, _, _) in enumerate(self.axes) if dim in dims)
