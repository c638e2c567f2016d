"""The best mapping of a layer by the figures that ZigZag itself reports, with a lower bound over all its mappings.

Map space of a fixed unrolling: every order of the prime factors of the steps in time, every cut of each operand into
its memories, as ZigZag's own mappings have them. The bound holds for all of them; see `mappers.zigzag_search.exact`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hw_models.importers.zigzag_hardware import ZigZagHardware
from mappers.exchange.zigzag_count import ZigZagCount, ZigZagModel
from mappers.exchange.zigzag_loops import Unrolling
from mappers.nests.lattice import FloatArray
from mappers.zigzag_search.descent import descend, plain
from mappers.zigzag_search.exact import ROUNDING, CutSearch
from mappers.zigzag_search.figures import Figures, Plan
from mappers.zigzag_search.tables import CutTables
from workloads.errors import Infeasible, InputError, InternalError
from workloads.importers.records import ForeignProblem

OBJECTIVES = ("edp", "energy", "latency")
Levels = dict[str, list[list[tuple[str, int]]]]


@dataclass(frozen=True)
class Effort:
    """How much is looked at; counts, so that equal input gives equal output.

    Parameters
    ----------
    nodes : int
        Partial mappings of the unrolling that is given first and of that of the least bound; of others, a third.
    evaluations : int
        Complete mappings of the descent that follows.
    """

    nodes: int = 400
    evaluations: int = 150

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.evaluations < 1:
            raise InputError(f"effort: nodes {self.nodes}, evaluations {self.evaluations}, bound is >= 1; raise them")


@dataclass(frozen=True)
class ZigZagPlan:
    """A mapping and what is known of it.

    Parameters
    ----------
    temporal : mapping of role to levels
        Loops in time of each memory, innermost first.
    count : ZigZagCount
        ZigZag's figures by the reference counting.
    value, bound : float
        Of the objective: of this mapping, and a lower bound of every mapping looked for.
    bound_by : str
        ``steps``, or the memory and port whose transfers set the stall.
    unrollings : int
        Unrollings that the bound covers.
    """

    unrolling: Mapping[str, tuple[tuple[str, int], ...]]
    temporal: Levels
    count: ZigZagCount
    value: float
    bound: float
    nodes: int
    bound_by: str
    unrollings: int = 1

    @property
    def proven_optimal(self) -> bool:
        """Value telling whether the bound meets the value."""
        return self.bound >= self.value * ROUNDING

    @property
    def gap(self) -> float:
        """Value of (value - bound) / value."""
        return max(0.0, 1 - self.bound / self.value) if self.value else 0.0


class Task:
    """One layer under one unrolling, between its bound and its search."""

    def __init__(self, model: ZigZagModel, objective: str) -> None:
        if objective not in OBJECTIVES:
            raise InputError(f"objective '{objective}' is unknown; use {', '.join(OBJECTIVES)}")
        self.model = model
        mac_pj, drain = model.mac_energy_pj, model.drain

        def value(energy: FloatArray | float, latency: FloatArray | float) -> FloatArray:
            if objective == "energy":
                found: FloatArray = np.asarray(energy) + mac_pj + np.where(np.isfinite(latency), 0.0, np.inf)
            elif objective == "latency":
                found = np.asarray(latency) + drain + np.where(np.isfinite(energy), 0.0, np.inf)
            else:
                found = (np.asarray(energy) + mac_pj) * (np.asarray(latency) + drain)
            return found

        self.search = CutSearch(CutTables(model), value)
        self.bound = self.search.bound()

    def worth(self, plan: Plan) -> float:
        """Return the value of a plan that fits."""
        figures = self.search.counter.count(plan)
        if figures is None:
            raise InternalError("zigzag search: a plan that does not fit was accepted; report this")
        return self.search.worth(figures)

    def solve(self, nodes: int, below: float, stop: Callable[[], bool]) -> tuple[Plan | None, float]:
        """Return the best plan below a value that the search meets, if any, and a lower bound of all mappings."""
        outcome = self.search.run(nodes, below, stop)
        return outcome.plan, outcome.bound

    def improve(self, plan: Plan | None, evaluations: int) -> Plan | None:
        """Return the best end of descents from `plan` and from the best plain nest; None if neither fits."""
        search = self.search
        counted = [(search.counter.count(other), other) for other in plain(search.counter)]
        ranked = sorted((search.worth(figures), at) for at, (figures, _) in enumerate(counted) if figures is not None)
        starts = [] if plan is None else [plan]
        starts += [counted[at][1] for _, at in ranked[:1]]
        best: tuple[float, Plan | None] = (float("inf"), None)
        for start in starts:
            found = descend(search.counter, start, search.worth, evaluations)
            if found is not None and search.worth(found[1]) < best[0]:
                best = (search.worth(found[1]), found[0])
        return best[1]


def search_plan(
    hardware: ZigZagHardware,
    layer: ForeignProblem,
    links: Mapping[str, str],
    unrollings: Iterable[Unrolling],
    objective: str = "edp",
    effort: Effort | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ZigZagPlan | Infeasible:
    """Return the best plan over `unrollings` that the effort finds.

    Parameters
    ----------
    links : mapping of role to memory operand
        As in a mapping file, ``{"I": "I1", "W": "I2", "O": "O"}``.
    unrollings : iterable of mapping of axis to (dimension, factor) pairs
        Candidates; one for a fixed spatial mapping.
    stop : function
        Asked between nodes; once it says so, the best plan so far is returned with its gap.

    Raises
    ------
    InternalError
        If the reference counting disagrees with the figures that were searched.
    """
    given = effort or Effort()
    tasks = [Task(ZigZagModel(hardware, layer, space, links), objective) for space in unrollings]
    ranked = sorted(tasks, key=lambda task: task.bound)
    best: tuple[float, Task, Plan] | None = None
    bound, tried = float("inf"), 0
    for task in ranked:
        value = float("inf") if best is None else best[0]
        if task.bound * ROUNDING >= value:
            break
        if best is not None and stop():
            bound = min(bound, task.bound)
            break
        tried += 1
        whole = tried == 1 or task is tasks[0]
        plan, own = task.solve(given.nodes if whole else max(1, given.nodes // 3), value, stop)
        bound = min(bound, own)
        if plan is not None:
            best = (task.worth(plan), task, plan)
    if best is None or (bound < best[0] * ROUNDING and not stop()):
        best = _improved(best, ranked[:tried], given.evaluations)
    if best is None:
        levers = ("give a mapping whose innermost tiles are smaller", "raise the capacity of the inner memories")
        return Infeasible(f"layer '{layer.name}' on '{hardware.name}'", "mappings that fit", 1, 0, "mappings", levers)
    value, task, plan = best
    nodes = sum(task.search.nodes for task in tasks)
    return _told(task, task.search.counter.settled(plan), value, min(bound, value), nodes, len(tasks))


def _improved(
    best: tuple[float, Task, Plan] | None, tasks: Sequence[Task], evaluations: int
) -> tuple[float, Task, Plan] | None:
    """Return `best` after a descent; where the search met nothing that fits, the first task in which a descent does."""
    for task in [best[1]] if best is not None else tasks:
        plan = task.improve(None if best is None else best[2], evaluations)
        if plan is not None:
            return task.worth(plan), task, plan
    return best


def _told(task: Task, plan: Plan, value: float, bound: float, nodes: int, unrollings: int) -> ZigZagPlan:
    """Return `plan` counted by the reference; stop if that is not what was searched."""
    model = task.model
    temporal: Levels = {}
    for role, cuts in zip(task.search.tables.roles, plan.cuts, strict=True):
        temporal[role] = [list(plan.order[low:high]) for low, high in pairwise((0, *cuts, len(plan.order)))]
    count = model.count(temporal)
    told = task.search.worth(Figures(count.energy_pj - model.mac_energy_pj, count.latency_cycles - count.drain_cycles))
    if not model.fits(temporal) or abs(told - value) > 1e-9 * value:
        raise InternalError(f"layer '{model.layer.name}': searched {value}, the reference counts {told}; report this")
    space = {axis: tuple(pairs) for axis, pairs in model.unrolling.items()}
    figures = task.search.counter.count(plan)
    place = None if figures is None else figures.stalled_by
    bound_by = "steps" if place is None else ".".join(place)
    return ZigZagPlan(space, temporal, count, value, bound, nodes, bound_by, unrollings)
