"""The best nest of ceil tiles of one problem on one hierarchy, with its certificate.

Map space: per dimension any chain of tile sizes, one per hold whose tensor depends on it and one per array axis, the
last tile of each loop as small as it falls; any number of positions of each axis; hold orders and bypasses as over
divisor tiles, and every divisor nest. Every tensor sees the loops of a ragged dimension in one order.

The choices of trips along the axes are bounded together, as the hull of a set; the set of the least bound is parted
until single choices remain. Those are searched to their end, one after the other in ascending order of their bounds,
until no bound lies below the best value, or until the effort is spent: then the least bound that is left is the bound.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import ceil, comb, prod

import numpy as np
import numpy.typing as npt

from hw_models.hierarchy.tree import Direction, MemoryTree
from mappers.nests.cost import NestCost, evaluate, thinned, violation
from mappers.nests.counts import Counting
from mappers.nests.deadline import Deadline
from mappers.nests.exact import Counters
from mappers.nests.graph import HoldGraph
from mappers.nests.lattice import FloatArray
from mappers.nests.mapping import NestMapping
from mappers.nests.objective import ROUNDING, Metric, Objective, limited_values
from mappers.nests.problem import NestProblem
from mappers.nests.ragged.bounds import RaggedBounds, busy_at, ends_of, energy_of
from mappers.nests.ragged.deepening import Frame, RaggedDeepening
from mappers.nests.ragged.elements import LeastElements
from mappers.nests.ragged.padded import PaddedSearch
from mappers.nests.ragged.trips import Choices, Trips, choices
from mappers.nests.search import ONE_ORDER, FoundNest, NestCertificate, search_nest
from mappers.nests.tables import Place
from mappers.nests.views import Nest
from workloads.errors import Infeasible, InputError, InternalError

CEIL_SPACE = (
    "ceil tiles (one per hold and axis, any size), any trips along the axes, all hold orders (uneven cuts), all "
    "bypasses, all loop orders; and all divisor nests"
)
EVEN = 1.5
"""Ratio of positions sharing a word below which a set of choices is parted by its single trips."""


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop where the proof does not close; None for no limit.

    Parameters
    ----------
    bounds : int
        Sets of choices that are bounded.
    parts : int
        Outer parts of nests that are extended, over all choices.
    each : int
        Outer parts that are extended of one choice.
    scouts, followed : int
        Choices that are bounded to begin with, and how many of them have to give a better nest over divisor tiles.
    """

    bounds: int | None = 48
    parts: int | None = 600
    each: int | None = 300
    scouts: int = 8
    followed: int = 2


@dataclass
class _Best:
    value: float = np.inf
    mapping: NestMapping | None = None
    cost: NestCost | None = None


