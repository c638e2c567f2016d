"""A lower bound of the traffic that holds for every order, where the exact search is too wide.

While operator o runs, a tensor is *surely waiting* if an operator that must come before o has made (or read) it and
one that must come after o reads it. What the operator needs and what surely waits must fit, or some of the waiting is
away. An absence costs a retrieve, and the first absence of what an operator made a spill. Two absences of a tensor at
o and p are two if an operator that uses it must come after the one and before the other. This is a small program over
absences; its optimum, or the solver's bound of it, bounds all plans of all orders.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.solver import LinearModel, SolveOptions, SolverName, Variable


@dataclass(frozen=True, slots=True)
class Precedence:
    """Per operator the set (bit mask) of those that must come before it, and of those that must come after it."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def precedence(graph: TensorGraph) -> Precedence:
    """Return what must come before and after each operator."""
    count = len(graph.operators)
    before, after = [0] * count, [0] * count
    for i in graph.topological:
        for j in graph.before[i]:
            before[i] |= before[j] | 1 << j
    for i in reversed(graph.topological):
        for j in graph.before[i]:
            after[j] |= after[i] | 1 << i
    return Precedence(tuple(before), tuple(after))


def surely_waiting(graph: TensorGraph, order: Precedence) -> list[list[int]]:
    """Return, per operator, the tensors that it does not need and that wait while it runs, in every order."""
    found: list[list[int]] = [[] for _ in graph.operators]
    for a, readers in enumerate(graph.readers):
        read = sum(1 << i for i in readers)
        maker = graph.producer[a]
        there = 1 << maker if maker >= 0 else read
        for i in range(len(graph.operators)):
            if order.before[i] & there and order.after[i] & read and not (read | there) >> i & 1:
                found[i].append(a)
    return found


def peak_bound_bytes(graph: TensorGraph) -> int:
    """Return a lower bound of the peak of every order: needed plus surely waiting, at the worst operator."""
    waiting = surely_waiting(graph, precedence(graph))
    return max(graph.operator_bytes(i) + sum(graph.sizes[a] for a in waiting[i]) for i in range(len(waiting)))


def traffic_bound_bytes(
    graph: TensorGraph, capacity_bytes: int, budget: Budget, solver: SolverName = "highs", seconds: float = 30.0
) -> int:
    """Return a lower bound of the traffic of every plan in every order."""
    order = precedence(graph)
    away: dict[tuple[int, int], Variable] = {}
    model = LinearModel("order free")
    for i, waiting in enumerate(surely_waiting(graph, order)):
        excess = graph.operator_bytes(i) + sum(graph.sizes[a] for a in waiting) - capacity_bytes
        if excess <= 0:
            continue
        row = []
        for a in waiting:
            away[a, i] = model.binary(f"away[{graph.tensors[a].name},{graph.operators[i].name}]")
            row.append((min(graph.sizes[a], excess), away[a, i]))
        model.row(f"room[{graph.operators[i].name}]", row, ">=", excess)
    if not away:
        return 0
    terms: list[tuple[float, Variable]] = []
    place = {operator: t for t, operator in enumerate(graph.topological)}
    for a in sorted({a for a, _ in away}):
        absences = sorted((i for b, i in away if b == a), key=place.__getitem__)
        name, size = graph.tensors[a].name, graph.sizes[a]
        returns = model.integer(f"returns[{name}]", 0, len(graph.readers[a]))
        terms.append((size, returns))
        for number, chain in enumerate(_chains(graph, order, a, absences)):
            row = [(-1, returns), *[(1, away[a, i]) for i in chain]]
            model.row(f"returns[{name},{number}]", row, "<=", 0)
        if graph.producer[a] >= 0:
            spill = model.binary(f"spill[{name}]")
            terms.append((size, spill))
            for i in absences:
                model.row(f"spill[{name},{graph.operators[i].name}]", [(1, away[a, i]), (-1, spill)], "<=", 0)
    model.minimise(terms)
    options = SolveOptions(solver, max(0.1, min(seconds, budget.left_s)), stop=budget.stop)
    found = model.solve(options)
    return 0 if found.bound is None else max(0, -int(-(found.bound - 1e-6) // 1))


def _chains(graph: TensorGraph, order: Precedence, a: int, absences: list[int]) -> list[tuple[int, ...]]:
    """Return chains of absences of tensor `a` of which no two can be one, that together hold each absence."""
    uses = sum(1 << i for i in graph.readers[a])

    def apart(i: int, j: int) -> bool:
        return bool(order.after[i] & order.before[j] & uses)

    found = []
    for i in absences:
        chain = [i]
        for j in absences:  # in topological order
            if all(apart(k, j) or apart(j, k) for k in chain):
                chain.append(j)
        found.append(tuple(sorted(chain)))
    return list(dict.fromkeys(found))
