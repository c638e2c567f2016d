"""Least traffic under one order with addresses: a capacity program, packing, and cuts from packings that do not exist.

Between two needs a tensor is kept or dropped. Dropped, it leaves right after the one need and returns at the next:
every other way costs the same and takes room for longer. So a plan is a set of kept gaps, its stays follow, and a
superset of gaps that cannot be packed cannot be packed either. The program chooses gaps by capacity (the bound),
`addresses` packs the stays; where no packing exists, the smallest set of gaps that shows it becomes a cut, until one
packs. A gap without steps can be dropped too, where host memory has a copy: that moves a tensor for its bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mappers.placement.addresses import Packing, pack
from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import Gap, gaps, needs
from mappers.placement.plan import Stay
from mappers.solver import LinearModel, Solution, SolveOptions, SolverName, Variable
from workloads.errors import InternalError

ROUNDS = 40
"""Cuts after which the exact loop gives up."""


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """The best packed plan of one order and a proven lower bound of all plans of that order, in bytes."""

    addresses: dict[Stay, int] | None
    traffic_bytes: int
    bound_bytes: int


def best_of_order(
    graph: TensorGraph, order: Sequence[int], capacity_bytes: int, budget: Budget, solver: SolverName = "highs"
) -> OrderPlan:
    """Return the best plan of `order` that was found, and the bound reached; equal numbers are a proof."""
    return _Loop(graph, order, capacity_bytes, budget, solver).run()


class GapModel:
    """The capacity program of one order: which gaps are dropped."""

    def __init__(self, graph: TensorGraph, order: Sequence[int], capacity_bytes: int) -> None:
        self.graph, self.gaps = graph, gaps(graph, order)
        self.needs = needs(graph, order)
        self.model = LinearModel("gaps")
        self.drop: dict[Gap, Variable] = {}
        sizes, own = graph.sizes, graph.producer
        terms: list[tuple[float, Variable]] = []
        spill: dict[int, Variable] = {}
        for gap in self.gaps:
            name = graph.tensors[gap.tensor].name
            if not gap.number:
                earlier: list[tuple[float, Variable]] = []
            if not gap.steps and own[gap.tensor] >= 0 and not earlier:
                continue  # no copy in host memory to return from
            drop = self.drop[gap] = self.model.binary(f"drop[{name},{gap.number}]")
            if gap.steps:
                earlier.append((-1, drop))
            terms.append((sizes[gap.tensor], drop))
            if own[gap.tensor] < 0:
                continue
            if not gap.steps:
                self.model.row(f"moved_after_spill[{name},{gap.number}]", [(1, drop), *earlier], "<=", 0)
                continue
            if gap.tensor not in spill:
                spill[gap.tensor] = self.model.binary(f"spill[{name}]")
                terms.append((sizes[gap.tensor], spill[gap.tensor]))
            self.model.row(f"spilled[{name},{gap.number}]", [(1, drop), (-1, spill[gap.tensor])], "<=", 0)
        self.spill = spill
        idle: list[list[Gap]] = [[] for _ in order]
        for gap in self.gaps:
            for t in gap.steps:
                idle[t].append(gap)
        for t, operator in enumerate(order):
            most = graph.operator_bytes(operator) + sum(sizes[g.tensor] for g in idle[t])
            if most > capacity_bytes:
                row = [(sizes[g.tensor], self.drop[g]) for g in idle[t]]
                self.model.row(f"capacity[{t}]", row, ">=", most - capacity_bytes)
        self.model.minimise(terms)

    def forbid(self, kept: Sequence[Gap], number: int) -> None:
        """Add the cut that not all gaps of `kept` may be kept."""
        self.model.row(f"no_packing[{number}]", [(1, self.drop[g]) for g in kept], ">=", 1)

    def dropped(self, solution: Solution) -> frozenset[Gap]:
        """Return the gaps that `solution` drops."""
        return frozenset(g for g, v in self.drop.items() if solution.values[v.name] > 0.5)

    def start(self, dropped: frozenset[Gap]) -> dict[str, float]:
        """Return the variables' values for a set of dropped gaps."""
        values = {v.name: float(g in dropped) for g, v in self.drop.items()}
        hit = {g.tensor for g in dropped}
        return values | {v.name: float(a in hit) for a, v in self.spill.items()}

    def stays(self, dropped: frozenset[Gap]) -> list[Stay]:
        """Return the stays when the gaps of `dropped` are dropped."""
        found = []
        cut = {(g.tensor, g.before) for g in dropped}
        for a, steps in enumerate(self.needs):
            first = steps[0]
            for one, two in itertools.pairwise(steps):
                if (a, two) in cut:
                    found.append(Stay(a, first, one))
                    first = two
            found.append(Stay(a, first, steps[-1]))
        return found

    def traffic_bytes(self, dropped: frozenset[Gap]) -> int:
        """Return the traffic of a set of dropped gaps."""
        sizes = self.graph.sizes
        spilled = {g.tensor for g in dropped if self.graph.producer[g.tensor] >= 0}
        return sum(sizes[g.tensor] for g in dropped) + sum(sizes[a] for a in spilled)


class _Loop:
    def __init__(
        self, graph: TensorGraph, order: Sequence[int], capacity: int, budget: Budget, solver: SolverName
    ) -> None:
        self.graph, self.order, self.capacity = graph, order, capacity
        self.budget, self.solver = budget, solver
        self.master = GapModel(graph, order, capacity)

    def run(self) -> OrderPlan:
        bound, proof = 0, True
        best: tuple[int, dict[Stay, int]] | None = None
        for number in range(ROUNDS):
            solution = self._solve()
            if proof and solution.bound is not None:
                bound = max(bound, -int(-(solution.bound - 1e-6) // 1))
            if not solution.values:
                if solution.status == "infeasible" and proof:
                    raise InternalError("placement: dropping everything does not pack; report this as a bug")
                break
            dropped = self.master.dropped(solution)
            traffic = self.master.traffic_bytes(dropped)
            if best is not None and traffic >= best[0]:
                break
            packing = self._pack(dropped)
            if packing.addresses is not None:
                best = (traffic, packing.addresses)
                break
            proof &= packing.complete
            kept = [g for g in self.master.drop if g not in dropped]
            self.master.forbid(self._core(kept, dropped) if packing.complete else kept, number)
            if self.budget.spent():
                break
        if best is None:
            return OrderPlan(None, 0, bound)
        return OrderPlan(best[1], best[0], min(bound, best[0]))

    def _solve(self) -> Solution:
        model = self.master.model
        if not any(row.startswith(("capacity", "no_packing")) for row in model.rows):
            return Solution("optimal", 0.0, 0.0, dict.fromkeys(model.variables, 0.0), 0.0)
        options = SolveOptions(self.solver, max(0.1, self.budget.left_s), stop=self.budget.stop)
        return model.solve(options, self.master.start(frozenset(self.master.drop)))

    def _pack(self, dropped: frozenset[Gap]) -> Packing:
        return pack(self.master.stays(dropped), self.graph.sizes, self.capacity, self.budget)

    def _core(self, kept: list[Gap], dropped: frozenset[Gap]) -> list[Gap]:
        """Return a subset of `kept` from which no single gap can be taken: keeping all of it has no packing."""
        core = list(kept)
        for gap in kept:
            if self.budget.spent():
                break
            fewer = [g for g in core if g != gap]
            packing = self._pack(frozenset(self.master.drop) - frozenset(fewer))
            if packing.addresses is None and packing.complete:
                core = fewer
        return core
