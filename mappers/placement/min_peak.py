"""The order of operators whose peak of live bytes is least (M_P), exactly where the search ends.

States are sets of operators that have run (they determine what is live); best first by the peak so far, so the first
complete order is optimal. An operator that fits under the present peak and leaves no more bytes live than before may
always run at once: moved forward in any order, it raises no other step.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import order_peak_bytes
from mappers.placement.order_free import peak_bound_bytes

STATES = 50_000
BEAM = 100


@dataclass(frozen=True, slots=True)
class PeakOrder:
    """An order, its peak and a proven lower bound of every order's peak, in bytes."""

    order: tuple[int, ...]
    peak_bytes: int
    bound_bytes: int


class Frontier:
    """What is ready and what is live, given the set of operators that have run (a bit mask)."""

    def __init__(self, graph: TensorGraph) -> None:
        self.graph = graph
        self.before = [sum(1 << j for j in b) for b in graph.before]
        self.read_by = [sum(1 << j for j in readers) for readers in graph.readers]
        self.after: list[list[int]] = [[] for _ in graph.operators]
        for i, earlier in enumerate(graph.before):
            for j in earlier:
                self.after[j].append(i)
        self.roots = tuple(i for i, b in enumerate(graph.before) if not b)
        self.full = (1 << len(graph.operators)) - 1

    def then_ready(self, done: int, ready: tuple[int, ...], ran: int) -> tuple[int, ...]:
        """Return what is ready after `ran`, of `ready`, has run; `done` includes it."""
        more = [j for j in self.after[ran] if self.before[j] & ~done == 0]
        return tuple(sorted({*ready, *more} - {ran}))

    def effect(self, done: int, operator: int) -> tuple[int, int]:
        """Return (bytes that appear when `operator` runs, bytes live no more after it)."""
        graph, later = self.graph, done | 1 << operator
        new = sum(graph.sizes[a] for a in graph.writes[operator])
        new += sum(
            graph.sizes[a] for a in graph.reads[operator] if graph.producer[a] < 0 and not self.read_by[a] & done
        )
        dead = sum(
            graph.sizes[a] for a in {*graph.reads[operator], *graph.writes[operator]} if not self.read_by[a] & ~later
        )
        return new, dead


def min_peak_order(graph: TensorGraph, budget: Budget, states: int = STATES) -> PeakOrder:
    """Return the order of least peak; where `states` or the budget run out, the best found and the bound reached."""
    frontier = Frontier(graph)
    bound = graph.widest_operator_bytes
    heap: list[tuple[int, int, int, int, int, tuple[int, ...], _Path]] = [(bound, 0, 0, 0, 0, frontier.roots, None)]
    seen: set[int] = set()
    serial = 0
    while heap and len(seen) < states and not (len(seen) % 256 == 255 and budget.spent()):
        peak, _, live, _, done, ready, path = heappop(heap)
        bound = max(bound, peak)
        if done == frontier.full:
            return PeakOrder(_unwind(path), peak, peak)
        if done in seen:
            continue
        seen.add(done)
        steps = [(operator, *frontier.effect(done, operator)) for operator in ready]
        free = [step for step in steps if live + step[1] <= peak and step[1] <= step[2]]
        for operator, new, dead in free[:1] or steps:
            later = done | 1 << operator
            if later not in seen:
                serial += 1
                after = frontier.then_ready(later, ready, operator)
                top = max(peak, live + new)
                heappush(heap, (top, -later.bit_count(), live + new - dead, serial, later, after, (operator, path)))
    options = [_beam(frontier), (graph.topological, order_peak_bytes(graph, graph.topological))]
    order, peak = min(options, key=lambda option: option[1])
    return PeakOrder(order, peak, max(bound, peak_bound_bytes(graph)))


_Path = tuple[int, Any] | None


def _unwind(path: _Path) -> tuple[int, ...]:
    """Return the operators of a linked path, first to last."""
    found = []
    while path is not None:
        found.append(path[0])
        path = path[1]
    return tuple(reversed(found))


def _beam(frontier: Frontier) -> tuple[tuple[int, ...], int]:
    """Return (order, peak) that keeps the best few states of each number of operators run."""
    layer: dict[int, tuple[int, int, tuple[int, ...], _Path]] = {0: (0, 0, frontier.roots, None)}
    for _ in frontier.graph.operators:
        following: dict[int, tuple[int, int, tuple[int, ...], _Path]] = {}
        for done, (peak, live, ready, path) in layer.items():
            for operator in ready:
                new, dead = frontier.effect(done, operator)
                later = done | 1 << operator
                after = frontier.then_ready(later, ready, operator)
                state = (max(peak, live + new), live + new - dead, after, (operator, path))
                if later not in following or state[:2] < following[later][:2]:
                    following[later] = state
        best = sorted(following.items(), key=lambda item: (item[1][0], item[1][1], item[0]))[:BEAM]
        layer = dict(best)
    peak, _, _, path = layer[frontier.full]
    return _unwind(path), peak
