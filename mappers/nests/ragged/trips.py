"""Choices of how many positions of each array axis a dimension runs along, any number, not divisors alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from hw_models.hierarchy.tree import ArrayAxis, MemoryTree
from mappers.nests.lattice import FloatArray, divisors
from mappers.nests.problem import NestProblem
from mappers.nests.spatial import AxisUse, Unrolling, axis_uses

MOST_CHOICES = 3_000_000
"""Choices that are listed; with more of them the bound is that of the steps and of the compulsory traffic."""


@dataclass(frozen=True)
class Trips:
    """One choice, or the hull of a set of choices.

    Parameters
    ----------
    rows : array of int, shape (choices, axes, dims)
        Trips along each axis of `tree`, dimensions in the order of `dims`.
    """

    tree: MemoryTree
    dims: tuple[str, ...]
    rows: npt.NDArray[np.int64]

    def _shares(self, dim: str, serves: tuple[str, ...] | None) -> npt.NDArray[np.int64]:
        """Return the trips of `dim` along the axes named (None for all), for every choice."""
        if dim not in self.dims:
            return np.ones(len(self.rows), dtype=np.int64)
        at = [k for k, axis in enumerate(self.tree.axes) if serves is None or axis.name in serves]
        return np.asarray(self.rows[:, at, self.dims.index(dim)].prod(axis=1))

    def most(self, dim: str, serves: tuple[str, ...] | None = None) -> int:
        """Return the most trips of `dim` along the axes named (None for all)."""
        return int(self._shares(dim, serves).max())

    def least(self, dim: str, serves: tuple[str, ...] | None = None) -> int:
        """Return the least trips of `dim` along the axes named (None for all)."""
        return int(self._shares(dim, serves).min())

    def single(self, dim: str) -> bool:
        """Tell whether no choice runs `dim` along two axes."""
        return dim not in self.dims or bool(((self.rows[:, :, self.dims.index(dim)] > 1).sum(axis=1) < 2).all())

    def least_each(self, dim: str, serves: tuple[str, ...]) -> list[int]:
        """Return the least trips (above 1) of `dim` along each of the axes named."""
        if dim not in self.dims:
            return []
        at = self.dims.index(dim)
        own = [int(self.rows[:, k, at].min()) for k, axis in enumerate(self.tree.axes) if axis.name in serves]
        return [factor for factor in own if factor > 1]

    def together(self, dims: list[str], serves: tuple[str, ...], without: tuple[str, ...]) -> tuple[int, int]:
        """Return the least and most positions that `dims` take together on axes of `serves` but not of `without`."""
        at = [k for k, axis in enumerate(self.tree.axes) if axis.name in serves and axis.name not in without]
        own = [self.dims.index(dim) for dim in dims if dim in self.dims]
        found = self.rows[:, at][:, :, own].prod(axis=(1, 2))
        return int(found.min()), int(found.max())

    def unrolling(self) -> Unrolling:
        """Return the only choice."""
        (rows,) = self.rows.tolist()
        return Unrolling(tuple(tuple((d, f) for d, f in zip(self.dims, row, strict=True) if f > 1) for row in rows))


@dataclass(frozen=True)
class Choices:
    """All choices as arrays.

    Parameters
    ----------
    dims : tuple of str
        Dimensions larger than 1.
    trips : array of int, shape (choices, axes, dims)
    """

    tree: MemoryTree
    dims: tuple[str, ...]
    trips: npt.NDArray[np.int64]

    def steps(self, problem: NestProblem) -> FloatArray:
        """Return the least loop steps of each choice."""
        sizes = np.array([problem.sizes[dim] for dim in self.dims], dtype=np.int64)
        found: FloatArray = np.ceil(sizes / self.trips.prod(axis=1)).prod(axis=1)
        return found

    def fill(self) -> FloatArray:
        """Return the cycles of fill of systolic axes."""
        found = np.zeros(len(self.trips))
        for at, axis in enumerate(self.tree.axes):
            if axis.systolic:
                found += self.trips[:, at].prod(axis=1) - 1
        return found

    def of(self, numbers: npt.NDArray[np.int64]) -> Trips:
        """Return the hull of some of the choices."""
        return Trips(self.tree, self.dims, self.trips[numbers])


def choices(problem: NestProblem, tree: MemoryTree) -> Choices | None:
    """Return every choice that the axes allow, one of those that cost the same; None where they are too many."""
    dims = tuple(dim for dim, size in problem.dims if size > 1)
    sizes = {dim: problem.sizes[dim] for dim in dims}
    per_axis = [_vectors(axis, sizes) for axis in tree.axes]
    if prod(len(rows) for rows in per_axis) > MOST_CHOICES:
        return None
    table = np.ones((1, 0, len(dims)), dtype=np.int64)
    limit = np.array([sizes[dim] for dim in dims], dtype=np.int64)
    for rows in per_axis:
        old, new = len(table), len(rows)
        table = np.concatenate(
            [np.repeat(table, new, axis=0), np.tile(rows, (old, 1)).reshape(old * new, 1, len(dims))], axis=1
        )
        table = table[(_least_extent(table) <= limit).all(axis=1)]
    return Choices(tree, dims, _distinct(tree, table))


def _least_extent(table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the least number of indices that loops of exactly so many trips along the axes can run over.

    A loop of ``f`` trips over tiles of ``t`` runs over ``(f - 1) t + 1`` or more; least with the most trips innermost.
    """
    found = np.ones((len(table), table.shape[2]), dtype=np.int64)
    ordered = -np.sort(-table, axis=1)
    for at in range(table.shape[1]):
        found = np.where(ordered[:, at] > 1, (ordered[:, at] - 1) * found + 1, found)
    return found


