"""The best nest of one unrolling: depth first from the outermost level inwards, cut off by bounds.

A partial nest is the holds placed so far with the tile at the last cut. From it, every step of the hold graph and
every smaller tile is tried, cheapest bound first. Left out, because something at least as good is tried:

* loops directly above a hold that its tensor does not depend on (they may as well stand below it);
* two holds of different tensors at the same cut in both orders (the order means nothing there);
* partial nests that another one with the same holders and tile matches or beats in every cost: what follows costs both
  the same energy, and adds the same to every sum that a latency is the largest of. Under ``zigzag`` a stall is no such
  sum: it depends on each earlier transfer by itself (one that comes late in its window outweighs two that do not, which
  keep the port busy longer). There, where the latency counts, only nests with all holds at the same cuts are compared;
* partial nests whose bound is not below the best value found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mappers.nests.bounds import Costs, busy_of
from mappers.nests.graph import State, Step
from mappers.nests.lattice import FloatArray
from mappers.nests.objective import ROUNDING
from mappers.nests.tables import Move, Place

Point = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A hold placed at a cut: the step, the lattice point, and the window loop directly above it, if one slides."""

    step: Step
    point: Point
    window: tuple[str, int] | None = None
    joined: bool = False


@dataclass(slots=True)
class Partial:
    """A partial nest and what it has cost."""

    state: State
    point: Point
    energy: float
    busy: tuple[float, ...]
    ends: float
    shared: tuple[tuple[str, float], ...]
    path: tuple[Placed, ...]
    bound: float = 0.0


@dataclass(slots=True)
class Counters:
    """How much was looked at."""

    partial: int = 0
    by_bound: int = 0
    by_dominance: int = 0
    leaves: int = 0


@dataclass
class Frame:
    """What bounds are made of.

    Parameters
    ----------
    value : function of (energy, latency) arrays
        The objective; infinite above a limit.
    steps, extra : int
        Cycles that no tile changes.
    energy, busy, ends : dict of state to array
        Bounds of what is still to pay (`mappers.nests.bounds`).
    stalls : bool
        Whether the objective depends on stalls of single transfers.
    places : tuple of Place
        Ports that are bounded (the others are only looked at in finished nests).
    """

    costs: Costs
    value: Callable[[FloatArray, FloatArray], FloatArray]
    steps: int
    extra: int
    places: tuple[Place, ...]
    energy: dict[State, FloatArray]
    busy: tuple[dict[State, FloatArray], ...]
    ends: dict[State, FloatArray]
    counters: Counters = field(default_factory=Counters)
    stalls: bool = False


