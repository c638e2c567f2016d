"""The front of tensor placement: checks, the searches in the order that was found to work, and the replayed answer.

1. The capacity relaxation, exactly (`spill_search`): the bound.
2. Addresses for its plan (`addresses`): mostly that is all, and proven.
3. Else the exact loop of one order (`order_exact`) over the orders in hand, then, on small graphs, the full program
   (`cosma`) started from the best plan, with the bound as a cut.
4. Graphs whose relaxation is not exact in the states allowed: segment by segment (`rolling`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from mappers.placement.addresses import pack
from mappers.placement.answer import Placement
from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.interpreter import replay
from mappers.placement.min_peak import min_peak_order
from mappers.placement.order_exact import best_of_order
from mappers.placement.order_free import traffic_bound_bytes
from mappers.placement.plan import Plan, Stay, plan_of
from mappers.placement.policies import POLICIES
from mappers.placement.rolling import roll
from mappers.placement.spill_search import SpillPlan, least_traffic, search_orders
from mappers.solver import SolveOptions, SolverName
from workloads.errors import Infeasible, InfeasibleError, InputError, InternalError
from workloads.nearest import nearest

Schedule = Literal["free", "fixed"]
FULL_MODEL_VARIABLES = 20_000
"""Greatest full program that is tried."""
NARROW, WIDE = 60, 150
"""States per layer of the search over orders: at first, and again below what the rolling horizon found."""


@dataclass
class _Found:
    """The best plan so far and the best bound."""

    graph: TensorGraph
    capacity: int
    bound: int = 0
    traffic: int | None = None
    plan: Plan | None = None
    method: str = ""
    notes: list[str] = field(default_factory=list)

    def offer(self, plan: Plan, method: str) -> None:
        """Replay `plan` and keep it if it is the best so far."""
        traffic = replay(self.graph, plan).traffic_bytes
        if self.traffic is None or traffic < self.traffic:
            self.traffic, self.plan, self.method = traffic, plan, method

    def offer_stays(self, order: Sequence[int], addresses: dict[Stay, int], method: str) -> None:
        self.offer(plan_of(self.graph, order, addresses, self.capacity), method)

    @property
    def done(self) -> bool:
        """Value telling whether the best plan is proven optimal."""
        return self.traffic is not None and self.traffic <= self.bound


def place_tensors(
    graph: TensorGraph,
    scratchpad_bytes: int,
    *,
    schedule: Schedule = "free",
    policy: str = "ilp",
    time_limit_s: float = 60.0,
    solver: SolverName = "highs",
    lp_file: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> Placement:
    """Return a plan for `graph` in a scratchpad: order, addresses, spills and retrieves, with its bound.

    Parameters
    ----------
    scratchpad_bytes : int
    schedule : {"free", "fixed"}
        Whether the order of the operators is to be chosen or is the listed one. The policies take the order of least
        peak for ``free``.
    policy : str
        ``ilp``, or one of `policies.POLICIES`.
    time_limit_s : float
        Wall time; the best plan so far is returned with its gap.
    solver : {"highs", "cbc"}
    lp_file : Path, optional
        Write COSMA's full program there in LP format.
    stop : callable, optional
        Answers True when the best so far is wanted now.

    Raises
    ------
    InputError
        For a parameter out of its bounds.
    InfeasibleError
        If no plan exists, or the policy finds none.

    Examples
    --------
    >>> from mappers.placement.graph import GraphTensor, Operator
    >>> tensors = tuple(GraphTensor(name, size) for name, size in (("A", 60), ("B", 60), ("C", 60), ("D", 10)))
    >>> chain = (Operator("a", (), ("A",)), Operator("b", ("A",), ("B",)), Operator("c", ("B",), ("C",)))
    >>> graph = TensorGraph(tensors, (*chain, Operator("d", ("A", "C"), ("D",))))
    >>> answer = place_tensors(graph, 130)
    >>> answer.objective_bytes, answer.proven_optimal
    (120, True)
    """
    began, cpu = time.monotonic(), _cpu_seconds()
    _check(graph, scratchpad_bytes, schedule, policy)
    options = SolveOptions(solver, time_limit_s, stop=stop)
    budget = Budget(options.time_limit_s, stop)
    order = graph.listed_order() if schedule == "fixed" else None
    if lp_file is not None:
        _write_lp(graph, scratchpad_bytes, order, lp_file)
    _refuse_too_small(graph, scratchpad_bytes)
    found = _Found(graph, scratchpad_bytes)
    if policy == "ilp":
        _optimise(found, order, budget, solver)
    else:
        own = order if order is not None else min_peak_order(graph, budget).order
        found.offer_stays(own, POLICIES[policy].place(graph, own, scratchpad_bytes), policy)
        if order is not None:
            found.bound = least_traffic(graph, scratchpad_bytes, budget, order).bound_bytes
        else:
            _, found.bound = search_orders(graph, scratchpad_bytes, budget, found.traffic, NARROW)
    if found.plan is None or found.traffic is None:
        raise _no_plan(graph, scratchpad_bytes)
    if found.bound > found.traffic:
        raise InternalError(f"placement: bound {found.bound} exceeds the plan's {found.traffic} bytes; report this")
    stopped = "" if not budget.spent() or found.done else ("interrupt" if stop and stop() else "time limit")
    return Placement(
        policy,
        schedule,
        scratchpad_bytes,
        found.traffic,
        found.bound,
        "all plans in the listed order" if order is not None else "all plans in all orders",
        found.method,
        time.monotonic() - began,
        _cpu_seconds() - cpu,
        stopped,
        found.plan,
    )


def _optimise(found: _Found, order: tuple[int, ...] | None, budget: Budget, solver: SolverName) -> None:
    """Fill `found` with the best plan and bound."""
    graph, capacity = found.graph, found.capacity
    if order is not None:
        relaxed = [least_traffic(graph, capacity, budget, order)]
        found.bound = relaxed[0].bound_bytes
        how = "capacity search of the listed order, then packing"
    else:
        relaxed, found.bound, how = _relax(graph, capacity, budget, solver)
    best = min(plan.traffic_bytes for plan in relaxed)
    for plan in relaxed:
        if plan.traffic_bytes == best and not found.done:
            packing = pack(plan.stays, graph.sizes, capacity, budget)
            if packing.addresses is not None:
                found.offer_stays(plan.order, packing.addresses, how)
    if found.traffic == best:
        return  # the best by capacity packs: what is left is the gap of the relaxation itself
    orders = list(dict.fromkeys(plan.order for plan in relaxed))
    for number, one in enumerate(orders):
        if budget.spent():
            break
        exact = best_of_order(graph, one, capacity, budget, solver)
        if order is not None:
            found.bound = max(found.bound, exact.bound_bytes)
        if exact.addresses is not None:
            found.offer_stays(one, exact.addresses, f"exact loop over order {number + 1} of {len(orders)}")
        if found.done:
            return
    for one in orders:
        for name, policy in POLICIES.items():
            if found.plan is not None and budget.spent():
                return
            try:
                found.offer_stays(one, policy.place(graph, one, capacity), f"policy {name}")
            except InfeasibleError:
                continue
    if not budget.spent():
        _full_model(found, order, budget, solver)


def _relax(graph: TensorGraph, capacity: int, budget: Budget, solver: SolverName) -> tuple[list[SpillPlan], int, str]:
    """Return plans by capacity, best first, a bound of all orders, and how they were found."""
    orders = dict.fromkeys((min_peak_order(graph, budget).order, graph.topological))
    plans = sorted((least_traffic(graph, capacity, budget, one) for one in orders), key=_traffic)
    how = "capacity search of the order of least peak or as listed, then packing"
    if not plans[0].traffic_bytes:
        return plans, 0, how
    better, bound = search_orders(graph, capacity, budget, plans[0].traffic_bytes, NARROW)
    if better is not None:
        plans.insert(0, better)
        how = "capacity search over all orders, then packing"
    if bound < plans[0].traffic_bytes and not budget.spent():
        rolled = roll(graph, capacity, plans[0].order, budget)
        if rolled.traffic_bytes < plans[0].traffic_bytes:
            plans.insert(0, rolled)
            how = "rolling horizon (ours), then packing"
    if bound < plans[0].traffic_bytes and not budget.spent():
        bound = max(bound, traffic_bound_bytes(graph, capacity, budget, solver))
    if bound < plans[0].traffic_bytes and not budget.spent():
        better, wider = search_orders(graph, capacity, budget, plans[0].traffic_bytes, WIDE)
        if better is not None:
            plans.insert(0, better)
            how = "capacity search over all orders, then packing"
        bound = max(bound, wider)
    return plans, min(bound, plans[0].traffic_bytes), how


def _traffic(plan: SpillPlan) -> int:
    return plan.traffic_bytes


def _full_model(found: _Found, order: tuple[int, ...] | None, budget: Budget, solver: SolverName) -> None:
    """Try COSMA's full program, started from the best plan and with the bound as a cut."""
    from mappers.placement.cosma import CosmaModel, model_size
    from mappers.placement.cosma_rows import at_least

    if model_size(found.graph, order) > FULL_MODEL_VARIABLES:
        return
    program = CosmaModel(found.graph, found.capacity, order)
    at_least(program, found.bound)
    start = program.start(found.plan) if found.plan is not None else None
    solution = program.model.solve(SolveOptions(solver, max(0.1, budget.left_s), stop=budget.stop), start)
    if solution.values:
        found.offer(program.plan(solution.values), "full program")
    if solution.bound is not None:
        # traffic is a whole number of granules
        granules = -int(-(solution.bound - 1e-6) // 1)
        found.bound = max(found.bound, granules * program.granule_bytes)
    if solution.status == "infeasible":
        raise _no_plan(found.graph, found.capacity)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check(graph: TensorGraph, scratchpad_bytes: int, schedule: str, policy: str) -> None:
    if isinstance(scratchpad_bytes, bool) or not isinstance(scratchpad_bytes, int) or scratchpad_bytes < 1:
        raise InputError(f"scratchpad: {scratchpad_bytes!r} bytes, bound is >= 1; give an integer")
    if schedule not in get_args(Schedule):
        raise InputError(f"schedule '{schedule}': not known{nearest(schedule, get_args(Schedule))}; use free or fixed")
    names = ("ilp", *POLICIES)
    if policy not in names:
        raise InputError(f"policy '{policy}': not known{nearest(policy, names)}; use one of {', '.join(names)}")


def _refuse_too_small(graph: TensorGraph, capacity: int) -> None:
    """Raise the reason if some tensor or operator does not fit by itself."""
    subject = f"tensor graph '{graph.name}'"
    largest = max(graph.tensors, key=lambda tensor: tensor.size_bytes)
    widest = max(range(len(graph.operators)), key=graph.operator_bytes)
    demand = graph.operator_bytes(widest)
    levers = (f"raise --scratchpad-bytes to {demand} (M_R) or more", "split the operator into smaller ones")
    if largest.size_bytes > capacity:
        record = Infeasible(subject, f"tensor[{largest.name}]", largest.size_bytes, capacity, "bytes", levers)
        raise InfeasibleError(record)
    if demand > capacity:
        name = graph.operators[widest].name
        raise InfeasibleError(Infeasible(subject, f"operator[{name}]", demand, capacity, "bytes", levers))


def _no_plan(graph: TensorGraph, capacity: int) -> InfeasibleError:
    return InfeasibleError(
        Infeasible(
            f"tensor graph '{graph.name}'",
            "contiguous addresses",
            capacity + 1,
            capacity,
            "bytes",
            ("every operator fits, no addresses were found for all", "raise --scratchpad-bytes or --time-limit"),
        )
    )


def _write_lp(graph: TensorGraph, capacity: int, order: tuple[int, ...] | None, path: Path) -> None:
    from mappers.placement.cosma import CosmaModel, model_size

    size = model_size(graph, order)
    if size > 10 * FULL_MODEL_VARIABLES:
        raise InputError(
            f"LP file '{path}': the program has {size} variables, bound is {10 * FULL_MODEL_VARIABLES}; "
            "use --schedule fixed or a smaller graph"
        )
    if max(graph.sizes) > capacity:
        _refuse_too_small(graph, capacity)
    CosmaModel(graph, capacity, order).model.write_lp(path)


def _cpu_seconds() -> float:
    """Return the processor time of this process and of the solvers it has waited for."""
    try:
        import resource
    except ImportError:
        return time.process_time()
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )
