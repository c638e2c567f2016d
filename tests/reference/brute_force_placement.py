"""The placement problem by brute force: cheapest first over everything a machine can do, byte address by byte address.

Shares no code and no idea with the package: a state is the set of operators that have run, what lies where, and what
host memory holds. For graphs of a handful of operators in a scratchpad of a handful of bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from heapq import heappop, heappush

State = tuple[frozenset[int], frozenset[tuple[str, int]], frozenset[str]]


def least_bytes(
    sizes: dict[str, int], ops: list[tuple[tuple[str, ...], tuple[str, ...]]], capacity: int, free: bool
) -> int | None:
    """Return the least bytes spilled and retrieved; None if there is no plan."""
    made = {name for _, outputs in ops for name in outputs}
    sources = frozenset(set(sizes) - made)
    start: State = (frozenset(), frozenset(), frozenset())
    heap: list[tuple[int, int, State]] = [(0, 0, start)]
    seen: set[State] = set()
    count = 0
    while heap:
        cost, _, state = heappop(heap)
        if state in seen:
            continue
        seen.add(state)
        done, _, _ = state
        if len(done) == len(ops):
            return cost
        for op in range(len(ops)):
            if op in done or (not free and op != len(done)):
                continue
            for price, following in _step(sizes, ops, capacity, sources, state, op):
                if following not in seen:
                    count += 1
                    heappush(heap, (cost + price, count, following))
    return None


def _step(
    sizes: dict[str, int],
    ops: list[tuple[tuple[str, ...], tuple[str, ...]]],
    capacity: int,
    sources: frozenset[str],
    state: State,
    op: int,
) -> Iterator[tuple[int, State]]:
    """Yield (bytes moved, state after) for every way to run `op` now."""
    done, inside, host = state
    inputs, outputs = ops[op]
    later = [set(ops[i][0]) for i in range(len(ops)) if i not in done]
    wanted = set().union(*later) if later else set()
    for keep in _subsets(sorted(inside)):
        kept = {name for name, _ in keep}
        gone = [name for name, _ in inside if name not in kept and name not in host]
        for spilled in _subsets(gone):
            copies = host | set(spilled)
            # a tensor retrieved now must have been spilled before now
            for back in _subsets([n for n in sorted(host) if n not in kept and n in wanted]):
                first = [n for n in inputs if n in sources and n not in host and n not in kept]
                new = [*dict.fromkeys((*outputs, *back, *first))]
                there = kept | set(back) | set(first)
                if not set(inputs) <= there:
                    continue
                price = sum(sizes[n] for n in (*spilled, *back))
                for addresses in itertools.product(*(range(capacity - sizes[n] + 1) for n in new)):
                    placed = [*keep, *zip(new, addresses, strict=True)]
                    if _apart(sizes, placed):
                        yield price, (done | {op}, frozenset(placed), frozenset(copies | set(first)))


def _subsets(items: list) -> Iterator[tuple]:  # type: ignore[type-arg]
    for count in range(len(items) + 1):
        yield from itertools.combinations(items, count)


def _apart(sizes: dict[str, int], placed: list[tuple[str, int]]) -> bool:
    return all(a + sizes[m] <= b or b + sizes[n] <= a for (m, a), (n, b) in itertools.combinations(placed, 2))
