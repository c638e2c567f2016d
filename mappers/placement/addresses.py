"""Addresses for stays of known first and last step: dynamic storage allocation.

First several orders with first fit; then an exact search. In every packing all stays can be pushed down until each
lies at address 0 or on top of another, and taking them by rising address each then lies at the top of those already
placed that it meets. So the search over orders of rising address, each stay at the skyline, misses no packing; it is
cut where the bytes still to be placed at some step no longer fit above the skyline. Stays that fit whatever the
others do are placed last.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mappers.placement.budget import Budget
from mappers.placement.plan import Stay

NODES = 20_000
"""Nodes after which the exact search gives up; a count, so that the answer does not depend on the machine."""
BUMPS = 100


@dataclass(frozen=True, slots=True)
class Packing:
    """Addresses, if found; `complete` says that none exist where none were found."""

    addresses: dict[Stay, int] | None
    complete: bool


def pack(
    stays: Sequence[Stay],
    sizes: Sequence[int],
    capacity_bytes: int,
    budget: Budget,
    nodes: int = NODES,
) -> Packing:
    """Return addresses for `stays` within `capacity_bytes`, or that there are none, or that none were found."""
    ordered = sorted(set(stays), key=lambda s: (s.first, s.last, s.tensor))
    if any(load > capacity_bytes for load in loads(ordered, sizes)):
        return Packing(None, True)
    for order in _orders(ordered, sizes):
        found = first_fit(order, sizes)
        if all(found[s] + sizes[s.tensor] <= capacity_bytes for s in ordered):
            return Packing(found, True)
    hard, easy = _peel(ordered, sizes, capacity_bytes)
    placed, complete = _by_region(hard, sizes, capacity_bytes, budget, nodes)
    if placed is None and not complete:
        placed = _bumped(hard, sizes, capacity_bytes, budget)
    if placed is None and not complete:
        whole = _Search(hard, sizes, capacity_bytes, budget, nodes, {})
        placed, complete = whole.run(), not whole.gave_up
    if placed is None:
        return Packing(None, complete)
    return Packing(first_fit([*hard, *reversed(easy)], sizes, placed), True)


def _by_region(
    stays: list[Stay], sizes: Sequence[int], capacity: int, budget: Budget, nodes: int
) -> tuple[dict[Stay, int] | None, bool]:
    """Return (addresses or None, whether None is proven), region by region from the fullest outwards.

    Regions are cut where at most one stay goes from a step to the next; it is searched with the region that comes first
    and lies fixed for the other. That no packing exists is proven by a region alone, without fixed stays.
    """
    placed: dict[Stay, int] = {}
    for region in _outwards(_regions(stays), loads(stays, sizes)):
        own = [s for s in stays if s.first < region.stop and region.start <= s.last]
        if not own:
            continue
        fixed = {s: placed[s] for s in own if s in placed}
        simple = (first_fit(order, sizes, fixed) for order in _orders(own, sizes))
        found = next((f for f in simple if all(f[s] + sizes[s.tensor] <= capacity for s in own)), None)
        if found is not None:
            placed |= found
            continue
        search = _Search(own, sizes, capacity, budget, nodes, fixed)
        found = search.run()
        if found is None and fixed and not search.gave_up:
            # perhaps without them: then it is the cut that failed, not the region
            alone = _Search(own, sizes, capacity, budget, nodes, {})
            return None, alone.run() is None and not alone.gave_up
        if found is None:
            return None, not search.gave_up
        placed |= found
    return placed, True


def _regions(stays: Sequence[Stay]) -> list[range]:
    """Return the ranges of steps between cuts that at most one stay crosses."""
    end = max((s.last for s in stays), default=-1) + 1
    crossing = [0] * (end + 1)
    for s in stays:
        for t in range(s.first, s.last):
            crossing[t + 1] += 1
    cuts = [0, *(t for t in range(1, end) if crossing[t] <= 1), end]
    return [range(a, b) for a, b in itertools.pairwise(cuts) if a < b]


def _outwards(regions: list[range], load: list[int]) -> list[range]:
    """Return the regions from the fullest on, the fuller neighbour next: one searched region borders each."""
    if not regions:
        return []
    full = [max(load[t] for t in region) for region in regions]
    low = high = max(range(len(regions)), key=lambda i: (full[i], -i))
    found = [regions[low]]
    while len(found) < len(regions):
        left, right = low - 1, high + 1
        if right >= len(regions) or (left >= 0 and full[left] >= full[right]):
            low = left
            found.append(regions[low])
        else:
            high = right
            found.append(regions[high])
    return found


def _bumped(stays: list[Stay], sizes: Sequence[int], capacity: int, budget: Budget) -> dict[Stay, int] | None:
    """Return addresses by first fit in an order in which what did not fit goes to the front, again and again."""
    order = list(stays)
    for _ in range(BUMPS):
        if budget.spent():
            return None
        found = first_fit(order, sizes)
        out = [s for s in order if found[s] + sizes[s.tensor] > capacity]
        if not out:
            return found
        order.remove(out[0])
        order.insert(0, out[0])
    return None


def lowest_height(stays: Sequence[Stay], sizes: Sequence[int], budget: Budget, nodes: int = NODES) -> tuple[int, int]:
    """Return (height of the lowest packing found, proven lower bound of it), in bytes.

    Heights are looked for among those that some first-fit order reaches and the greatest load.
    """
    ordered = sorted(set(stays), key=lambda s: (s.first, s.last, s.tensor))
    floor = max(loads(ordered, sizes))
    best = min(
        max(found[s] + sizes[s.tensor] for s in ordered)
        for found in (first_fit(order, sizes) for order in _orders(ordered, sizes))
    )
    if best == floor:
        return best, floor
    low, high = floor, best  # low: proven bound; high: reached
    while low < high and not budget.spent():
        middle = low if low == floor else (low + high) // 2
        packing = pack(ordered, sizes, middle, budget, nodes)
        if packing.addresses is not None:
            high = max(packing.addresses[s] + sizes[s.tensor] for s in ordered)
        elif packing.complete:
            low = middle + 1
        else:
            break
    return high, low


def loads(stays: Sequence[Stay], sizes: Sequence[int]) -> list[int]:
    """Return the bytes resident at each step."""
    change: dict[int, int] = {}
    for s in stays:
        change[s.first] = change.get(s.first, 0) + sizes[s.tensor]
        change[s.last + 1] = change.get(s.last + 1, 0) - sizes[s.tensor]
    total, found = 0, []
    for t in range(max(change, default=0)):
        total += change.get(t, 0)
        found.append(total)
    return found


def _orders(stays: Sequence[Stay], sizes: Sequence[int]) -> list[list[Stay]]:
    """Return the orders that first fit is tried with."""
    keys: tuple[Callable[[Stay], tuple[int, ...]], ...] = (
        lambda s: (-sizes[s.tensor], s.first, s.last, s.tensor),
        lambda s: (s.first - s.last, -sizes[s.tensor], s.first, s.tensor),
        lambda s: (-sizes[s.tensor] * (s.last - s.first + 1), s.first, s.tensor),
        lambda s: (s.first, -sizes[s.tensor], s.last, s.tensor),
        lambda s: (-s.last, -sizes[s.tensor], s.first, s.tensor),
    )
    return [sorted(stays, key=key) for key in keys]


def first_fit(order: Sequence[Stay], sizes: Sequence[int], placed: dict[Stay, int] | None = None) -> dict[Stay, int]:
    """Return addresses: each stay of `order` at the lowest address that is free at all its steps."""
    found = dict(placed or {})
    for stay in order:
        if stay in found:
            continue
        size, at = sizes[stay.tensor], 0
        taken = sorted((a, a + sizes[other.tensor]) for other, a in found.items() if other.meets(stay))
        for low, high in taken:
            if low >= at + size:
                break
            at = max(at, high)
        found[stay] = at
    return found


def _peel(stays: Sequence[Stay], sizes: Sequence[int], capacity: int) -> tuple[list[Stay], list[Stay]]:
    """Return (hard, easy) stays: easy ones, in order of removal, find room however those left before them lie.

    k stays of S bytes together leave a hole of at least (capacity - S) / (k + 1) bytes somewhere.
    """
    left, easy = list(stays), []
    met = {s: [o for o in left if o is not s and o.meets(s)] for s in left}
    count = {s: len(met[s]) for s in left}
    bytes_met = {s: sum(sizes[o.tensor] for o in met[s]) for s in left}
    changed = True
    while changed:
        changed = False
        for s in list(left):
            if capacity - bytes_met[s] > (count[s] + 1) * (sizes[s.tensor] - 1):
                left.remove(s)
                easy.append(s)
                for other in met[s]:
                    count[other] -= 1
                    bytes_met[other] -= sizes[s.tensor]
                changed = True
    return left, easy


class _Search:
    """Depth-first search for a packing, by rising address."""

    def __init__(
        self,
        stays: list[Stay],
        sizes: Sequence[int],
        capacity: int,
        budget: Budget,
        nodes: int,
        fixed: dict[Stay, int],
    ) -> None:
        self.fixed = [fixed.get(s) for s in stays]
        self.stays, self.capacity, self.budget, self.nodes = stays, capacity, budget, nodes
        # only steps at which a stay begins matter: between them nothing new is met
        begins = sorted({s.first for s in stays})
        self.spans = [[i for i, t in enumerate(begins) if s.first <= t <= s.last] for s in stays]
        self.size = [sizes[s.tensor] for s in stays]
        self.columns = len(begins)
        self.gave_up = False
        self.failed: set[tuple[int, int, tuple[int, ...]]] = set()

    def run(self) -> dict[Stay, int] | None:
        """Return addresses; None if there are none or the search gave up."""
        rest = [0] * self.columns
        for span, size in zip(self.spans, self.size, strict=True):
            for c in span:
                rest[c] += size
        found: list[tuple[int, int]] = []
        if not self._place(0, [0] * self.columns, rest, -1, found):
            return None
        return {self.stays[i]: address for i, address in found}

    def _place(self, mask: int, height: list[int], rest: list[int], last: int, found: list[tuple[int, int]]) -> bool:
        if mask == (1 << len(self.stays)) - 1:
            return True
        self.nodes -= 1
        if self.nodes < 0 or (self.nodes % 64 == 0 and self.budget.spent()):
            self.gave_up = True
            return False
        # the lowest stay still to come lies no higher than this, or what is left at the fullest step does not fit
        ceiling = self.capacity - max(rest)
        floor = found[-1][1] if found else 0
        options = []
        for i, span in enumerate(self.spans):
            if not mask >> i & 1:
                at, fixed = max(height[c] for c in span), self.fixed[i]
                if fixed is not None and fixed < at:
                    return False  # something lies where it has to be
                at = at if fixed is None else fixed
                if floor <= at <= ceiling:
                    options.append((at, -len(span), -self.size[i], i))
        for at, _, _, i in sorted(options):
            # stays at one address commute: take them by index
            if at == floor and i < last:
                continue
            top, left = list(height), list(rest)
            for c in self.spans[i]:
                left[c] -= self.size[i]
                top[c] = at + self.size[i] if left[c] else 0
            # whatever comes now lies at `at` or above
            if any(r and max(h, at) + r > self.capacity for h, r in zip(top, left, strict=True)):
                continue
            key = (mask | 1 << i, at, tuple(top))
            if key in self.failed:
                continue
            found.append((i, at))
            if self._place(key[0], top, left, i, found):
                return True
            found.pop()
            if self.gave_up:
                return False
            self.failed.add(key)
        return False
