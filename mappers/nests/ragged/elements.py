"""Least elements that boxes of a tensor hold together, when only their least number per dimension is known."""

from __future__ import annotations

import numpy as np

from mappers.nests.boxes import components, distinct_elements
from mappers.nests.lattice import FloatArray
from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.loop_nest import Axis

MOST_COUNTS = 1 << 20
MOST_INDICES = 1 << 20


class LeastElements:
    """Lower bounds per component of each tensor, remembered.

    Along one axis ``p y + q f`` (sizes ``Y``, ``F``), `a` parts of ``y`` and `b` parts of ``f`` make ``a b`` boxes that
    together hold ``p Y b + q F a + (1 - p - q) a b`` elements, less what lies outside the tensor. Of the `k`-th part of
    ``f`` and the parts of ``y`` no more lies to one side of it than ``sum over y of max(0, side - p y - q k)``. The
    least over all larger numbers of parts is taken, because gaps of a stride make more boxes hold less. No partition
    holds less than every element that some MAC needs once.
    """

    def __init__(self, problem: NestProblem) -> None:
        self.problem = problem
        self.parts = {tensor.role: components(tensor) for tensor in problem.tensors}
        self._tables: dict[tuple[str, int], FloatArray | float] = {}
        self._volumes: dict[tuple[str, int], float] = {}

    def of(self, tensor: ProblemTensor, boxes: dict[str, FloatArray]) -> FloatArray:
        """Return the least elements with at least ``boxes[dim]`` parts (arrays that broadcast) of each dimension."""
        total: FloatArray = np.ones(1)
        for part, (_, dims) in enumerate(self.parts[tensor.role]):
            table = self._table(tensor.role, part)
            if isinstance(table, float):
                total = total * table
            elif len(dims) == 1:
                total = total * table[0][boxes[dims[0]].astype(np.int64) - 1]
            else:
                first, second = (boxes[dim].astype(np.int64) - 1 for dim in dims)
                total = total * table[second, first]
        return total

    def volume(self, tensor: ProblemTensor) -> float:
        """Return the distinct elements that some MAC needs."""
        total = 1.0
        for part in range(len(self.parts[tensor.role])):
            total *= self._volume(tensor.role, part)
        return total

    def _volume(self, role: str, part: int) -> float:
        if (role, part) not in self._volumes:
            axes, dims = self.parts[role][part]
            self._volumes[role, part] = float(_distinct(axes, dims, self.problem))
        return self._volumes[role, part]

    def _table(self, role: str, part: int) -> FloatArray | float:
        """Return least elements by (parts of the second dimension - 1, parts of the first - 1), or one figure."""
        key = (role, part)
        if key not in self._tables:
            axes, dims = self.parts[role][part]
            sizes = [self.problem.sizes[dim] for dim in dims]
            least = self._volume(role, part)
            if len(axes) != 1 or not 1 <= len(dims) <= 2 or np.prod(sizes) > MOST_COUNTS:
                self._tables[key] = least
            else:
                self._tables[key] = np.maximum(_counted(axes[0], sizes, self.problem.fetch_padding), least)
        return self._tables[key]


def _counted(axis: Axis, sizes: list[int], padding: bool) -> FloatArray:
    """Return the bound for every number of parts, and the least of it over all larger ones."""
    step, (first, second) = axis.terms[0][0], (sizes[0], sizes[1] if len(sizes) > 1 else 1)
    other = axis.terms[1][0] if len(sizes) > 1 else 0
    a, b = np.arange(1, first + 1, dtype=float)[None, :], np.arange(1, second + 1, dtype=float)[:, None]
    held = step * first * b + other * second * a + (1 - step - other) * a * b
    if not padding:
        right = axis.offset + step * (first - 1) + other * (second - 1) - (axis.size - 1)
        outside = np.zeros(second)
        for side in (max(0, -axis.offset), max(0, right)):
            for k in range(second):
                outside[k] += sum(max(0, side - step * y - other * k) for y in range(min(first, side // step + 1)))
        held = held - np.cumsum(outside)[:, None]
    for at in (0, 1):
        held = np.flip(np.minimum.accumulate(np.flip(held, at), at), at)
    return held


def _distinct(axes: tuple[Axis, ...], dims: tuple[str, ...], problem: NestProblem) -> int:
    """Return the distinct elements of a component that lie inside the tensor; along one dimension where it is huge."""
    if not dims:
        return 1
    sizes = {dim: problem.sizes[dim] for dim in dims}
    if len(axes) == 1 and len(dims) == 1:
        return _along(axes[0], sizes[dims[0]], problem.fetch_padding)
    if np.prod([float(size) for size in sizes.values()]) > MOST_INDICES:
        longest = max(dims, key=lambda dim: sizes[dim])
        sizes = {dim: min(size, MOST_INDICES) if dim == longest else 1 for dim, size in sizes.items()}
    return distinct_elements(axes, sizes, problem.fetch_padding)


def _along(axis: Axis, size: int, padding: bool) -> int:
    """Return the distinct indices inside the tensor along an axis of one dimension."""
    if padding:
        return size
    step = axis.terms[0][0]
    low, high = max(0, -(axis.offset // step)), min(size - 1, (axis.size - 1 - axis.offset) // step)
    return max(0, high - low + 1)
