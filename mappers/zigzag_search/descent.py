"""Descent over complete mappings: cuts and loops are moved while that makes ZigZag's figure better.

The search places the loops between two cuts where energy is least; a loop that stands elsewhere can shorten a stall.
This descent looks for such moves, and finds a first mapping where the search met none that fits. It proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from mappers.nests.lattice import factorised
from mappers.zigzag_search.figures import Counter, Figures, Loop, Plan

Cuts = tuple[tuple[int, ...], ...]


def descend(
    counter: Counter, plan: Plan, worth: Callable[[Figures], float], evaluations: int
) -> tuple[Plan, Figures] | None:
    """Return the end of a first-improvement descent from `plan`; None if `plan` does not fit.

    Parameters
    ----------
    worth : function of Figures
        What is made smaller.
    evaluations : int
        Most mappings counted.
    """
    figures = counter.count(plan)
    if figures is None:
        return None
    used, seen, moved = 1, {plan}, True
    while moved and used < evaluations:
        moved = False
        for other in neighbours(plan):
            if other in seen:
                continue
            seen.add(other)
            used += 1
            found = counter.count(other)
            if found is not None and worth(found) < worth(figures):
                plan, figures, moved = other, found, True
                break
            if used >= evaluations:
                break
    return counter.settled(plan), figures


def plain(counter: Counter) -> Iterator[Plan]:
    """Yield nests of three blocks of loops in all orders, every memory filled as far as it goes, those that fit.

    The blocks are the loops that the output, the weight and the input do not see.
    """
    tables = counter.tables
    blocks: dict[int, list[Loop]] = {role: [] for role in range(len(tables.roles))}
    for dim, steps in tables.model.steps.items():
        blind = [role for role in blocks if dim in counter.blind[role]]
        blocks[blind[0] if blind else 0] += [(dim, prime) for prime, power in factorised(steps) for _ in range(power)]
    for roles in permutations(blocks):
        plan = _filled(counter, tuple(loop for role in roles for loop in blocks[role]))
        if plan is not None:
            yield plan


def _filled(counter: Counter, order: tuple[Loop, ...]) -> Plan | None:
    """Return `order` with every memory, innermost first, filled with as many loops of each operand as fit."""
    cuts = [[0] * (levels - 1) for levels in counter.tables.levels]

    def plan(role: int = 0, at: int = 0, end: int = 0) -> Plan:
        made = [tuple(ends) for ends in cuts]
        made[role] = (*made[role][:at], *(max(end, cut) for cut in made[role][at:]))
        return Plan(order, tuple(made))

    if counter.count(plan()) is None:
        return None
    for memory in counter.tables.model.hardware.memories[:-1]:
        for role, chain in enumerate(counter.chains):
            if memory.name not in chain[:-1]:
                continue
            at = chain.index(memory.name)
            low, high = cuts[role][at], len(order)
            while low < high:
                middle = (low + high + 1) // 2
                if counter.count(plan(role, at, middle)) is not None:
                    low = middle
                else:
                    high = middle - 1
            cuts[role] = list(plan(role, at, low).cuts[role])
    return plan()


def neighbours(plan: Plan) -> Iterator[Plan]:
    """Yield plans one move away.

    A cut moved by one or two loops or to where another cut stands, cuts that stand together moved by one, two
    neighbouring loops exchanged, a loop or all loops of a dimension moved elsewhere.
    """
    order, cuts = plan.order, plan.cuts
    size = len(order)
    for role, ends in enumerate(cuts):
        for at in range(len(ends)):
            for step in (1, -1, 2, -2):
                moved = tuple(end + step if index == at else end for index, end in enumerate(ends))
                yield from _with(plan, (*cuts[:role], moved, *cuts[role + 1 :]))
    depths = sorted({0, size, *(end for ends in cuts for end in ends)})
    for role, ends in enumerate(cuts):
        for at in range(len(ends)):
            for depth in depths:
                moved = (*(min(e, depth) for e in ends[:at]), depth, *(max(e, depth) for e in ends[at + 1 :]))
                yield from _with(plan, (*cuts[:role], moved, *cuts[role + 1 :]))
    for depth in depths:
        for step in (1, -1):
            yield from _with(plan, tuple(tuple(e + step if e == depth else e for e in ends) for ends in cuts))
    for at in range(size - 1):
        if order[at][0] != order[at + 1][0]:
            yield Plan((*order[:at], order[at + 1], order[at], *order[at + 2 :]), cuts)
    for dim in dict.fromkeys(dim for dim, _ in order):
        block = [loop for loop in order if loop[0] == dim]
        rest = tuple(loop for loop in order if loop[0] != dim)
        for end in range(len(rest) + 1):
            if end in (0, len(rest)) or rest[end - 1][0] != rest[end][0]:
                yield Plan((*rest[:end], *block, *rest[end:]), cuts)
    for start in range(size):
        rest = (*order[:start], *order[start + 1 :])
        for end in range(size):
            if abs(end - start) > 1:
                yield Plan((*rest[:end], order[start], *rest[end:]), cuts)


def _with(plan: Plan, cuts: Cuts) -> Iterator[Plan]:
    def rising(ends: Sequence[int]) -> bool:
        return all(low <= high for low, high in zip((0, *ends), (*ends, len(plan.order)), strict=True))

    if all(rising(ends) for ends in cuts):
        yield Plan(plan.order, cuts)