class Deepening:
    """The search of one unrolling."""

    def __init__(
        self, frame: Frame, best: Callable[[], float], finish: Callable[[Partial], None], stop: Callable[[], bool]
    ) -> None:
        self.frame, self.best, self.finish, self.stop = frame, best, finish, stop
        self.graph, self.lattice = frame.costs.graph, frame.costs.lattice
        self.readers = [busy_of(place) for place in frame.places]
        self.seen: dict[tuple[object, ...], list[tuple[float, ...]]] = {}
        self.dims = [self.lattice.dims_axes(tensor.dims) for tensor in self.graph.tensors]
        self.cut, self.only_best = False, False

    def dive(self) -> None:
        """Follow the cheapest bound to one finished nest, so that the search starts with a value."""
        part = Partial(self.graph.start, self.lattice.top, 0.0, (0.0,) * len(self.readers), 0.0, (), ())
        while True:
            if self.graph.final(part.state):
                self.finish(part)
            children = self._children(part, True)
            if not children:
                return
            part = min(children, key=lambda child: child.bound)

    def run(self) -> None:
        """Search; `cut` tells whether it was stopped."""
        root = Partial(self.graph.start, self.lattice.top, 0.0, (0.0,) * len(self.readers), 0.0, (), ())
        stack = [root]
        while stack:
            if self.stop():
                self.cut = True
                return
            part = stack.pop()
            if part.bound * ROUNDING >= self.best():
                self.frame.counters.by_bound += 1
                continue
            if self._beaten(part):
                self.frame.counters.by_dominance += 1
                continue
            self.frame.counters.partial += 1
            if self.graph.final(part.state):
                self.frame.counters.leaves += 1
                self.finish(part)
            children = self._children(part, False)
            children.sort(key=lambda child: -child.bound)
            stack += children

    def _beaten(self, part: Partial) -> bool:
        """Tell whether an equal cut was reached at no more cost; else remember this one."""
        cost = (part.energy, *part.busy, part.ends, *(bits for _, bits in part.shared))
        last: tuple[object, ...] | None = (part.path[-1].step.tensor, part.path[-1].window) if part.path else None
        if self.frame.stalls:
            last = tuple(sorted((p.step.tensor, p.step.end, p.point) for p in part.path))
        rows = self.seen.setdefault((part.state, part.point, last, tuple(name for name, _ in part.shared)), [])
        for row in rows:
            if row[0] <= cost[0] * (1 + 1e-13) and all(a <= b for a, b in zip(row[1:], cost[1:], strict=True)):
                return True
        rows.append(cost)
        return False

    def _children(self, part: Partial, only_best: bool) -> list[Partial]:
        self.only_best = only_best
        found: list[Partial] = []
        for step in self.graph.steps(part.state):
            move = self.frame.costs.moves[step.tensor, step.start, step.end]
            found += self._placed(part, step, move, None, self._region(part, step.tensor, None), False)
            if self.graph.chains[step.tensor][step.end] is None:
                continue
            for dim in self.frame.costs.sliding_dims(step.tensor):
                found += self._windows(part, step, dim)
        if part.path and part.path[-1].window is not None:
            found += self._joined(part)
        return found

    def _windows(self, part: Partial, step: Step, dim: str) -> list[Partial]:
        """Return the children in which a loop over `dim` stands directly above the hold and its tile slides."""
        tile = self.lattice.tiles(part.point)[dim]
        found: list[Partial] = []
        parent = self.graph.chains[step.tensor][step.start]
        for trips in {tile // int(t) for t in np.unique(self.lattice.values[dim]) if tile % int(t) == 0} - {1}:
            if parent is None:
                continue
            move = self.frame.costs.slide((step.tensor, step.start, step.end), parent, dim, trips)
            found += self._placed(part, step, move, (dim, trips), self._region(part, step.tensor, (dim, trips)), False)
        return found

    def _joined(self, part: Partial) -> list[Partial]:
        """Return the children in which the next holder of the same tensor stands at the same cut and slides too."""
        last = part.path[-1]
        tensor, found = last.step.tensor, []
        outer = last
        for placed in reversed(part.path):
            if placed.step.tensor == tensor:
                outer = placed
                if not placed.joined:
                    break
        above = self.graph.chains[tensor][outer.step.start]
        if last.window is None or above is None:
            return []
        for step in self.graph.steps(part.state):
            if step.tensor == tensor and self.graph.chains[tensor][step.end] is not None:
                move = self.frame.costs.slide((tensor, step.start, step.end), above, *last.window)
                region = tuple(slice(power, power + 1) for power in part.point)
                found += self._placed(part, step, move, last.window, region, True)
        return found

    def _region(self, part: Partial, tensor: int, window: tuple[str, int] | None) -> tuple[slice, ...] | None:
        """Return the part of the lattice where the next cut may be: inside the last, along the tensor's dimensions."""
        region = []
        for at, power in enumerate(part.point):
            region.append(slice(0, power + 1) if at in self.dims[tensor] else slice(power, power + 1))
        if window is None:
            return tuple(region)
        left = window[1]
        for at, (dim, prime, _) in enumerate(self.lattice.axes):
            if dim == window[0]:
                power = part.point[at]
                while left % prime == 0:
                    left //= prime
                    power -= 1
                if power < 0:
                    return None
                region[at] = slice(0, power + 1)
        return tuple(region)

    def _placed(
        self,
        part: Partial,
        step: Step,
        move: Move,
        window: tuple[str, int] | None,
        region: tuple[slice, ...] | None,
        joined: bool,
    ) -> list[Partial]:
        """Return the partial nests after placing one hold at every cut of `region` that may still win."""
        if region is None:
            return []
        frame, shape = self.frame, self.lattice.shape
        after = self.graph.after(part.state, step)

        def at(table: Any) -> Any:
            return np.broadcast_to(table, shape)[region]

        energy = part.energy + at(move.energy_pj)
        least = energy + frame.energy[after][region]
        cycles: FloatArray = np.full(1, float(frame.steps))
        busy = []
        for index, reader in enumerate(self.readers):
            own = part.busy[index] + at(reader(move))
            busy.append(own)
            cycles = np.maximum(cycles, own + frame.busy[index][after][region])
        counts = self.graph.latched and self.graph.chains[step.tensor][step.end] is not None
        ends = part.ends + (at(move.ends) if counts else np.zeros(1))
        later = frame.ends[after][region] if frame.ends else np.zeros(1)
        bound = frame.value(least, np.ceil(cycles - 1e-6) + ends + later + frame.extra)
        alive = at(move.fits) & (bound * ROUNDING < self.best())
        shared = dict(part.shared)
        level = self.graph.chains[step.tensor][step.end]
        bits = at(move.bits)
        limited = level is not None and level.capacity_bits is not None
        if level is not None and limited and self.graph.tensors[step.tensor].role not in dict(level.parts_bits):
            alive = alive & (bits + shared.get(level.name, 0.0) <= (level.capacity_bits or 0))
        else:
            limited = False
        last = part.path[-1] if part.path else None
        if last is not None and last.window is None and window is None and last.step.tensor > step.tensor:
            alive = alive.copy()
            alive[tuple(-1 if s.stop - s.start > 0 else 0 for s in region)] = False  # same cut: one order is enough
        found = []
        offsets = [s.start for s in region]
        full = alive.shape
        bound, energy, ends = (np.broadcast_to(x, full) for x in (bound, energy, ends))
        busy = [np.broadcast_to(x, full) for x in busy]
        bits = np.broadcast_to(bits, full)
        chosen = np.flatnonzero(alive)
        if self.only_best and len(chosen):
            chosen = chosen[[int(np.argmin(bound.ravel()[chosen]))]]
        for flat in chosen.tolist():
            where = np.unravel_index(flat, full)
            point = tuple(int(i) + o for i, o in zip(where, offsets, strict=True))
            own_shared = part.shared
            if limited and level is not None:
                own_shared = tuple(
                    sorted({**shared, level.name: shared.get(level.name, 0.0) + float(bits[where])}.items())
                )
            found.append(
                Partial(
                    after,
                    point,
                    float(energy[where]),
                    tuple(float(x[where]) for x in busy),
                    float(ends[where]),
                    own_shared,
                    (*part.path, Placed(step, point, window, joined)),
                    float(bound[where]),
                )
            )
        return found
