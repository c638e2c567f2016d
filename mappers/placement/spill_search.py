"""Least traffic by capacity alone, over all orders (or one): layered dynamic programming with dominance.

This is the relaxation of the placement problem in which the resident bytes of each step, not their addresses, must
fit. Its optimum bounds every plan from below.

A state is the set of operators that have run and the *level* of each live tensor: 0 resident without a copy in host
memory, 1 resident with a copy, 2 evicted. Bytes are paid when the level rises (0 to 1: spill, 1 to 2: the retrieve
that must follow, as the tensor has readers left), so with levels l and k of two states of the same operators

* the first is at least as good as the second if ``cost + sum(size * max(0, k - l)) <= cost of the second``: it can
  follow the second from here on, retrieving at once what the second has (paid for already) and evicting what it has
  not.

Eviction waits until room is needed: a tensor leaves only in a set of which no member can stay. That loses nothing,
since an eviction costs the same later. An operator may run at once, as the only successor, if its inputs are
resident, everything fits, one input dies that has no copy, and no more bytes are born: the newborn can take the part
of the dead in any plan, at no more cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import needs
from mappers.placement.min_peak import Frontier
from mappers.placement.plan import Stay
from workloads.errors import InternalError

WIDTH = 2_000
"""States kept per number of operators run."""
EVICTIONS = 64
"""Eviction sets tried per step and state."""


@dataclass(frozen=True, slots=True)
class SpillPlan:
    """An order, stays that fit by capacity, their traffic, and a proven lower bound of it, in bytes.

    `bound_bytes` holds for every order that the search was allowed.
    """

    order: tuple[int, ...]
    stays: tuple[Stay, ...]
    traffic_bytes: int
    bound_bytes: int
    states: tuple[_State, ...] = field(repr=False, compare=False)
    """What has run and what lies where before each step, and after the last."""


@dataclass(frozen=True, slots=True)
class _State:
    done: int
    resident: int
    host: int
    cost: int
    ready: tuple[int, ...]
    parent: _State | None
    operator: int
    evicted: int


def least_traffic(graph: TensorGraph, capacity_bytes: int, budget: Budget, order: Sequence[int]) -> SpillPlan:
    """Return the plan of least traffic by capacity under `order`; every operator must fit by itself."""
    plan, _ = _Search(graph, capacity_bytes, order, None, WIDTH).run(budget)
    if plan is None:
        raise InternalError("placement: an order has no plan by capacity; report this as a bug")
    return plan


def search_orders(
    graph: TensorGraph, capacity_bytes: int, budget: Budget, upper_bytes: int | None = None, width: int = WIDTH
) -> tuple[SpillPlan | None, int]:
    """Return the plan of least traffic by capacity over all orders, and a bound of all plans.

    Parameters
    ----------
    upper_bytes : int, optional
        Only plans cheaper than this are looked for; the bound is at most this.
    width : int
        States kept; where more arise the rest is dropped, and the bound counts them.
    """
    return _Search(graph, capacity_bytes, None, upper_bytes, width).run(budget)


def reorder_window(
    graph: TensorGraph, capacity_bytes: int, given: SpillPlan, start: int, stop: int, width: int, budget: Budget
) -> tuple[int, ...]:
    """Return the best order found of the operators of steps `start`..`stop` - 1 of `given`.

    It begins with what `given` has resident there, and is judged by its traffic plus what it takes to be, at `stop`, in
    no worse a state than `given`.
    """
    return _Search(graph, capacity_bytes, None, None, width).window(given, start, stop, budget)


class _Search:
    def __init__(
        self, graph: TensorGraph, capacity: int, order: Sequence[int] | None, upper: int | None, width: int
    ) -> None:
        self.graph, self.capacity, self.order, self.upper, self.width = graph, capacity, order, upper, width
        self.frontier = Frontier(graph)
        self.reads = [sum(1 << a for a in read) for read in graph.reads]
        self.writes = [sum(1 << a for a in written) for written in graph.writes]
        self.sources = sum(1 << a for a, p in enumerate(graph.producer) if p < 0)
        self.dropped: int | None = None
        self._bytes: dict[int, int] = {}

    def bytes_of(self, mask: int) -> int:
        """Return the bytes of the tensors of `mask`."""
        total = self._bytes.get(mask)
        if total is None:
            total = self._bytes[mask] = sum(self.graph.sizes[a] for a in _bits(mask))
        return total

    def run(self, budget: Budget) -> tuple[SpillPlan | None, int]:
        """Return the best plan found, if any, and the bound."""
        roots = self.frontier.roots
        layer = [_State(0, 0, 0, 0, roots, None, -1, 0)]
        for step in range(len(self.graph.operators)):
            # out of time: go straight on with the best few, which still ends in a plan
            width = 4 if budget.spent() else self.width
            following: dict[int, list[_State]] = {}
            for state in layer:
                for successor in self._successors(state, step):
                    if self.upper is None or successor.cost < self.upper:
                        following.setdefault(successor.done, []).append(successor)
            layer = self._thin(following, width)
        limits = [value for value in (self.upper, self.dropped) if value is not None]
        if not layer:
            return None, min(limits, default=0)
        best = layer[0]
        bound = min([best.cost, *limits])
        order, stays = self._stays(best)
        first = _State(0, 0, 0, 0, roots, None, -1, 0)
        return SpillPlan(order, stays, best.cost, bound, (first, *_path(best))), bound

    def _thin(self, following: dict[int, list[_State]], width: int) -> list[_State]:
        """Return the best `width` states that no other dominates."""
        layer = [state for group in following.values() for state in self._undominated(group)]
        layer.sort(key=lambda s: (s.cost, self.bytes_of(s.resident), s.done, s.resident))
        for state in layer[width:]:
            self._drop(state.cost)
        return layer[:width]

    def window(self, given: SpillPlan, start: int, stop: int, budget: Budget) -> tuple[int, ...]:
        """Return the best order found for steps `start`..`stop` of `given`, see `reorder_window`."""
        target, allowed = given.states[stop], sum(1 << i for i in given.order[start:stop])
        first = given.states[start]
        layer = [_State(first.done, first.resident, first.host, 0, first.ready, None, -1, 0)]
        for _ in range(stop - start):
            following: dict[int, list[_State]] = {}
            for state in layer:
                ready = tuple(i for i in state.ready if allowed >> i & 1)
                inner = replace(state, ready=ready) if ready != state.ready else state
                for successor in self._successors(inner, 0):
                    following.setdefault(successor.done, []).append(successor)
            layer = self._thin(following, 4 if budget.spent() else self.width)
        best = min(layer, key=lambda s: (s.cost + self._conversion(s, target), s.resident))
        return tuple(state.operator for state in _path(best))

    def _drop(self, cost: int) -> None:
        self.dropped = cost if self.dropped is None else min(cost, self.dropped)

    # --- successors -------------------------------------------------------------------------------------------------

    def _successors(self, state: _State, step: int) -> Iterator[_State]:
        if self.order is not None:
            yield from self._run(state, self.order[step])
            return
        for operator in state.ready:
            if self._may_run_at_once(state, operator):
                yield from self._run(state, operator)
                return
        for operator in state.ready:
            yield from self._run(state, operator)

    def _may_run_at_once(self, state: _State, operator: int) -> bool:
        reads, writes = self.reads[operator], self.writes[operator]
        fresh = reads & self.sources & ~state.host & ~state.resident
        if reads & ~state.resident & ~fresh or self.bytes_of(state.resident | reads | writes) > self.capacity:
            return False
        later = state.done | 1 << operator
        dying = [a for a in _bits(reads) if not self.frontier.read_by[a] & ~later]
        # sources seen for the first time and with readers left are born here too
        born = sum(self.graph.sizes[a] for a in _bits(writes | fresh) if self.frontier.read_by[a] & ~later)
        if not born:
            return True
        old = [a for a in dying if state.resident >> a & 1]
        return len(old) == 1 and not state.host >> old[0] & 1 and born <= self.graph.sizes[old[0]]

    def _run(self, state: _State, operator: int) -> Iterator[_State]:
        reads, writes, frontier = self.reads[operator], self.writes[operator], self.frontier
        idle = state.resident & ~reads
        excess = self.bytes_of(idle | reads | writes) - self.capacity
        done = state.done | 1 << operator
        ready = frontier.then_ready(done, state.ready, operator)
        host = state.host | reads & self.sources
        resident = idle | reads | writes
        gone = sum(1 << a for a in _bits(reads | writes) if not frontier.read_by[a] & ~done)
        for evicted in self._evictions(state, idle, excess):
            cost = state.cost + sum(self.graph.sizes[a] * (1 if state.host >> a & 1 else 2) for a in _bits(evicted))
            keep = ~(gone | evicted)
            yield _State(done, resident & keep, (host | evicted) & ~gone, cost, ready, state, operator, evicted)

    def _evictions(self, state: _State, idle: int, excess: int) -> Iterator[int]:
        """Return the sets of idle tensors of at least `excess` bytes from which no member can be left out."""
        if excess <= 0:
            yield 0
            return
        items = sorted(_bits(idle), key=lambda a: (-self.graph.sizes[a], a))
        sizes = [self.graph.sizes[a] for a in items]
        alike = [
            i > 0
            and sizes[i] == sizes[i - 1]
            and state.host >> items[i] & 1 == state.host >> items[i - 1] & 1
            and not (self.frontier.read_by[items[i]] ^ self.frontier.read_by[items[i - 1]]) & ~state.done
            for i in range(len(items))
        ]
        rest = [0] * (len(items) + 1)
        for i in reversed(range(len(items))):
            rest[i] = rest[i + 1] + sizes[i]
        tried = 0
        stack = [(0, 0, 0, True)]  # (next item, set, bytes, was the item before taken)
        while stack:
            i, mask, got, taken = stack.pop()
            if got >= excess:
                # items are taken by falling size: the last one taken is the smallest, so it decides minimality
                tried += 1
                if tried > EVICTIONS:
                    self._drop(state.cost + excess)
                    return
                yield mask
            elif i < len(items) and got + rest[i] >= excess:
                stack.append((i + 1, mask, got, False))
                # of tensors that are alike the first ones go
                if taken or not alike[i]:
                    stack.append((i + 1, mask | 1 << items[i], got + sizes[i], True))

    # --- dominance --------------------------------------------------------------------------------------------------

    def _undominated(self, group: list[_State]) -> list[_State]:
        group.sort(key=lambda s: (s.cost, -s.resident.bit_count(), s.resident, s.host))
        kept: list[_State] = []
        for state in group:
            if not any(self._dominates(other, state) for other in kept):
                kept.append(state)
        return kept

    def _dominates(self, first: _State, second: _State) -> bool:
        return first.cost <= second.cost and first.cost + self._conversion(first, second) <= second.cost

    def _conversion(self, first: _State, second: _State) -> int:
        """Return the bytes that `first`, of the same operators, pays to be in the place of `second`."""
        total = 0
        # level 2: in host memory and not resident; level 1: in both; level 0: resident only
        for a in _bits((second.host & ~first.host) | (first.resident & second.host & ~second.resident)):
            second_level = 1 if second.resident >> a & 1 else 2
            first_level = (first.host >> a & 1) if first.resident >> a & 1 else 2
            total += self.graph.sizes[a] * max(0, second_level - first_level)
        return total

    # --- the answer -------------------------------------------------------------------------------------------------

    def _stays(self, last: _State) -> tuple[tuple[int, ...], tuple[Stay, ...]]:
        """Return order and stays of the path that ends in `last`; tensors leave right after a need."""
        path = _path(last)
        order = tuple(s.operator for s in path)
        cut: set[tuple[int, int]] = set()
        need = needs(self.graph, order)
        for t, step in enumerate(path):
            for a in _bits(step.evicted):
                cut.add((a, next(u for u in need[a] if u > t)))
        stays = []
        for a, steps in enumerate(need):
            first = steps[0]
            for one, two in itertools.pairwise(steps):
                if (a, two) in cut:
                    stays.append(Stay(a, first, one))
                    first = two
            stays.append(Stay(a, first, steps[-1]))
        return order, tuple(stays)


def _path(last: _State) -> list[_State]:
    """Return the states that lead to `last`, without the first."""
    path = []
    state: _State | None = last
    while state is not None and state.operator >= 0:
        path.append(state)
        state = state.parent
    return path[::-1]


def _bits(mask: int) -> Iterator[int]:
    """Return the positions of the set bits, rising."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