def _vectors(axis: ArrayAxis, sizes: dict[str, int]) -> npt.NDArray[np.int64]:
    uses = _uses(axis, sizes)
    found = [[dict(use).get(dim, 1) for dim in sizes] for use in uses]
    return np.array(found, dtype=np.int64).reshape(len(uses), len(sizes))


def _uses(axis: ArrayAxis, sizes: dict[str, int]) -> list[AxisUse]:
    """Return the ways to use an axis; a superset of those with divisors."""
    if axis.forced:
        options = []
        for dim, factor in axis.forced:
            size = sizes.get(dim, 1)
            own = {max(v for v in divisors(size) if v <= factor), min(size, factor)}
            options.append([(dim, value) for value in sorted(own)])
        return [tuple(item for item in combination if item[1] > 1) for combination in product(*options)]
    most = axis.max_dims if axis.max_dims is not None else len(sizes)
    uses: list[AxisUse] = [()]
    for dim, size in sizes.items():
        if axis.allows(dim):
            uses += [
                (*use, (dim, factor))
                for use in uses
                if len(use) < most
                for factor in range(2, min(size, axis.size // prod(f for _, f in use)) + 1)
            ]
    if axis.min_used > 1:
        attainable = max(prod(f for _, f in use) for use in axis_uses(axis, sizes))
        uses = [use for use in uses if prod(f for _, f in use) >= min(axis.min_used, attainable)]
    return uses


def _distinct(tree: MemoryTree, table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return one of the choices that differ only by exchanging axes that the same levels serve."""
    classes: dict[tuple[object, ...], list[int]] = {}
    for at, axis in enumerate(tree.axes):
        served = tuple(level.name for level in tree.levels if axis.name in level.serves)
        classes.setdefault((served, at if axis.systolic else -1), []).append(at)
    alike = [members for members in classes.values() if len(members) > 1]
    if not alike or not table.shape[2]:
        return table
    key = table.copy()
    for members in alike:
        key[:, members] = np.sort(key[:, members], axis=1)
    flat = np.ascontiguousarray(key.reshape(len(key), -1).astype(np.int32))
    _, first = np.unique(flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel(), return_index=True)
    return table[np.sort(first)]
