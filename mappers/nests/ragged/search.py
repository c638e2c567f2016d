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
from math import ceil, comb, prod

import numpy as np
import numpy.typing as npt

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.cost import NestCost, evaluate, thinned, violation
from mappers.nests.counts import Counting
from mappers.nests.exact import ROUNDING, Counters
from mappers.nests.graph import HoldGraph
from mappers.nests.lattice import FloatArray
from mappers.nests.mapping import NestMapping
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem
from mappers.nests.ragged.bounds import RaggedBounds, busy_at, ends_of, energy_of
from mappers.nests.ragged.deepening import Frame, RaggedDeepening
from mappers.nests.ragged.elements import LeastElements
from mappers.nests.ragged.trips import Choices, choices
from mappers.nests.search import FoundNest, NestCertificate, metric_value
from mappers.nests.tables import Place
from mappers.nests.views import Nest
from workloads.errors import InputError, InternalError

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
    """

    bounds: int | None = 96
    parts: int | None = 6000
    each: int | None = 1500


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
        self.bounded, self.searched, self.stopped = 0, 0, False
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
            bound, self.stopped = self._open, True
        if self.best.mapping is None or self.best.cost is None:
            return None
        broken = violation(Nest(self.problem, self.tree, self.best.mapping))
        if broken is not None:
            raise InternalError(f"nest search: a nest that does not fit was accepted ({broken}); report this")
        many = len(rows.trips) if rows is not None else 0
        certificate = NestCertificate(
            CEIL_SPACE,
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
        latency = self._scaled(rows.steps(self.problem)) + rows.fill() + self.tree.multiplier.latency_cycles
        everything = np.argsort(latency, kind="stable")
        number = 0
        heap: list[tuple[float, int, npt.NDArray[np.int64]]] = [(0.0, number, everything)]
        floor, self._open = np.inf, 0.0
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
            if len(members) > 1 and bound > 0:
                parts = self._parted(rows, members)
            elif bound > 0:
                if not self._search(rows, members):
                    floor = min(floor, bound)
                continue
            else:
                parts = [members]
            for part in parts:
                number += 1
                least = max(bound, self._bound(rows, part, latency))
                if least * ROUNDING < self.best.value:
                    heapq.heappush(heap, (least, number, part))
        return float(floor)

    def _spent(self) -> bool:
        """Tell whether to stop; the first nest is always waited for."""
        if self.best.mapping is None:
            return False
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
                frame, self.counting, lambda: self.best.value, self._leaf, lambda: self._late(known), self._loads()
            )
            deepening.run(self._allowance())
            if len(self.places) == known or self._spent():
                break
        self.searched += not deepening.cut and deepening.complete
        return not deepening.cut and deepening.complete

    def _allowance(self) -> int | None:
        """Return how many outer parts one choice may still extend; without a nest there is no limit."""
        if self.best.mapping is None or (self.effort.each is None and self.effort.parts is None):
            return None
        left = [] if self.effort.parts is None else [max(1, self.effort.parts - self.counters.partial)]
        return min([*left, *([] if self.effort.each is None else [self.effort.each])])

    def _late(self, known: int) -> bool:
        """Tell whether time is up, or a port turned out to set the latency and has to be bounded too."""
        return (self.best.mapping is not None and self.stop()) or len(self.places) > known

    def _leaf(self, mapping: NestMapping) -> None:
        """Cost a finished nest exactly and keep it if it is better."""
        try:
            nest = Nest(self.problem, self.tree, mapping)
            if violation(nest) is None:
                self._keep(mapping, evaluate(nest, self.counting))
        except InputError:  # a tensor sees the loops of a ragged dimension in another order
            return

    def _keep(self, mapping: NestMapping, cost: NestCost) -> None:
        value = float(self._value(np.array([float(cost.energy_pj)]), np.array([float(cost.latency_cycles)])).item())
        if cost.bound_by != "steps" and not self.graph.latched:
            level, port = cost.bound_by.split(".")
            if (level, port) not in self.places:
                self.places.append((level, port))
        if value < self.best.value:
            self.best = _Best(value, mapping, cost)

    def _scaled(self, steps: FloatArray) -> FloatArray:
        found: FloatArray = np.ceil(steps * self.skipped - 1e-9)
        return found

    def _value(self, energy: FloatArray, latency: FloatArray) -> FloatArray:
        area = float(self.tree.area)
        value: FloatArray = np.asarray(metric_value(self.metric, energy, latency, area), dtype=float)  # type: ignore[arg-type]
        for metric, limit in self.limits.items():
            own = metric_value(metric, energy, latency, area)  # type: ignore[arg-type]
            value = np.where(np.asarray(own) * ROUNDING > limit, np.inf, value)
        return value

    def _chains(self) -> int:
        """Return the number of hold orders with chains of tiles, of one choice of trips."""
        sizes = [size for _, size in self.problem.dims]
        return sum(
            count * prod(comb(size - 1 + holds, holds) for size in sizes)
            for holds, count in self.graph.sequences_by_holds().items()
        )
