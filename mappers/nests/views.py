"""The loops of a mapping as one tensor sees them, and the tiles that it makes of each dimension.

Loops in time stand where the mapping writes them. A loop along an array axis has no time; a tensor sees it directly
above the first of its holds that does not serve the axis (below its last hold where all serve it): that is where
its data part. The tile of a hold is made by the loops below it and is a box; neighbours along an axis hold
neighbouring boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.mapping import NestMapping
from mappers.nests.problem import NestProblem, ProblemTensor
from workloads.errors import InputError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ViewLoop:
    """One loop: `index` in the mapping's loops, its extent and tile, its axis if it is not in time."""

    index: int
    dim: str
    extent: int
    tile: int
    axis: str | None

    @property
    def trips(self) -> int:
        """Value of the iterations over a full extent."""
        return -(-self.extent // self.tile)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Movement of one tensor between two neighbouring holds.

    Parameters
    ----------
    parent : Level
        Outer holder.
    child : Level or None
        Inner holder, None for the multipliers.
    above, fan : tuple of ViewLoop
        Loops above the child's tile in the tensor's order; those at their end that run along axes the parent serves
        and the child does not are `fan` and are not in `above`.
    """

    tensor: ProblemTensor
    parent: Level
    child: Level | None
    above: tuple[ViewLoop, ...]
    fan: tuple[ViewLoop, ...]
    latched: bool


class Nest:
    """A checked mapping of a problem on a hierarchy, with the views of its tensors."""

    def __init__(self, problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> None:
        mapping.check(problem, tree)
        self.problem, self.tree, self.mapping = problem, tree, mapping
        extents = mapping.extents(problem)
        self.loops = tuple(
            ViewLoop(at, loop.dim, extent, loop.tile, loop.axis)
            for at, (loop, extent) in enumerate(zip(mapping.loops, extents, strict=True))
        )
        self.ragged = {loop.dim for loop in self.loops if loop.extent % loop.tile}

    def used(self, axis: str) -> int:
        """Return the positions of `axis` that the mapping uses."""
        positions = 1
        for loop in self.loops:
            if loop.axis == axis:
                positions *= loop.trips
        return positions

    def steps(self) -> int:
        """Return the loop steps in time; a step keeps every multiplier that the mapping uses busy once."""
        total = 1
        for dim in self.problem.sizes:
            chain = [loop for loop in self.loops if loop.dim == dim]
            total *= count_steps(chain, self.problem.sizes[dim], {loop.index for loop in chain if loop.axis is None})
        return total

    def transfers(self, tensor: ProblemTensor, latched: bool) -> tuple[Transfer, ...]:
        """Return the transfers of `tensor`, outermost first; `latched` says if multipliers keep a word."""
        holds = [(self.tree.level(name), depth) for name, depth in self.mapping.holds(tensor.role)]
        end = len(self.loops)
        order = self._order([*holds, (None, end)])
        self._check_order(tensor, order)
        found = []
        for (parent, _), (child, depth) in zip(holds, [*holds[1:], (None, end)], strict=True):
            serves = () if child is None else child.serves
            prefix = [
                x
                for x in order
                if (x.axis is None and x.index < depth) or (x.axis is not None and x.axis not in serves)
            ]
            fan = tuple(x for x in prefix if x.axis is not None and x.axis in parent.serves)
            above = tuple(x for x in prefix if x not in fan)
            found.append(Transfer(tensor, parent, child, above, fan, latched or child is not None))
        return tuple(found)

    def _order(self, holds: list[tuple[Level | None, int]]) -> list[ViewLoop]:
        """Return all loops as a tensor with `holds` sees them."""
        keyed = []
        for loop in self.loops:
            if loop.axis is None:
                keyed.append(((loop.index, len(holds), 0), loop))
            else:
                place = next(k for k, (level, _) in enumerate(holds) if level is None or loop.axis not in level.serves)
                keyed.append(((holds[place][1], place, loop.index), loop))
        return [loop for _, loop in sorted(keyed, key=lambda item: item[0])]

    def _check_order(self, tensor: ProblemTensor, order: list[ViewLoop]) -> None:
        """Refuse ragged tiles of a dimension whose loops the tensor sees in another order than written."""
        for dim in self.ragged:
            seen = [loop.index for loop in order if loop.dim == dim]
            if seen != sorted(seen) and dim in tensor.dims:
                raise InputError(
                    f"mapping: dimension {dim} has ragged tiles, and its loops along axes do not stand directly above "
                    f"the first hold of '{tensor.role}' that does not serve the axis; move them there or use divisors"
                )


def count_steps(chain: list[ViewLoop], size: int, counted: set[int]) -> int:
    """Return how many combinations of the loops in `counted` occur; the other loops stay at their first iteration."""
    tiles = {size: 1}
    for loop in chain:
        split: dict[int, int] = {}
        for extent, times in tiles.items():
            tile = min(loop.tile, extent)
            if loop.index not in counted:
                split[tile] = split.get(tile, 0) + times
                continue
            whole, rest = divmod(extent, tile)
            split[tile] = split.get(tile, 0) + times * whole
            if rest:
                split[rest] = split.get(rest, 0) + times
        tiles = split
    return sum(tiles.values())


def positions(chain: list[ViewLoop], size: int, perfect: bool) -> tuple[IntArray, IntArray]:
    """Return (start, size) of every tile of one dimension below the loops `chain`, in loop order.

    In a perfect chain the order of loops seen may differ from the order written; tiles are then re-derived from trips.
    """
    starts, sizes = np.zeros(1, dtype=np.int64), np.full(1, size, dtype=np.int64)
    for loop in chain:
        if perfect:
            trips = loop.trips
            tile = sizes // trips
            offsets = np.arange(trips, dtype=np.int64)
            starts = (starts[:, None] + offsets * tile[:, None]).ravel()
            sizes = np.repeat(tile, trips)
        else:
            offsets = np.arange(loop.trips, dtype=np.int64) * loop.tile
            grid = starts[:, None] + offsets
            left = sizes[:, None] - offsets
            keep = left > 0
            starts, sizes = grid[keep], np.minimum(left, loop.tile)[keep]
    return starts, sizes