class RaggedSearch:
    """The search of one problem; `known` is the best divisor nest, or None where there is none."""

    def __init__(
        self,
        problem: NestProblem,
        tree: MemoryTree,
        objective: Objective,
        counting: Counting,
        known: FoundNest | None = None,
        effort: Effort | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.problem, self.tree, self.objective, self.counting, self.stop = problem, tree, objective, counting, stop
        self.effort = effort or Effort()
        self.graph, self.elements = HoldGraph(problem, tree, counting), LeastElements(problem)
        self.metric = objective.metrics[0]
        self.limits = {metric: float(limit) for metric, limit in objective.limits}
        self.counters, self.best, self.places = Counters(), _Best(), list[Place]()
        self.bounded, self.searched, self._open = 0, 0, 0.0
        self.stopped, self.interrupted = False, False
        core = tree.multiplier
        self.mac_pj = float(problem.macs * core.mac_pj * thinned(problem, (*core.skips, *core.gates)))
        self.skipped = float(thinned(problem, core.skips))
        if known is not None:
            self._keep(known.mapping, known.cost)

    def run(self) -> FoundNest | None:
        """Return the best nest, or None if no nest keeps to the limits and capacities."""
        rows = choices(self.problem, self.tree)
        try:
            bound = self._coarse() if rows is None else self._work(rows)
        except KeyboardInterrupt:  # the best so far is the answer
            if self.best.mapping is None:
                raise
            bound, self.stopped, self.interrupted = self._open, True, True
        if self.best.mapping is None or self.best.cost is None:
            return None
        broken = violation(Nest(self.problem, self.tree, self.best.mapping))
        if broken is not None:
            raise InternalError(f"nest search: a nest that does not fit was accepted ({broken}); report this")
        many = len(rows.trips) if rows is not None else 0
        certificate = NestCertificate(
            CEIL_SPACE + (ONE_ORDER if self._loads() else ""),
            self.counting,
            ",".join(self.objective.metrics),
            self.best.value,
            min(self.best.value, bound),
            many * self._chains(),
            many,
            many,
            self.searched,
            self.counters.partial,
            self.counters.by_bound,
            self.counters.by_dominance,
        )
        return FoundNest(self.best.mapping, self.best.cost, certificate)

    def _coarse(self) -> float:
        """Return a bound from the MACs alone, where there are more choices than can be listed."""
        steps = self._scaled(np.array([float(ceil(self.problem.macs / self.tree.multipliers))]))
        latency = steps + self.tree.multiplier.latency_cycles
        return float(self._value(np.array([self.mac_pj]), latency).item())

    def _work(self, rows: Choices) -> float:
        """Part and search; return the least bound of what was left open, infinite for nothing."""
        steps = np.maximum(self._scaled(rows.steps(self.problem)), self._compulsory())
        latency = steps + rows.fill() + self.tree.multiplier.latency_cycles
        everything = np.arange(len(rows.trips))
        self._open = self._bound(rows, everything, latency)  # one bound is always waited for
        if self._open * ROUNDING < self.best.value:
            self._scout(rows, latency)
        number, floor = 0, np.inf
        heap = [(self._open, number, everything)]
        while heap:
            bound, _, members = heapq.heappop(heap)
            self._open = min(bound, floor)
            if self._open * ROUNDING >= self.best.value:
                break
            if bound * ROUNDING >= self.best.value:
                continue
            if self._spent():
                self.stopped = True
                return self._open
            if len(members) == 1:
                if not self._search(rows, members):
                    floor = min(floor, bound)
                continue
            for part in self._parted(rows, members):
                number += 1
                least = max(bound, self._bound(rows, part, latency))
                if least * ROUNDING < self.best.value:
                    heapq.heappush(heap, (least, number, part))
        return float(floor)

    def _compulsory(self) -> float:
        """Return the cycles in which the busiest port of the outermost level moves every element once."""
        worst, top = 0.0, self.tree.levels[0]
        for port in top.ports if not self.graph.latched else ():
            cycles = 0.0
            for tensor in self.graph.tensors:
                way: Direction = "fl" if tensor.output else "tl"
                if (tensor.role, way) in port.carries:
                    bits = min(tensor.stored_bits(), tensor.stored_bits(final=True))
                    width = sum(p.max_bits for p in top.ports if (tensor.role, way) in p.carries)
                    cycles += self.elements.volume(tensor) * float(bits / width)
            worst = max(worst, float(np.ceil(cycles - 1e-6)))
        return worst

    def _spent(self) -> bool:
        """Tell whether to stop."""
        if self.effort.bounds is not None and self.bounded >= self.effort.bounds:
            return True
        return self.stop() or (self.effort.parts is not None and self.counters.partial >= self.effort.parts)

    def _parted(self, rows: Choices, members: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """Return two halves of a set, parted where it spreads most.

        Looked at first are the positions that share a word of each tensor: on them the energy depends most.
        """
        own = rows.trips[members]
        features = [
            own[:, :, [at for at, dim in enumerate(rows.dims) if dim not in tensor.dims]].prod(axis=(1, 2))
            for tensor in self.graph.tensors
        ]
        spread = [float(line.max() / line.min()) for line in features]
        if max(spread) < EVEN:
            features = [own[:, axis, dim] for axis in range(own.shape[1]) for dim in range(own.shape[2])]
            spread = [float(line.max() / line.min()) for line in features]
        line = features[int(np.argmax(spread))]
        values = np.unique(line)
        cut = values[np.searchsorted(values, np.sqrt(float(values[0]) * float(values[-1])), side="right") - 1]
        return [members[line <= cut], members[line > cut]]

    def _bound(self, rows: Choices, members: npt.NDArray[np.int64], latency: FloatArray) -> float:
        """Return a bound over a set of choices."""
        self.bounded += 1
        bounds = RaggedBounds(self.problem, self.tree, self.graph, rows.of(members), self.elements)
        energy = self.mac_pj + float(bounds.least(energy_of)[self.graph.start][bounds.grid.top])
        cycles = latency[members].min()
        if not self.graph.latched:
            fill = self.tree.multiplier.latency_cycles + rows.fill()[members].min()
            for place in self.places:
                busy = float(bounds.least(busy_at(place))[self.graph.start][bounds.grid.top])
                cycles = max(cycles, float(np.ceil(busy - 1e-6)) + fill)
        elif self._loads():
            cycles += float(bounds.least(ends_of)[self.graph.start][bounds.grid.top])
        return float(self._value(np.array([energy]), np.array([cycles])).item())

    def _loads(self) -> bool:
        """Tell whether first loads count."""
        return self.graph.latched and (self.metric != "energy" or bool(self.limits))

    def _search(self, rows: Choices, members: npt.NDArray[np.int64]) -> bool:
        """Search one choice; tell whether nothing was left out."""
        bounds = RaggedBounds(self.problem, self.tree, self.graph, rows.of(members), self.elements)
        energy, mac = bounds.least(energy_of), self.mac_pj
        fill = int(rows.fill()[members].item()) + self.tree.multiplier.latency_cycles
        steps = self._scaled(rows.steps(self.problem)[members])
        while True:
            places = tuple(self.places)
            frame = Frame(
                bounds,
                lambda energy_pj, latency: self._value(energy_pj + mac, latency),
                int(steps.item()),
                fill,
                places,
                energy,
                tuple(bounds.least(busy_at(place)) for place in places),
                bounds.least(ends_of) if self._loads() else {},
                self.counters,
            )
            known = len(self.places)
            deepening = RaggedDeepening(
                frame, self.counting, lambda: self.best.value, self._leaf, partial(self._late, known), self._loads()
            )
            deepening.run(self._allowance())
            if len(self.places) == known or self._spent():
                break
        self.searched += not deepening.cut and deepening.complete
        return not deepening.cut and deepening.complete

    def _allowance(self) -> int | None:
        """Return how many outer parts one choice may still extend, None for no limit."""
        if self.effort.each is None and self.effort.parts is None:
            return None
        left = [] if self.effort.parts is None else [max(1, self.effort.parts - self.counters.partial)]
        return min([*left, *([] if self.effort.each is None else [self.effort.each])])

    def _late(self, known: int) -> bool:
        """Tell whether time is up, or a port turned out to set the latency and has to be bounded too."""
        return self.stop() or len(self.places) > known

    def _leaf(self, mapping: NestMapping) -> float:
        """Cost a finished nest exactly, keep it if it is better, return its value (infinite if it is none)."""
        try:
            nest = Nest(self.problem, self.tree, mapping)
            return self._keep(mapping, evaluate(nest, self.counting)) if violation(nest) is None else float("inf")
        except InputError:  # a tensor sees the loops of a ragged dimension in another order
            return float("inf")

    def _keep(self, mapping: NestMapping, cost: NestCost) -> float:
        value = float(self._value(np.array([float(cost.energy_pj)]), np.array([float(cost.latency_cycles)])).item())
        if cost.bound_by != "steps" and not self.graph.latched:
            level, port = cost.bound_by.split(".")
            if (level, port) not in self.places:
                self.places.append((level, port))
        if value < self.best.value:
            self.best = _Best(value, mapping, cost)
        return value

    def _scout(self, rows: Choices, latency: FloatArray) -> None:
        """Look for good nests among a few choices of few steps, one for each way in which tensors share words."""
        inside = [[dim not in tensor.dims for dim in rows.dims] for tensor in self.graph.tensors]
        shared = np.stack([rows.trips[:, :, others].prod(axis=(1, 2)) for others in inside], axis=1)
        order = np.lexsort((np.sum(1 / shared, axis=1), latency))
        picked: dict[tuple[int, ...], int] = {}
        for number in order.tolist():
            picked.setdefault(tuple(shared[number].tolist()), number)
            if len(picked) >= self.effort.scouts or self.stop():
                break
        ranked = sorted((self._bound(rows, np.array([number]), latency), number) for number in picked.values())
        good = 0
        for bound, number in ranked:
            before = self.best.value
            for smooth in (False, True):
                if bound * ROUNDING < self.best.value and not self.stop():
                    self._look(rows.of(np.array([number])), smooth)
            good += self.best.value < before
            if good >= self.effort.followed:
                break

    def _look(self, trips: Trips, smooth: bool) -> None:
        search = PaddedSearch(
            self.problem, self.tree, self.objective, self.counting, trips, smooth, self.best.value, self._leaf
        )
        search.look(self.effort.each or 1000)

    def _scaled(self, steps: FloatArray) -> FloatArray:
        found: FloatArray = np.ceil(steps * self.skipped - 1e-9)
        return found

    def _value(self, energy: FloatArray, latency: FloatArray) -> FloatArray:
        return limited_values(self.metric, self.limits, energy, latency, float(self.tree.area))

    def _chains(self) -> int:
        """Return the number of hold orders with chains of tiles, of one choice of trips."""
        sizes = [size for _, size in self.problem.dims]
        return sum(
            count * prod(comb(size - 1 + holds, holds) for size in sizes)
            for holds, count in self.graph.sequences_by_holds().items()
        )


def search_ragged(
    problem: NestProblem,
    tree: MemoryTree,
    objective: Objective | None = None,
    counting: Counting = "timeloop",
    time_limit_s: float | None = None,
    deadline: Deadline | None = None,
    effort: Effort | None = None,
) -> FoundNest | Infeasible:
    """Return the best nest over ceil tiles with its certificate, or why there is none.

    The best divisor nest comes first, so that the answer is never worse. An interrupt ends the search like a deadline.

    Parameters
    ----------
    time_limit_s : float, optional
        CPU seconds for both searches together; the divisor search may take half of them.
    deadline : Deadline, optional
        In place of a time limit; it learns of an interrupt.
    effort : Effort, optional
        When to stop a proof that does not close; without it, at a fixed effort if there is no time limit, at the limit
        if there is one.
    """
    goal = objective or Objective()
    clock = deadline or Deadline(time_limit_s)
    timed = clock.left() is not None
    effort = effort or (Effort(None, None) if timed else Effort())
    first = Deadline(None if not timed else (clock.left() or 0.0) / 2)
    known = search_nest(problem, tree, goal, counting, deadline=first)
    if first.interrupted:
        clock.interrupt()
    if isinstance(known, Infeasible) and not goal.limits:
        return known  # the smallest tiles of all are divisors
    best = known if isinstance(known, FoundNest) else None
    limits = list(goal.limits)
    found: FoundNest | None = None
    for metric in goal.metrics:
        search = RaggedSearch(problem, tree, Objective((metric,), tuple(limits)), counting, best, effort, clock.late)
        again = search.run()
        if search.interrupted:
            clock.interrupt()
        if again is None:
            break
        best = again
        found = again if found is None else replace(again, certificate=found.certificate)
        limits.append((metric, value_of(metric, again.cost, tree)))
    if found is None:
        return known
    return replace(found, certificate=replace(found.certificate, objective=",".join(goal.metrics)))


def value_of(metric: Metric, cost: NestCost, tree: MemoryTree) -> Fraction:
    """Return the exact value of a metric."""
    latency = Fraction(cost.latency_cycles)
    return {"energy": cost.energy_pj, "latency": latency, "edp": cost.edp, "area_delay": tree.area * latency}[metric]
