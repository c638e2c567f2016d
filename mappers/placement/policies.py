"""The classic ways to place tensors under a given order, behind one interface: Belady, LRU, greedy, arena.

The first three walk the order and count bytes. Where a step does not fit, tensors that it does not need leave:

* ``belady``: the one whose next use is furthest away, until there is room;
* ``lru``: the one whose last use is longest ago, until there is room;
* ``greedy``: the set that costs the fewest bytes spilled and retrieved.

``arena`` keeps everything. The stays of all four are then given addresses as TensorFlow Lite's greedy-by-size planner
does: by falling size, each at the lowest offset that is free at all its steps. While something ends above the
scratchpad, a tensor gives way: the one that is too high, else the largest that it meets, is resident from now on at
its uses only, spilled once and retrieved for each. Where nothing is left to give way, fragmentation has the last
word: `InfeasibleError`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mappers.placement.addresses import first_fit
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import needs
from mappers.placement.plan import Stay
from workloads.errors import Infeasible, InfeasibleError

EXHAUSTIVE = 10
"""Idle tensors up to which ``greedy`` looks at every set."""


class Policy(Protocol):
    """A way to place tensors."""

    def place(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> dict[Stay, int]:
        """Return the stays and their addresses under `order`.

        Raises
        ------
        InfeasibleError
            If the policy finds no room for what a step needs.
        """
        ...


class Replacement:
    """Count bytes and replace by `rule`, then plan addresses by size."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def place(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> dict[Stay, int]:
        """Return the stays and their addresses under `order`."""
        return _arena(graph, order, capacity_bytes, _Walk(graph, order, capacity_bytes, self.rule).run(), self.rule)


class Arena:
    """Keep everything, then plan addresses by size."""

    def place(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> dict[Stay, int]:
        """Return the stays and their addresses under `order`."""
        stays = [Stay(a, steps[0], steps[-1]) for a, steps in enumerate(needs(graph, order))]
        return _arena(graph, order, capacity_bytes, stays, "arena")


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {"belady": Replacement("belady"), "lru": Replacement("lru"), "greedy": Replacement("greedy"), "arena": Arena()}
)


def _arena(graph: TensorGraph, order: Sequence[int], capacity: int, stays: list[Stay], name: str) -> dict[Stay, int]:
    """Return addresses by falling size; tensors give way until everything ends inside the scratchpad."""
    need, sizes = needs(graph, order), graph.sizes
    split: set[int] = set()
    while True:
        by_size = sorted(stays, key=lambda s: (-sizes[s.tensor], s.first, s.tensor))
        found = first_fit(by_size, sizes)
        over = [s for s in by_size if found[s] + sizes[s.tensor] > capacity]
        if not over:
            return found
        near = [*over, *(s for s in by_size if s.meets(over[0]))]
        victim = next((s.tensor for s in near if s.tensor not in split and _has_gap(need[s.tensor])), None)
        if victim is None:
            top = found[over[0]] + sizes[over[0].tensor]
            raise _no_room(graph, order[over[0].first], name, top, capacity)
        split.add(victim)
        stays = [s for s in stays if s.tensor != victim]
        stays += [Stay(victim, first, last) for first, last in _runs(need[victim])]


def _runs(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Return the maximal runs of consecutive steps."""
    found = [(steps[0], steps[0])]
    for t in steps[1:]:
        if t == found[-1][1] + 1:
            found[-1] = (found[-1][0], t)
        else:
            found.append((t, t))
    return found


def _has_gap(steps: Sequence[int]) -> bool:
    return steps[-1] - steps[0] >= len(steps)


def _no_room(graph: TensorGraph, operator: int, policy: str, demand: int, capacity: int) -> InfeasibleError:
    name = graph.operators[operator].name
    return InfeasibleError(
        Infeasible(
            f"tensor graph '{graph.name}', policy '{policy}'",
            f"contiguous[{name}]",
            demand,
            capacity,
            "bytes",
            ("its free bytes are in pieces", "raise --scratchpad-bytes", "use --policy ilp"),
        )
    )


class _Walk:
    """Residency by bytes, step by step."""

    def __init__(self, graph: TensorGraph, order: Sequence[int], capacity: int, rule: str) -> None:
        self.graph, self.order, self.capacity, self.rule = graph, order, capacity, rule
        self.need = needs(graph, order)
        self.since: dict[int, int] = {}
        """Step since which each resident tensor has been there."""
        self.host: set[int] = {a for a, maker in enumerate(graph.producer) if maker < 0}
        self.stays: list[Stay] = []

    def run(self) -> list[Stay]:
        """Return the stays; an evicted tensor leaves right after its last use before."""
        for t, operator in enumerate(self.order):
            for a in [a for a in self.since if self.need[a][-1] < t]:
                self._leave(a, t)
            needed = {*self.graph.reads[operator], *self.graph.writes[operator]}
            for a in sorted(needed):
                self.since.setdefault(a, t)
            while (excess := sum(self.graph.sizes[a] for a in self.since) - self.capacity) > 0:
                for a in self._victims([a for a in self.since if a not in needed], excess, t):
                    self.host.add(a)
                    self._leave(a, t)
        for a in list(self.since):
            self._leave(a, len(self.order))
        return self.stays

    def _leave(self, a: int, t: int) -> None:
        last = max(u for u in self.need[a] if u < t)
        self.stays.append(Stay(a, self.since.pop(a), last))

    def _victims(self, idle: list[int], excess: int, t: int) -> list[int]:
        """Return who leaves; `idle` is never empty, since every operator fits by itself."""
        sizes = self.graph.sizes
        if self.rule == "belady":
            return [max(idle, key=lambda a: (next(u for u in self.need[a] if u >= t), sizes[a], -a))]
        if self.rule == "lru":
            return [min(idle, key=lambda a: (max(u for u in self.need[a] if u < t), -sizes[a], a))]
        price = {a: sizes[a] * (1 if a in self.host else 2) for a in idle}
        if len(idle) > EXHAUSTIVE:
            return [min(idle, key=lambda a: (sizes[a] < excess, price[a], a))]
        groups = itertools.chain.from_iterable(itertools.combinations(sorted(idle), n) for n in range(1, len(idle) + 1))
        fits = (group for group in groups if sum(sizes[a] for a in group) >= excess)
        return list(min(fits, key=lambda group: (sum(price[a] for a in group), group)))
