"""The joint decision about a network: mapping of its Pareto set, core, residency and order, for one objective.

The model is in `mappers.network.joint_model`. Latency and energy are linear. EDP is minimised along the front: least
energy under a falling limit of the latency, until no point below the limit can win; the bound is what is left of that
argument when it is cut short. Every answer is priced again in exact fractions (`joint_problem.evaluate`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mappers.network.joint_model import JointModel
from mappers.network.joint_problem import JointProblem, evaluate
from mappers.solver import SolveOptions, Variable
from workloads.errors import Infeasible, InfeasibleError, InputError

OBJECTIVES = ("latency", "energy", "edp")
STEP = 1e-7
"""Relative step of the latency limit along the front."""


@dataclass(frozen=True, slots=True)
class JointSolution:
    """A decision with what it costs in the model, and what is proven.

    Parameters
    ----------
    order : tuple of int
    options : tuple of int
        Per operator.
    resident : frozenset of str
    latency_cycles, energy_pj : float
    value, bound : float
        Of the objective.
    """

    order: tuple[int, ...]
    options: tuple[int, ...]
    resident: frozenset[str]
    latency_cycles: float
    energy_pj: float
    objective: str
    value: float
    bound: float
    seconds: float

    @property
    def gap(self) -> float:
        """Value of (value - bound) / value."""
        return (self.value - self.bound) / self.value if self.value else 0.0


def solve_joint(
    problem: JointProblem, objective: str = "latency", order: Sequence[int] | None = None, time_limit_s: float = 60.0
) -> JointSolution:
    """Return the best decision found with its bound; `order` None leaves the order free (small graphs).

    Raises
    ------
    InfeasibleError
        If nothing fits the capacity.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"joint model: objective is '{objective}', bound is {', '.join(OBJECTIVES)}; choose one")
    began = time.monotonic()
    made = JointModel(problem, order)
    if objective != "edp":
        terms = [(1.0, made.latency)] if objective == "latency" else made.energy
        return _single(made, problem, objective, terms, time_limit_s, began)
    return _front(made, problem, time_limit_s, began)


def _single(
    made: JointModel,
    problem: JointProblem,
    objective: str,
    terms: Sequence[tuple[float, Variable]],
    time_limit_s: float,
    began: float,
) -> JointSolution:
    made.model.minimise(terms)
    solution = made.model.solve(SolveOptions(time_limit_s=time_limit_s))
    if solution.status == "infeasible":
        raise _infeasible(problem)
    if solution.objective is None:
        raise InputError(f"joint model: no solution in {time_limit_s:g} s; raise the time limit")
    return _checked(made, problem, objective, solution.values, solution.bound, began)


def _checked(
    made: JointModel,
    problem: JointProblem,
    objective: str,
    values: Mapping[str, float],
    bound: float | None,
    began: float,
) -> JointSolution:
    """Return the solution, priced again in exact numbers apart from the model."""
    order, options, resident = made.read(values)
    found = evaluate(problem, order, options, resident)
    if found is None:
        raise InputError("joint model: its answer exceeds the capacity when checked; report this")
    latency, energy = float(found[0]), float(found[1])
    value = {"latency": latency, "energy": energy, "edp": latency * energy}[objective]
    limit = value if bound is None else min(value, bound)
    return JointSolution(order, options, resident, latency, energy, objective, value, limit, time.monotonic() - began)


def _front(made: JointModel, problem: JointProblem, time_limit_s: float, began: float) -> JointSolution:
    """Minimise latency x energy along the front; see the module docstring."""
    quickest = _single(made, problem, "latency", [(1.0, made.latency)], time_limit_s, began)
    least = quickest.bound
    best: JointSolution | None = None
    limit, floor = made.horizon, 0.0
    number = 0
    while True:
        left = time_limit_s - (time.monotonic() - began)
        made.model.row(f"limit[{number}]", [(1.0, made.latency)], "<=", limit)
        number += 1
        made.model.minimise(made.energy)
        solution = made.model.solve(SolveOptions(time_limit_s=max(left, 0.1)))
        if solution.status == "infeasible":
            floor = best.value if best is not None else floor
            break
        if solution.objective is None:
            break
        point = _checked(made, problem, "edp", solution.values, None, began)
        if best is None or point.value < best.value:
            best = point
        floor = (solution.bound or 0.0) * least  # every point not seen yet uses at least this energy
        if floor >= best.value or left <= 0:
            break
        limit = min(point.latency_cycles, limit) * (1 - STEP)
        if limit < least * (1 - STEP):
            floor = best.value
            break
    if best is None:
        return _as_edp(quickest, began)
    return JointSolution(
        *(best.order, best.options, best.resident, best.latency_cycles, best.energy_pj, "edp", best.value),
        min(best.value, floor),
        time.monotonic() - began,
    )


def _as_edp(quickest: JointSolution, began: float) -> JointSolution:
    """Return the quickest decision as the answer for EDP, with nothing proven."""
    value = quickest.latency_cycles * quickest.energy_pj
    return JointSolution(
        *(quickest.order, quickest.options, quickest.resident, quickest.latency_cycles, quickest.energy_pj),
        *("edp", value, 0.0, time.monotonic() - began),
    )


def _infeasible(problem: JointProblem) -> InfeasibleError:
    """Return why nothing fits: the operator whose smallest tiles need the most."""
    need = max(min(option.scratchpad_bytes for option in op.options) for op in problem.operators)
    return InfeasibleError(
        Infeasible("joint model", "capacity[shared]", need, problem.capacity_bytes, "bytes", ("raise shared.capacity",))
    )
