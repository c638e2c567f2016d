"""The classic ways to place tensors under a given order, behind one interface: Belady, LRU, greedy, arena.

The first three walk the order. What a step needs is put at the lowest address with room (first fit, as in a linear
arena); where there is no room, tensors that the step does not need leave:

* ``belady``: the one whose next use is furthest away, until there is room;
* ``lru``: the one whose last use is longest ago, until there is room;
* ``greedy``: the neighbours whose departure makes room for the fewest bytes moved.

``arena`` plans before the run, as TensorFlow Lite's greedy-by-size planner does: tensors by falling size, each at the
lowest offset that is free over its whole life. A tensor that ends above the scratchpad is instead spilled after it is
made and retrieved at each use.

None of them moves a tensor that the step needs, so fragmentation can end them: that is `InfeasibleError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mappers.placement.addresses import first_fit
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import needs
from mappers.placement.plan import Stay
from workloads.errors import Infeasible, InfeasibleError


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


class Walking:
    """Place step by step; `rule` names the victim's choice."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def place(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> dict[Stay, int]:
        """Return the stays and their addresses under `order`."""
        return _Walk(graph, order, capacity_bytes, self.rule).run()


class Arena:
    """Place by size before the run."""

    def place(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> dict[Stay, int]:
        """Return the stays and their addresses under `order`."""
        need, sizes = needs(graph, order), graph.sizes
        split: set[int] = set()
        while True:
            stays = []
            for a, steps in enumerate(need):
                if a in split:
                    stays += [Stay(a, one, last) for one, last in _runs(steps)]
                else:
                    stays.append(Stay(a, steps[0], steps[-1]))
            by_size = sorted(stays, key=lambda s: (-sizes[s.tensor], s.first, s.tensor))
            found = first_fit(by_size, sizes)
            over = [s for s in by_size if found[s] + sizes[s.tensor] > capacity_bytes]
            if not over:
                return found
            # what is too high leaves; if it cannot, the largest that it meets does
            candidates = [s for s in over if s.tensor not in split and _has_gap(need[s.tensor])]
            candidates += [
                s for s in by_size if s.tensor not in split and s.meets(over[0]) and _has_gap(need[s.tensor])
            ]
            if not candidates:
                first = over[0]
                raise _no_room(graph, order[first.first], "arena", found[first] + sizes[first.tensor], capacity_bytes)
            split.add(candidates[0].tensor)


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {"belady": Walking("belady"), "lru": Walking("lru"), "greedy": Walking("greedy"), "arena": Arena()}
)


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
    def __init__(self, graph: TensorGraph, order: Sequence[int], capacity: int, rule: str) -> None:
        self.graph, self.order, self.capacity, self.rule = graph, order, capacity, rule
        self.need = needs(graph, order)
        self.at: dict[int, int] = {}
        """Address of each resident tensor."""
        self.since: dict[int, int] = {}
        self.host: set[int] = {a for a, maker in enumerate(graph.producer) if maker < 0}
        self.stays: dict[Stay, int] = {}

    def run(self) -> dict[Stay, int]:
        for t, operator in enumerate(self.order):
            for a in [a for a in self.at if self.need[a][-1] < t]:
                self._leave(a, self.need[a][-1])
            pinned = {*self.graph.reads[operator], *self.graph.writes[operator]}
            missing = sorted(pinned - set(self.at), key=lambda a: (-self.graph.sizes[a], a))
            for a in missing:
                address = self._room(self.graph.sizes[a], pinned, t)
                if address is None:
                    short = self.graph.sizes[a] + sum(self.graph.sizes[b] for b in self.at)
                    raise _no_room(self.graph, operator, self.rule, max(short, self.capacity + 1), self.capacity)
                self.at[a], self.since[a] = address, t
        for a in list(self.at):
            self._leave(a, self.need[a][-1])
        return self.stays

    def _leave(self, a: int, last: int) -> None:
        self.stays[Stay(a, self.since.pop(a), last)] = self.at.pop(a)

    def _evict(self, a: int, t: int) -> None:
        self.host.add(a)
        self._leave(a, t - 1)

    def _hole(self, size: int) -> int | None:
        """Return the lowest address with `size` free bytes."""
        at = 0
        for address, a in sorted((address, a) for a, address in self.at.items()):
            if address - at >= size:
                return at
            at = address + self.graph.sizes[a]
        return at if self.capacity - at >= size else None

    def _room(self, size: int, pinned: set[int], t: int) -> int | None:
        """Return an address with `size` free bytes, making room for it by the policy's rule."""
        while (address := self._hole(size)) is None:
            victims = self._victims(size, pinned, t)
            if not victims:
                return None
            for a in victims:
                self._evict(a, t)
        return address

    def _victims(self, size: int, pinned: set[int], t: int) -> list[int]:
        # a tensor placed at this very step is pinned, so every idle one has been here since a step before
        idle = [a for a in self.at if a not in pinned]
        if self.rule == "greedy":
            return self._cheapest_window(size, pinned)
        if not idle:
            return []
        if self.rule == "belady":
            return [max(idle, key=lambda a: (next(u for u in self.need[a] if u >= t), self.graph.sizes[a], -a))]
        return [min(idle, key=lambda a: (max(u for u in self.need[a] if u < t), -self.graph.sizes[a], a))]

    def _cheapest_window(self, size: int, pinned: set[int]) -> list[int]:
        """Return the neighbours between two addresses whose departure makes a hole of `size` at the least traffic."""
        blocks = sorted((address, a) for a, address in self.at.items())
        best: tuple[int, list[int]] | None = None
        for start in range(len(blocks) + 1):
            low = blocks[start - 1][0] + self.graph.sizes[blocks[start - 1][1]] if start else 0
            out: list[int] = []
            cost = 0
            for stop in range(start, len(blocks) + 1):
                high = blocks[stop][0] if stop < len(blocks) else self.capacity
                if high - low >= size:
                    if best is None or cost < best[0]:
                        best = (cost, list(out))
                    break
                if stop == len(blocks) or blocks[stop][1] in pinned:
                    break
                a = blocks[stop][1]
                out.append(a)
                cost += self.graph.sizes[a] * (1 if a in self.host else 2)
        return best[1] if best else []
