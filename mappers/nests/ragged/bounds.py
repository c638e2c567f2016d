"""Lower bounds of what a nest of ceil tiles costs, for one choice of trips along the array axes.

Take a dimension of size ``n`` that runs in ``f`` trips along the axes, and one hold of a nest. Let its level serve axes
with ``g`` of the trips, let ``T`` be the largest tile it holds, ``u = ceil(T / g)``, and ``m = ceil(n / f)``. Tiles
cover the dimension, so that

* there are at least ``ceil(n / (g u))`` of them over all instances, and at least ``ceil(m / u)`` one after the other;
* where the parent's instances serve axes of ``h`` trips, it sees at least ``ceil(n / (h u))`` different ones.

All three fall as ``u`` rises. Take for every hold the largest ``u`` of its own and of all holds below it: it never
rises on the way in, the three stay bounds, and the tile itself is at least ``g (u - 1) + 1`` (where ``u`` is its own)
or ``(f1 - 1) (... u ...) + 1`` for each axis served (where it comes from below: a loop of ``f1`` trips over tiles of
``t`` runs over more than ``(f1 - 1) t`` indices). Above ``m`` no bound changes. A table per state "which level holds
which tensor" and point ``u``, built from the inside outwards by a running minimum, is then a bound of everything that
is left to pay; it is exact where tiles of the nest divide each other and every position gets an equal share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations

import numpy as np

from hw_models.hierarchy.tree import Direction, Level, MemoryTree
from mappers.nests.graph import HoldGraph, State
from mappers.nests.lattice import FloatArray
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.ragged.elements import LeastElements
from mappers.nests.ragged.grid import Grid
from mappers.nests.ragged.trips import Trips
from mappers.nests.tables import BoolArray, Place, taken

MoveKey = tuple[int, int, int]
MOST_POINTS = 50_000
"""Points of a grid; more of them make a bound little tighter."""


@dataclass(frozen=True)
class LeastMove:
    """Least cost of one transfer at every grid point: energy, busy cycles, room, whether it fits; arrays broadcast.

    `ends` are the cycles of loading the first tile or unloading the last one (0 under ``timeloop``).
    """

    energy_pj: FloatArray
    busy: dict[Place, FloatArray]
    ends: FloatArray
    bits: FloatArray
    fits: BoolArray


class RaggedBounds:
    """All least moves for one choice of trips, and the bounds over them.

    Parameters
    ----------
    trips : Trips
        Trips of each dimension along the axes: of one choice, or a hull of several, of all of which it is a bound.
    """

    def __init__(
        self,
        problem: NestProblem,
        tree: MemoryTree,
        graph: HoldGraph,
        trips: Trips,
        elements: LeastElements,
        most_points: int = MOST_POINTS,
    ) -> None:
        self.problem, self.tree, self.graph, self.trips, self.elements = problem, tree, graph, trips, elements
        self.time = {dim: -(-size // trips.least(dim)) for dim, size in problem.sizes.items()}
        self.every = tuple(axis.name for axis in tree.axes)
        self.grid = Grid({dim: size for dim, size in self.time.items() if size > 1}, most_points)
        self._one = np.ones([1] * len(self.grid.shape))
        self._counts: dict[tuple[str, int], FloatArray] = {}
        self.moves: dict[MoveKey, LeastMove] = {}
        self.tile_bits: dict[tuple[int, str], FloatArray] = {}
        for number, chain in enumerate(graph.chains):
            for start, parent in enumerate(chain):
                for end in range(start + 1, len(chain)):
                    if parent is not None:
                        self._add_move(number, start, end, parent, chain[end])
                    if graph.must(number, end):
                        break

    def _add_move(self, number: int, start: int, end: int, parent: Level, child: Level | None) -> None:
        tensor, key = self.graph.tensors[number], (number, start, end)
        move = self.move(tensor, parent, child, None)
        for dim in self.sliding_dims(tensor) if child is not None else ():
            other = self.move(tensor, parent, child, dim)
            busy = {place: np.minimum(move.busy[place], other.busy[place]) for place in move.busy}
            move = replace(move, energy_pj=np.minimum(move.energy_pj, other.energy_pj), busy=busy)
        self.moves[key] = move
        if child is not None:
            self.tile_bits.setdefault((number, child.name), move.bits)

    def sliding_dims(self, tensor: ProblemTensor) -> list[str]:
        """Return the dimensions in time along which tiles of `tensor` overlap and only what is new is fetched."""
        if self.graph.latched:
            return []
        found: dict[str, None] = {}
        for axis in tensor.axes:
            if len([dim for _, dim in axis.terms if self.problem.sizes[dim] > 1]) > 1:
                found |= {dim: None for _, dim in axis.terms if self.time[dim] > 1}
        return list(found)

    def count(self, dim: str, share: int) -> FloatArray:
        """Return the least number of tiles of `share` positions each: ``ceil(n / (share u))``."""
        key = (dim, share)
        if key not in self._counts:
            high = self.grid.high.get(dim)
            size = self.problem.sizes[dim]
            self._counts[key] = np.ceil(size / (share * (self._one if high is None else high)) - 1e-12)
        return self._counts[key]

    def tile(self, dim: str, level: Level | None) -> FloatArray:
        """Return the least tile of `dim` at `level`."""
        low = self.grid.low.get(dim, self._one)
        if level is None or not level.serves:
            return low
        share = self.trips.least(dim, level.serves)
        factors = [share] if self.trips.single(dim) else self.trips.least_each(dim, level.serves)
        chains = [share * (low - 1) + 1]
        for order in set(permutations(factors)) if len(factors) < 4 else ():
            chain = low
            for factor in order:
                chain = (factor - 1) * chain + 1 if factor > 1 else chain
            chains.append(chain)
        least = np.minimum.reduce(chains) if len(chains) > 1 else low
        return np.minimum(np.maximum(least, low), self.problem.sizes[dim])

    def move(self, tensor: ProblemTensor, parent: Level, child: Level | None, slide: str | None) -> LeastMove:
        """Return the least cost of holding `tensor` in `child` (None: at the multipliers) below `parent`."""
        inner = () if child is None else child.serves
        feeds = parent.reduces if tensor.output else parent.casts(tensor.role)
        shared = parent.serves if feeds else inner
        ends = _Least(self, tensor, parent)
        everything = list(self.problem.sizes)
        if tensor.output:
            others = [dim for dim in everything if dim not in tensor.dims]
            apart = self.trips.together(others, self.every, shared)
            last = [tensor.stored_bits(final=final) for final in (apart[0] == 1, apart[1] == 1)]
            ends.last = min(last)
        below = self._moved(tensor, inner, slide, None)
        above = self._moved(tensor, shared, slide, inner) if feeds else below
        ends.parent(parent, *above, self.trips.together(everything, self.every, parent.serves)[1])
        if child is not None:
            ends.child(child, *below, self.trips.together(everything, self.every, inner)[1])
        tiles = {dim: self.tile(dim, child) for dim in tensor.dims}
        if child is None:
            fits: BoolArray = np.ones([1] * len(self.grid.shape), dtype=bool)
            for dim in tensor.dims:
                fits = fits & (tiles[dim] <= 1)
            return LeastMove(ends.energy, ends.busy, np.zeros(1), np.zeros(1), fits)
        whole = self._whole(tensor, tiles)
        if self.graph.latched and self.elements.volume(tensor):
            ends.load(parent, self._whole(tensor, {dim: self.tile(dim, parent) for dim in tensor.dims}))
            ends.load(child, whole)
        bits = taken(child, tensor.role, whole * float(tensor.stored_bits()))
        room = child.room_bits(tensor.role)
        fits = np.ones(1, dtype=bool) if room is None else bits <= room
        return LeastMove(ends.energy, ends.busy, ends.loading, bits, fits)

    def _whole(self, tensor: ProblemTensor, tiles: dict[str, FloatArray]) -> FloatArray:
        """Return the elements of a tile."""
        whole = self._one
        for axis in tensor.axes:
            extent: FloatArray = self._one
            for coefficient, dim in axis.terms:
                extent = extent + coefficient * (tiles[dim] - 1)
            whole = whole * (extent if self.problem.fetch_padding else np.minimum(extent, axis.size))
        return whole

    def _moved(
        self, tensor: ProblemTensor, serves: tuple[str, ...], slide: str | None, inner: tuple[str, ...] | None
    ) -> tuple[FloatArray, float, float]:
        """Return least elements over all visits, and least and most of them that are first visits (of an output).

        `inner` names the axes that the children serve, where one visit serves several of them.
        """
        boxes = {dim: self.count(dim, self.trips.most(dim, serves)) for dim in tensor.dims}
        if slide is not None:  # one run per position and the whole run as if it were one tile
            without = self.trips.least(slide) // self.trips.most(slide, serves)
            whole = max(1, without) if self.trips.single(slide) else 1
            moving = self.grid.low[slide] < self.time[slide]
            boxes[slide] = np.where(moving, np.minimum(boxes[slide], float(whole)), boxes[slide])
        held = self.elements.of(tensor, boxes)
        others = [dim for dim in self.problem.sizes if dim not in tensor.dims]
        visits = self._one
        for dim in others:
            visits = visits * self.count(dim, self.trips.most(dim, serves))
        if inner is not None:  # all dimensions together share the positions of the axes
            each = self._one
            for dim in others:
                each = each * self.count(dim, self.trips.most(dim, inner))
            visits = np.maximum(visits, each / self.trips.together(others, serves, inner)[1])
        least, most = self.trips.together(others, self.every, serves)
        alone = all(self.trips.single(dim) for dim in others)
        volume = self.elements.volume(tensor)
        return held * visits, volume * (least if alone else 1), volume * most

    def every_step(self, tensor: ProblemTensor, parent: Level) -> LeastMove:
        """Return the least cost (one point) of reading `tensor` from `parent` in every step."""
        move = self.move(tensor, parent, None, None)
        corner = (0,) * len(self.grid.shape)

        def at(table: FloatArray) -> FloatArray:
            return np.array(np.broadcast_to(table, self.grid.shape)[corner])

        busy = {place: at(table) for place, table in move.busy.items()}
        return LeastMove(at(move.energy_pj), busy, np.zeros(1), np.zeros(1), np.ones(1, dtype=bool))

    def least(self, cost: Callable[[LeastMove], FloatArray]) -> dict[State, FloatArray]:
        """Return the bound of one cost of what is left, for every state, over the grid."""
        cheapest = {key: np.where(move.fits, cost(move), np.inf) for key, move in self.moves.items()}
        found: dict[State, FloatArray] = {}
        rooms: dict[tuple[str, tuple[int, ...]], FloatArray | None] = {}
        value = np.empty(self.grid.shape)
        for state in self.graph.states:
            best = np.full(self.grid.shape, np.inf)
            for step in self.graph.steps(state):
                after = self.graph.after(state, step)
                np.add(found[after], cheapest[step.tensor, step.start, step.end], out=value)
                level = self.graph.chains[step.tensor][step.end]
                if level is not None and level.capacity_bits is not None:
                    key = (level.name, tuple(self.graph.surely_held(after, level)))
                    if key not in rooms:
                        rooms[key] = self._room(after, level)
                    full = rooms[key]
                    if full is not None:
                        np.add(value, full, out=value)
                np.minimum(best, value, out=best)
            best = self.grid.inside(best)
            if self.graph.final(state):
                np.minimum(best, self._finish(state, cost), out=best)
            found[state] = best
        return found

    def _room(self, state: State, level: Level) -> FloatArray | None:
        """Return infinity where least tiles of what `level` certainly holds overfill it, None where none can."""
        own = dict(level.parts_bits)
        held = [t for t in self.graph.surely_held(state, level) if self.graph.tensors[t].role not in own]
        if not held or level.capacity_bits is None:
            return None
        total = self._one * 0
        for tensor in held:
            total = total + self.tile_bits[tensor, level.name]
        return np.where(total <= level.capacity_bits, 0.0, np.inf)

    def _finish(self, state: State, cost: Callable[[LeastMove], FloatArray]) -> float:
        if self.graph.latched:
            return 0.0
        total = 0.0
        for tensor, at in enumerate(state):
            level = self.graph.chains[tensor][at]
            if level is not None:
                move = self.every_step(self.graph.tensors[tensor], level)
                total += float(np.sum(cost(move)))
        return total


class _Least:
    """Adds up the least energy and busy cycles of both ends of a transfer."""

    def __init__(self, bounds: RaggedBounds, tensor: ProblemTensor, outer: Level) -> None:
        self.bounds, self.tensor, self.outer = bounds, tensor, outer
        self.part = self.last = tensor.stored_bits()
        self.energy: FloatArray = np.zeros(1)
        self.busy: dict[Place, FloatArray] = {}
        self.loading: FloatArray = np.zeros(1)

    def load(self, level: Level, tile: FloatArray) -> None:
        """Add the first load, or the last unloading, at one end; both ends take place together."""
        direction: Direction = "tl" if level is self.outer else "fh"
        if self.tensor.output:
            direction = "fl" if level is self.outer else "th"
        ports = [port for port in level.ports if (self.tensor.role, direction) in port.carries]
        if ports:
            width = float(sum((port.max_bits for port in ports), Fraction(0)))
            cycles = np.ceil(tile * float(min(self.part, self.last)) / width - 1e-9)
            self.loading = np.maximum(self.loading, cycles)

    def parent(self, level: Level, moved: FloatArray, least: float, most: float, copies: int) -> None:
        """Add what leaves and enters the parent."""
        if not self.tensor.output:
            self._add(level, "tl", moved, None, (least, most), copies)
            return
        self._add(level, "fl", moved, self.last, (least, most), copies)
        self._add(level, "tl", moved, Fraction(0), (least, most), copies)

    def child(self, level: Level, moved: FloatArray, least: float, most: float, copies: int) -> None:
        """Add what enters and leaves the child."""
        if not self.tensor.output or not self.bounds.graph.latched:
            self._add(level, "fh", moved, None, (least, most), copies)
            return
        self._add(level, "fh", moved, Fraction(0), (least, most), copies)
        self._add(level, "th", moved, self.last, (least, most), copies)

    def _add(
        self,
        level: Level,
        direction: Direction,
        moved: FloatArray,
        first_bits: Fraction | None,
        firsts: tuple[float, float],
        copies: int,
    ) -> None:
        """Add one direction; of an output, `firsts` elements (least, most) move `first_bits` each."""
        part = float(self.part)
        if first_bits is None:
            bits = moved * part
        else:
            least, most = firsts
            moved = np.maximum(moved, least)
            first = float(first_bits)
            bits = moved * part + least * (first - part)
            if most > least:
                bits = np.minimum(bits, moved * part + np.minimum(most, moved) * (first - part))
        price = level.read_pj if direction in ("tl", "th") else level.write_pj
        self.energy = self.energy + bits * float(price / level.access_bits)
        if self.bounds.graph.latched:  # stalls depend on more than a bound per transfer knows
            return
        ports = [port for port in level.ports if (self.tensor.role, direction) in port.carries]
        width = sum((port.max_bits for port in ports), Fraction(0))
        for port in ports:
            place = (level.name, port.name)
            self.busy[place] = self.busy.get(place, np.zeros(1)) + bits / (float(width) * copies)


def energy_of(move: LeastMove) -> FloatArray:
    """Return the energy of a move."""
    return move.energy_pj


def busy_at(place: Place) -> Callable[[LeastMove], FloatArray]:
    """Return a function that gives the busy cycles of `place` in a move."""
    return lambda move: move.busy.get(place, np.zeros(1))


def ends_of(move: LeastMove) -> FloatArray:
    """Return the cycles of loading the first or unloading the last tile of a move."""
    return move.ends
