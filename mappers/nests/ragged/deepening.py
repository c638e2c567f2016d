"""The nests of one choice of trips, depth first, in exact counts, cut off by the bounds of what is left.

From a nest whose outer part is known, every step of the hold graph is tried with every smaller tile, best bound first.
Left out are

* loops in time directly above a hold that its tensor does not depend on (below it they cost its tensor less and every
  other tensor the same; see `docs/layer_mapper.md` for the one case where gaps of a stride make a difference),
* two holds of different tensors at the same cut in both orders,
* what is bounded by no less than the best value known,
* of nests with the same loops, holders and depths at which tensors leave the axes, what costs no less than another in
  energy, every port, first loads and every room: all that follows costs both the same. Not under ``zigzag`` where the
  latency counts, because a stall there depends on each earlier transfer by itself.

No tile size is left out for being worse: a larger tile that the next inner one divides may beat an equal share (9 in
parts of 6 and 3 by tiles of 3 makes 3 tiles, in parts of 5 and 4 it makes 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from hw_models.hierarchy.tree import Level
from mappers.nests.counts import Counting
from mappers.nests.exact import Counters
from mappers.nests.graph import State, Step
from mappers.nests.lattice import FloatArray, divisors
from mappers.nests.mapping import Loop, NestMapping
from mappers.nests.objective import ROUNDING
from mappers.nests.ragged.bounds import RaggedBounds
from mappers.nests.ragged.partial import Outer, OuterNest, cost_of, finished, reach, start, written
from mappers.nests.tables import Place

MOST_CUTS = 100_000
"""Cuts that are tried below one outer part; dimensions are thinned out to the grid's tiles where there are more."""


@dataclass
class Frame:
    """What bounds are made of: tables of what is left, and the objective.

    Parameters
    ----------
    value : function of (energy, latency) arrays
        The objective; infinite above a limit.
    steps, extra : int
        Loop steps and cycles that no tile changes.
    energy, busy, ends : dict of state to array
        Bounds of what is still to pay.
    """

    bounds: RaggedBounds
    value: Callable[[FloatArray, FloatArray], FloatArray]
    steps: int
    extra: int
    places: tuple[Place, ...]
    energy: dict[State, FloatArray]
    busy: tuple[dict[State, FloatArray], ...]
    ends: dict[State, FloatArray]
    counters: Counters


_Paid = tuple[float, float, dict[Place, float], dict[str, float]]
"""Energy, cycles of first loads, busy cycles of each port, bits taken of each level."""


