"""Good ceil nests from the divisor search: dimensions are padded to a multiple of their trips, nests are cut back.

A nest of divisor tiles of a padded problem becomes a nest of ceil tiles of the real one when every tile is cut to what
is there. What is found so is counted exactly as the ceil nest that it is; nothing is proved by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.bounds import Costs
from mappers.nests.counts import Counting
from mappers.nests.emit import emit
from mappers.nests.exact import Partial
from mappers.nests.lattice import divisors
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem
from mappers.nests.ragged.trips import Trips
from mappers.nests.search import NestSearch, _Choice

SLACK = 16
"""A dimension is padded by at most a part in so many to get more divisors."""


def padded(problem: NestProblem, trips: Trips, smooth: bool) -> NestProblem:
    """Return `problem` with every dimension a multiple of its trips; `smooth`: and with many divisors."""
    dims = []
    for dim, size in problem.dims:
        factor = trips.most(dim)
        least = -(-size // factor)
        most = least + least // SLACK if smooth else least
        own = max(range(least, most + 1), key=lambda length: (len(divisors(length)), -length))
        dims.append((dim, factor * own))
    return replace(problem, dims=tuple(dims))


def cut(mapping: NestMapping, problem: NestProblem) -> NestMapping:
    """Return the nest with every tile cut to the extent of `problem` that is left for it."""
    left = dict(problem.dims)
    nodes: list[Loop | Hold] = []
    for node in mapping.nodes:
        if isinstance(node, Loop):
            if node.tile >= left[node.dim]:
                continue
            left[node.dim] = node.tile
        nodes.append(node)
    return NestMapping(tuple(nodes))


def in_order(mapping: NestMapping, dims: set[str], problem: NestProblem, tree: MemoryTree) -> NestMapping:
    """Return a divisor nest in which every tensor sees the loops of `dims` as written.

    Loops in time over such a dimension that stand between the first of its loops along an axis and the last hold that
    parts a tensor along an axis move out, above the first; no tile grows by that.
    """
    nodes = list(mapping.nodes)
    extents = iter(mapping.extents(problem))
    trips = [next(extents) // node.tile if isinstance(node, Loop) else 0 for node in nodes]
    for dim in sorted(dims):
        own = [at for at, node in enumerate(nodes) if isinstance(node, Loop) and node.dim == dim]
        axes = {node.axis for at in own if isinstance(node := nodes[at], Loop) and node.axis is not None}
        if not axes:
            continue
        first = min(at for at in own if isinstance(node := nodes[at], Loop) and node.axis is not None)
        parted = [
            next((at for at, node in enumerate(nodes) if _parts(node, tensor.role, axis, tree)), len(nodes))
            for tensor in problem.tensors
            if dim in tensor.dims
            for axis in axes
        ]
        late = [
            at for at in own if first < at < max(parted) and isinstance(node := nodes[at], Loop) and node.axis is None
        ]
        order = [*range(first), *late, *(at for at in range(first, len(nodes)) if at not in late)]
        nodes, trips = [nodes[at] for at in order], [trips[at] for at in order]
    left = dict(problem.dims)
    for at, node in enumerate(nodes):
        if isinstance(node, Loop):
            left[node.dim] //= trips[at]
            nodes[at] = replace(node, tile=left[node.dim])
    return NestMapping(tuple(nodes))


def _parts(node: Loop | Hold, role: str, axis: str, tree: MemoryTree) -> bool:
    return isinstance(node, Hold) and node.role == role and axis not in tree.level(node.level).serves


class PaddedSearch(NestSearch):
    """The divisor search of one unrolling of a padded problem; `keep` costs a nest of the real one."""

    def __init__(
        self,
        problem: NestProblem,
        tree: MemoryTree,
        objective: Objective,
        counting: Counting,
        trips: Trips,
        smooth: bool,
        value: float,
        keep: Callable[[NestMapping], float],
    ) -> None:
        super().__init__(padded(problem, trips, smooth), tree, objective, counting, self._enough)
        self.real, self.trips, self.keep, self.parts = problem, trips, keep, 0
        self.best.value, self.best.mapping = value, NestMapping(())

    def look(self, parts: int) -> None:
        """Search at most `parts` partial nests."""
        self.parts = parts
        choice = _Choice(self.trips.unrolling(), 0.0)
        costs, energy = self._bound(choice)
        self._frame_and(costs, energy, choice, dive=False)

    def _enough(self) -> bool:
        return self.counters.partial >= self.parts

    def _leaf(self, costs: Costs, part: Partial) -> None:
        mapping = emit(costs, part)
        value = self.keep(cut(mapping, self.real))
        if value == np.inf:
            ragged = {dim for dim, size in self.problem.dims if size != self.real.sizes[dim]}
            value = self.keep(cut(in_order(mapping, ragged, self.problem, self.tree), self.real))
        if value < np.inf:
            self.best.value = min(self.best.value, value)
