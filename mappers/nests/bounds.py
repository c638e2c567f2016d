"""Lower bounds of what is left to pay inside a cut of the nest: one running minimum per state of the holders.

For one unrolling, `least[state]` at a lattice point is the least cost of everything below that point, over all hold
orders, bypasses and tiles, where each level has room for what it certainly holds. Exact for one cost at a time where
no level is shared; a bound otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hw_models.hierarchy.tree import Level
from mappers.nests.graph import HoldGraph, State
from mappers.nests.lattice import FloatArray
from mappers.nests.tables import BoolArray, Move, MoveTables, Place

MoveKey = tuple[int, int, int]


class Costs:
    """All moves of one unrolling, and bounds over them."""

    def __init__(self, graph: HoldGraph, tables: MoveTables) -> None:
        self.graph, self.tables, self.lattice = graph, tables, tables.lattice
        self.moves: dict[MoveKey, Move] = {}
        self.slides: dict[tuple[MoveKey, str, str, int], Move] = {}
        self.tile_bits: dict[tuple[int, str], FloatArray] = {}
        self.ends: dict[tuple[int, int], Move] = {}
        self.least_ends: dict[State, FloatArray] | None = None
        self.least_busy: dict[Place, dict[State, FloatArray]] = {}
        for tensor, chain in enumerate(graph.chains):
            for start in range(len(chain)):
                for end in self._ends(tensor, start):
                    self.moves[tensor, start, end] = self._move(tensor, start, end)
            if not graph.latched:
                for at, level in enumerate(chain):
                    if level is not None:
                        self.ends[tensor, at] = tables.every_step(graph.tensors[tensor], level)

    def _ends(self, tensor: int, start: int) -> list[int]:
        state = tuple(start if at == tensor else 0 for at in range(len(self.graph.chains)))
        return [step.end for step in self.graph.steps(state) if step.tensor == tensor]

    def _move(self, tensor: int, start: int, end: int) -> Move:
        chain = self.graph.chains[tensor]
        parent, child = chain[start], chain[end]
        if parent is None:
            raise ValueError("nothing lies inside the multipliers")
        move = self.tables.move(self.graph.tensors[tensor], parent, child)
        if child is not None:
            self.tile_bits.setdefault((tensor, child.name), move.bits)
        return move

    def sliding_dims(self, tensor: int) -> list[str]:
        """Return the dimensions in time along which tiles of `tensor` overlap."""
        return self.tables.sliding_dims(self.graph.tensors[tensor])

    def slide(self, key: MoveKey, above: Level, dim: str, trips: int) -> Move:
        """Return the costs of move `key` below a loop of `trips` over `dim`, the holder outside it being `above`."""
        name = (key, above.name, dim, trips)
        if name not in self.slides:
            chain = self.graph.chains[key[0]]
            parent, child = chain[key[1]], chain[key[2]]
            if parent is None or child is None:
                raise ValueError("a sliding tile needs two holders")
            self.slides[name] = self.tables.slide(self.graph.tensors[key[0]], parent, child, above, dim, trips)
        return self.slides[name]

    def room(self, state: State, level: Level) -> BoolArray | None:
        """Return where tiles of what `level` certainly holds fit together, None for no bound."""
        if level.capacity_bits is None:
            return None
        own = dict(level.parts_bits)
        held = [t for t in self.graph.surely_held(state, level) if self.graph.tensors[t].role not in own]
        if not held:
            return None
        total = np.zeros(1)
        for tensor in held:
            total = total + self.tile_bits[tensor, level.name]
        fits: BoolArray = total <= level.capacity_bits
        return fits

    def least(self, cost: Callable[[Move], FloatArray], slides: bool) -> dict[State, FloatArray]:
        """Return the bound of `cost` for every state, over the lattice."""
        cheapest = {key: self._cheapest(key, cost, slides) for key in self.moves}
        found: dict[State, FloatArray] = {}
        rooms: dict[tuple[str, tuple[int, ...]], BoolArray | None] = {}
        for state in self.graph.states:
            best = np.full(self.lattice.shape, np.inf)
            for step in self.graph.steps(state):
                after = self.graph.after(state, step)
                if after not in found:
                    continue
                value = found[after] + cheapest[step.tensor, step.start, step.end]
                level = self.graph.chains[step.tensor][step.end]
                if level is not None and level.capacity_bits is not None:
                    key = (level.name, tuple(self.graph.surely_held(after, level)))
                    if key not in rooms:
                        rooms[key] = self.room(after, level)
                    fits = rooms[key]
                    if fits is not None:
                        value = np.where(fits, value, np.inf)
                best = np.minimum(best, value)
            best = self.lattice.inside(best)
            if self.graph.final(state):
                best = np.minimum(best, self.finish(state, cost))
            found[state] = best
        return found

    def finish(self, state: State, cost: Callable[[Move], FloatArray]) -> float:
        """Return the cost of feeding the multipliers from the holders of `state`."""
        if self.graph.latched:
            return 0.0
        return float(sum(float(np.sum(cost(self.ends[tensor, at]))) for tensor, at in enumerate(state)))

    def _cheapest(self, key: MoveKey, cost: Callable[[Move], FloatArray], slides: bool) -> FloatArray:
        """Return the cost of a move where it fits, infinite elsewhere; along the best window if it may slide."""
        move = self.moves[key]
        value = cost(move)
        child, parent = self.graph.chains[key[0]][key[2]], self.graph.chains[key[0]][key[1]]
        if slides and child is not None and parent is not None:
            for dim in self.sliding_dims(key[0]):
                for trips in self.tables.windows(dim):
                    value = np.minimum(value, cost(self.slide(key, parent, dim, trips)))
        return np.where(move.fits, value, np.inf)


def energy_of(move: Move) -> FloatArray:
    """Return the energy of a move."""
    return move.energy_pj


def ends_of(move: Move) -> FloatArray:
    """Return the cycles of loading the first or unloading the last tile of a move."""
    return move.ends


def busy_of(place: Place) -> Callable[[Move], FloatArray]:
    """Return a function that gives the busy cycles of `place` in a move."""

    def read(move: Move) -> FloatArray:
        for own, table in move.busy:
            if own == place:
                return table
        return np.zeros(1)

    return read