class RaggedDeepening:
    """The search of one choice of trips.

    Attributes
    ----------
    complete : bool
        Whether every tile size was tried; False once a dimension was thinned out.
    cut : bool
        Whether the search was stopped.
    """

    def __init__(
        self,
        frame: Frame,
        counting: Counting,
        best: Callable[[], float],
        finish: Callable[[NestMapping], object],
        stop: Callable[[], bool],
        stalls: bool = True,
    ) -> None:
        self.frame, self.counting, self.best, self.finish, self.stop = frame, counting, best, finish, stop
        self.bounds, self.graph, self.grid = frame.bounds, frame.bounds.graph, frame.bounds.grid
        self.problem, self.tree = frame.bounds.problem, frame.bounds.tree
        self.dims = tuple(self.problem.sizes)
        self.sliding = {dim for tensor in self.graph.tensors for dim in self.bounds.sliding_dims(tensor)}
        self.complete, self.cut = True, False
        self.stalls = counting == "zigzag" and stalls
        self.seen: dict[tuple[object, ...], list[_Paid]] = {}

    def run(self, most: int | None = None) -> None:
        """Search, at most `most` outer parts."""
        left = most
        root = start(self.problem, self.tree, self.graph, self.bounds.trips.unrolling())
        stack = [iter([root])]
        while stack:
            outer = next(stack[-1], None)
            if outer is None:
                stack.pop()
                continue
            if outer.bound * ROUNDING >= self.best():
                self.frame.counters.by_bound += 1
                continue
            if self._beaten(outer):
                self.frame.counters.by_dominance += 1
                continue
            if self.stop() or left == 0:
                self.cut = True
                return
            left = None if left is None else left - 1
            self.frame.counters.partial += 1
            if self.graph.final(outer.state):
                for mapping in finished(outer, self.problem):
                    self.frame.counters.leaves += 1
                    self.finish(mapping)
            stack.append(self._children(outer))

    def _beaten(self, outer: Outer) -> bool:
        """Tell whether the same loops and holders were reached at no more cost; else remember these."""
        if self.stalls:
            return False
        loops: list[Loop] = []
        left: dict[str, tuple[str, ...]] = {}
        depths: list[tuple[str, int, tuple[str, ...]]] = []
        for node in outer.nodes:
            if isinstance(node, Loop):
                loops.append(node)
                continue
            serves = self.tree.level(node.level).serves
            if serves != left.get(node.role, serves):
                depths.append((node.role, len(loops), serves))
            left[node.role] = serves
        key = (outer.state, outer.waiting, tuple(loops), tuple(sorted(depths)), outer.last)
        mine = (outer.energy_pj, outer.ends, dict(outer.busy), dict(outer.used_bits))
        rows = self.seen.setdefault(key, [])
        for energy, ends, busy, used in rows:
            if (
                energy <= mine[0] * (1 + 1e-13)
                and ends <= mine[1]
                and all(cycles <= mine[2].get(place, 0.0) for place, cycles in busy.items())
                and all(bits <= mine[3].get(level, 0.0) for level, bits in used.items())
            ):
                return True
        rows.append(mine)
        return False

    def _children(self, outer: Outer) -> Iterator[Outer]:
        """Return the nests with one hold more, those of the best bound first, as long as they may win."""
        bounds, chosen = [], []
        nest = OuterNest(self.problem, self.tree, NestMapping(outer.nodes))
        pinned = {dim: dim not in nest.ragged for dim in nest.pinned()} | dict.fromkeys(nest.disordered(), True)
        for step in self.graph.steps(outer.state):
            tiles = self._tiles(outer, step, pinned)
            table = self._scored(outer, step, tiles)
            alive = np.flatnonzero(table * ROUNDING < self.best())
            bounds.append(table.ravel()[alive])
            chosen += [(step, tiles, table.shape, int(at)) for at in alive]
        order = np.argsort(np.concatenate(bounds), kind="stable") if bounds else ()
        flat = np.concatenate(bounds) if bounds else np.zeros(0)
        for at in order:
            if flat[at] * ROUNDING >= self.best():
                return
            step, tiles, shape, number = chosen[at]
            where = np.unravel_index(number, shape)
            cut = {dim: own[int(k)] for (dim, own), k in zip(tiles.items(), where, strict=True)}
            if self._twice(outer, step, cut):
                continue
            yield from self._made(outer, step, cut)

    def _twice(self, outer: Outer, step: Step, cut: dict[str, int]) -> bool:
        """Tell whether the same two holds at the same cut are also placed in the other order."""
        now = dict(zip(self.dims, outer.tiles, strict=True))
        if any(tile != now[dim] for dim, tile in cut.items()) or not outer.nodes:
            return False
        last = outer.last
        return last is not None and last > step.tensor and not self._due(outer, step)

    def _due(self, outer: Outer, step: Step) -> bool:
        level = self.graph.chains[step.tensor][step.end]
        serves = () if level is None else level.serves
        dims = self.graph.tensors[step.tensor].dims
        return any(axis not in serves and dim in dims for axis, dim, _ in outer.waiting)

    def _tiles(self, outer: Outer, step: Step, pinned: dict[str, bool]) -> dict[str, list[int]]:
        """Return the tiles to try of each dimension of the tensor that moves.

        Of `pinned` dimensions, those that divide the present one, or that one alone where there were rests already.
        """
        now = dict(zip(self.dims, outer.tiles, strict=True))
        own = list(self.graph.tensors[step.tensor].dims)
        if self.graph.chains[step.tensor][step.end] is None:
            waiting = {dim: prod(n for _, d, n in outer.waiting if d == dim) for dim in own}
            return {dim: list(range(1, min(now[dim], waiting[dim]) + 1)) for dim in own}
        tiles = {dim: list(range(1, now[dim] + 1)) for dim in own}
        for dim in set(own) & set(pinned):
            tiles[dim] = list(divisors(now[dim])) if pinned[dim] else [now[dim]]
        while prod(len(sizes) for sizes in tiles.values()) > MOST_CUTS:
            longest = max(own, key=lambda dim: (dim not in pinned, len(tiles[dim])))
            if longest in pinned:
                break
            thin = self._thinned(outer, longest, now[longest])
            if len(thin) == len(tiles[longest]):
                break
            tiles[longest], self.complete = thin, False
        return tiles

    def _thinned(self, outer: Outer, dim: str, tile: int) -> list[int]:
        """Return the tiles that give every position one of the grid's sizes, the largest of a cell too."""
        share = prod(trips for _, own, trips in outer.waiting if own == dim)
        low = self.grid.low.get(dim)
        sizes = [1] if low is None else [int(size) for size in low.ravel()]
        return sorted({min(tile, share * size) for size in sizes} | {tile})

    def _index(self, dim: str, tile: int, outer: Outer) -> int:
        trips = [own for _, name, own in outer.waiting if name == dim]
        return self.grid.index(dim, reach(tile, trips))

    def _point(self, outer: Outer) -> tuple[int, ...]:
        now = dict(zip(self.dims, outer.tiles, strict=True))
        return tuple(self._index(dim, now[dim], outer) if dim in now else 0 for dim in self.grid.dims)

    def _scored(self, outer: Outer, step: Step, tiles: dict[str, list[int]]) -> FloatArray:
        """Return the bound after `step` at every combination of `tiles`, in their order."""
        now = dict(zip(self.dims, outer.tiles, strict=True))
        last = self.graph.chains[step.tensor][step.end] is None
        most, least = [], []
        for dim in self.grid.dims:
            sizes = tiles.get(dim, [now.get(dim, 1)])
            share = prod(trips for _, own, trips in outer.waiting if own == dim)
            low = [0 if last and dim in tiles else self.grid.index(dim, -(-size // share)) for size in sizes]
            high = low if last and dim in tiles else [self._index(dim, size, outer) for size in sizes]
            most.append(np.array(high))
            least.append(np.array(low))
        region, smallest = np.ix_(*most), np.ix_(*least)

        def at(table: Any, where: Any = region) -> FloatArray:
            return np.asarray(np.broadcast_to(table, self.grid.shape)[where])

        after = self.graph.after(outer.state, step)
        move = self.bounds.moves[step.tensor, step.start, step.end]
        energy = outer.energy_pj + at(move.energy_pj) + at(self.frame.energy[after])
        cycles = np.full(1, float(self.frame.steps))
        busy = dict(outer.busy)
        for place, table in zip(self.frame.places, self.frame.busy, strict=True):
            own = move.busy.get(place, np.zeros(1))
            cycles = np.maximum(cycles, busy.get(place, 0.0) + at(own) + at(table[after]))
        ends = outer.ends + at(move.ends) + at(self.frame.ends[after]) if self.frame.ends else np.zeros(1)
        bound = self.frame.value(energy, np.ceil(cycles - 1e-6) + ends + self.frame.extra)
        bound = np.where(at(move.fits, smallest), bound, np.inf)  # an equal share is the smallest tile
        kept = tuple(at for at, dim in enumerate(self.grid.dims) if dim in tiles)
        bound = bound.reshape([bound.shape[at] for at in kept])
        order = [self.grid.dims[at] for at in kept]
        bound = np.transpose(bound, [order.index(dim) for dim in tiles if dim in order])
        shape = [len(sizes) if dim in order else 1 for dim, sizes in tiles.items()]
        return np.ascontiguousarray(np.broadcast_to(bound.reshape(shape), [len(sizes) for sizes in tiles.values()]))

    def _made(self, outer: Outer, step: Step, cut: dict[str, int]) -> Iterator[Outer]:
        """Return the nests after `step` with tiles `cut`, exactly costed, that keep to the machine and may win."""
        now = dict(zip(self.dims, outer.tiles, strict=True))
        changed = [dim for dim, tile in cut.items() if tile < now[dim]]
        last: list[str | None] = [dim for dim in changed if dim in self.sliding]
        if len(last) < len(changed) or not last:
            last.append(next((dim for dim in changed if dim not in self.sliding), None))
        made = []
        for inner in last:
            for after in written(outer, self.problem, self.graph, step, cut, inner):
                costed = self._costed(replace(after, last=step.tensor), step)
                if costed is not None and costed.bound * ROUNDING < self.best():
                    made.append(costed)
        yield from sorted(made, key=lambda after: after.bound)

    def _costed(self, after: Outer, step: Step) -> Outer | None:
        """Return `after` with its costs and bound, None if it breaks a rule of the machine."""
        nest = OuterNest(self.problem, self.tree, NestMapping(after.nodes))
        if nest.ragged and nest.ragged & nest.disordered():
            return None
        level = self.graph.chains[step.tensor][step.end]
        if level is None and any(
            tile > 1 and dim in self.graph.tensors[step.tensor].dims
            for dim, tile in zip(self.dims, after.tiles, strict=True)
        ):
            return None
        cost = cost_of(nest, step, self.graph, self.counting)
        used = dict(after.used_bits)
        if level is not None and not self._fits(level, self.graph.tensors[step.tensor].role, cost.bits, used):
            return None
        point = self._point(after)
        energy, own, ends = cost.energy_pj, cost.busy, after.ends + cost.ends
        serves = () if level is None else level.serves
        if any(axis not in serves for axis, _, _ in after.waiting):  # of loops not written yet the edges are not known
            move = self.bounds.moves[step.tensor, step.start, step.end]
            read: Callable[[Any], float] = lambda table: float(np.broadcast_to(table, self.grid.shape)[point])  # noqa: E731
            energy, own = read(move.energy_pj), {place: read(table) for place, table in move.busy.items()}
            ends = after.ends + read(move.ends)
        busy = dict(after.busy)
        for place, cycles in own.items():
            busy[place] = busy.get(place, 0.0) + cycles
        total = after.energy_pj + energy
        cycles = float(self.frame.steps)
        for place, table in zip(self.frame.places, self.frame.busy, strict=True):
            cycles = max(cycles, busy.get(place, 0.0) + float(table[after.state][point]))
        least = total + float(self.frame.energy[after.state][point])
        later = float(self.frame.ends[after.state][point]) if self.frame.ends else 0.0
        latency = np.array([np.ceil(cycles - 1e-6) + ends + later + self.frame.extra])
        bound = max(after.bound, float(self.frame.value(np.array([least]), latency).item()))
        return replace(
            after,
            energy_pj=total,
            busy=tuple(sorted(busy.items())),
            ends=ends,
            used_bits=tuple(sorted(used.items())),
            bound=bound,
        )

    def _fits(self, level: Level, role: str, bits: float, used: dict[str, float]) -> bool:
        """Tell whether a tile of `bits` fits beside what `used` says; book it there."""
        own = dict(level.parts_bits)
        if role in own:
            return bits <= own[role]
        used[level.name] = used.get(level.name, 0.0) + bits
        return level.capacity_bits is None or used[level.name] <= level.capacity_bits
