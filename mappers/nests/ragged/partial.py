"""The outer part of a nest, in exact integers: holds placed so far, the loops above them, what they have cost.

Loops are written where they have to stand: loops in time directly above the hold that the tile is made for, loops
along an axis above the first hold, of a tensor that depends on their dimension, whose level does not serve the axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations, product
from math import ceil

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.cost import links, shares, taken_bits
from mappers.nests.counts import Counting, Flow, flow_of
from mappers.nests.graph import HoldGraph, State, Step
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem
from mappers.nests.spatial import Unrolling
from mappers.nests.tables import Place
from mappers.nests.views import Nest, ViewLoop

Waiting = tuple[tuple[str, str, int], ...]
"""(axis, dimension, trips) of loops that are not written yet."""


class OuterNest(Nest):
    """The views of a nest of which only the outer part is known; not checked."""

    def __init__(self, problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> None:
        self.problem, self.tree, self.mapping = problem, tree, mapping
        self.loops = tuple(
            ViewLoop(at, loop.dim, extent, loop.tile, loop.axis)
            for at, (loop, extent) in enumerate(zip(mapping.loops, mapping.extents(problem), strict=True))
        )
        self.ragged = {loop.dim for loop in self.loops if loop.extent % loop.tile}

    def disordered(self) -> set[str]:
        """Return the dimensions whose loops some tensor sees in another order than written, however the nest goes on.

        Such a dimension has to be divided without a rest.
        """
        found: set[str] = set()
        for tensor in self.problem.tensors:
            holds = [(self.tree.level(name), depth) for name, depth in self.mapping.holds(tensor.role)]
            order = self._order([*holds, (None, len(self.loops))])
            for dim in tensor.dims:
                seen = [loop.index for loop in order if loop.dim == dim]
                if seen != sorted(seen):
                    found.add(dim)
        return found

    def pinned(self) -> set[str]:
        """Return the dimensions of which a loop along an axis is written that a tensor has yet to see.

        A loop in time that divides such a dimension from here on comes before that loop in the eyes of the tensor.
        """
        found: set[str] = set()
        for tensor in self.problem.tensors:
            serves = self.tree.level(self.mapping.holds(tensor.role)[-1][0]).serves
            found |= {loop.dim for loop in self.loops if loop.axis in serves and loop.dim in tensor.dims}
        return found


@dataclass(frozen=True, slots=True)
class Outer:
    """The outer part of a nest.

    Parameters
    ----------
    state : State
        Current holder of each tensor.
    tiles : tuple of int
        Tile written last, dimensions in the problem's order.
    waiting : Waiting
        Loops along axes still to be written.
    nodes : tuple of Loop or Hold
    energy_pj, busy : float, tuple of (place, cycles)
        Of the transfers so far; a lower bound where loops that they depend on are not written yet.
    ends : float
        Cycles of loading first and unloading last tiles so far (``zigzag``).
    used_bits : tuple of (level, bits)
        Shared capacity taken.
    bound : float
        Of the objective, over everything that begins so.
    last : int or None
        Tensor whose hold was placed last.
    """

    state: State
    tiles: tuple[int, ...]
    waiting: Waiting
    nodes: tuple[Loop | Hold, ...]
    energy_pj: float = 0.0
    busy: tuple[tuple[Place, float], ...] = ()
    ends: float = 0.0
    used_bits: tuple[tuple[str, float], ...] = ()
    bound: float = 0.0
    last: int | None = None


def start(problem: NestProblem, tree: MemoryTree, graph: HoldGraph, use: Unrolling) -> Outer:
    """Return the nest in which the outermost level holds everything."""
    waiting = tuple(
        (axis.name, dim, trips) for axis, own in zip(tree.axes, use.axes, strict=True) for dim, trips in own
    )
    holds = tuple(Hold(tree.levels[0].name, tensor.role) for tensor in problem.tensors)
    return Outer(graph.start, tuple(size for _, size in problem.dims), waiting, holds)


def reach(tile: int, waiting: list[int]) -> int:
    """Return the largest tile that one position can get of `tile` below loops of exactly `waiting` trips each.

    A loop of ``f`` trips over tiles of ``t`` runs over more than ``(f - 1) t`` indices.
    """
    return min([tile, *(-(-tile // (trips - 1)) - 1 for trips in waiting if trips > 1)])


def written(
    outer: Outer, problem: NestProblem, graph: HoldGraph, step: Step, tiles: dict[str, int], last: str | None
) -> Iterator[Outer]:
    """Return the nests after `step` with loops in time down to `tiles`, that over `last` innermost.

    One for every way to share the tiles out over the positions of the axes that the new holder does not serve.
    """
    tensor, level = graph.tensors[step.tensor], graph.chains[step.tensor][step.end]
    serves = () if level is None else level.serves
    order = sorted(tiles, key=lambda dim: (dim == last, list(problem.sizes).index(dim)))
    now = dict(zip(problem.sizes, outer.tiles, strict=True))
    loops = [Loop(dim, tiles[dim]) for dim in order if tiles[dim] < now[dim]]
    now |= tiles
    due = [item for item in outer.waiting if item[0] not in serves and item[1] in tensor.dims]
    left = tuple(item for item in outer.waiting if item not in due)
    per_dim = [
        list(_shared(dim, now[dim], [item for item in due if item[1] == dim]))
        for dim in dict.fromkeys(item[1] for item in due)
    ]
    hold = () if level is None else (Hold(level.name, tensor.role),)
    for parts in product(*per_dim):
        spread = [loop for part in parts for loop in part]
        after = now | {loop.dim: loop.tile for loop in spread}
        yield replace(
            outer,
            state=graph.after(outer.state, step),
            tiles=tuple(after[dim] for dim in problem.sizes),
            waiting=left,
            nodes=(*outer.nodes, *loops, *spread, *hold),
        )


def _shared(dim: str, tile: int, loops: list[tuple[str, str, int]]) -> Iterator[tuple[Loop, ...]]:
    """Return every way to run `tile` indices along the axes `loops`, each with exactly its trips."""
    if not loops:
        yield ()
        return
    for first in loops if len(loops) > 1 else loops[:1]:
        axis, _, trips = first
        rest = [loop for loop in loops if loop != first]
        for part in range(-(-tile // trips), reach(tile, [trips]) + 1):
            if part >= 1 and -(-tile // part) == trips:
                for inner in _shared(dim, part, rest):
                    yield (Loop(dim, part, axis), *inner)


def finished(outer: Outer, problem: NestProblem) -> Iterator[NestMapping]:
    """Return the nests in which nothing more is held: every dimension is brought down to single indices."""
    per_dim = []
    for dim, tile in zip(problem.sizes, outer.tiles, strict=True):
        waiting = [item for item in outer.waiting if item[1] == dim]
        ways: list[tuple[Loop, ...]] = []
        for order in permutations(waiting):
            for least in _whole([trips for _, _, trips in order]):
                loops, extent = ([Loop(dim, least)] if least < tile else []), least
                for at, (axis, _, trips) in enumerate(order):
                    extent = 1 if at == len(order) - 1 else -(-extent // trips)
                    loops.append(Loop(dim, extent, axis))
                if least <= tile:
                    ways.append(tuple(loops))
        per_dim.append(ways)
    for parts in product(*per_dim):
        yield NestMapping((*outer.nodes, *(loop for part in parts for loop in part)))


def _whole(trips: list[int]) -> list[int]:
    """Return the extents that loops of exactly `trips`, shared out evenly, bring down to single indices."""
    found = [1]
    for own in reversed(trips):
        found = [extent for inner in found for extent in range((own - 1) * inner + 1, own * inner + 1)]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Costed:
    """What the transfer into the newest hold costs, and the room it takes."""

    energy_pj: float
    busy: dict[Place, float]
    ends: float
    bits: float


def cost_of(nest: OuterNest, step: Step, graph: HoldGraph, counting: Counting) -> Costed:
    """Return the cost of the transfer that `step` added, in exact counts."""
    tensor = graph.tensors[step.tensor]
    level = graph.chains[step.tensor][step.end]
    number = len(nest.mapping.holds(tensor.role)) - (1 if level is None else 2)
    flow = flow_of(nest, nest.transfers(tensor, counting == "zigzag")[number], counting)
    energy, busy, ends = 0.0, dict[Place, float](), 0
    for link in links(nest, flow, counting):
        at = nest.tree.level(link.level)
        energy += float(link.bits / at.access_bits * (at.read_pj if link.direction in ("tl", "th") else at.write_pj))
        if counting == "timeloop":
            for place, share in shares(nest.tree, link):
                width = next(port.max_bits for port in at.ports if port.name == place[1])
                busy[place] = busy.get(place, 0.0) + float(link.bits * share / link.copies / width)
        elif flow.child and link.direction in (("fl", "th") if flow.output else ("tl", "fh")):
            width = sum((p.max_bits for p in at.ports if (link.role, link.direction) in p.carries), Fraction(0))
            ends = max(ends, ceil(link.tile_bits / width) if width else 0)
    return Costed(energy, busy, float(ends), _taken(level, tensor.role, flow, nest))


def _taken(level: Level | None, role: str, flow: Flow, nest: Nest) -> float:
    if level is None:
        return 0.0
    return float(taken_bits(level, role, flow.child_tile * nest.problem.tensor(role).stored_bits()))
