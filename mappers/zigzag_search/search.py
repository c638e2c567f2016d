"""The best mapping of a layer by the figures that ZigZag itself reports, with a lower bound over all its mappings.

Map space of a fixed unrolling: every order of the prime factors of the steps in time, every cut of each operand into
its memories, as ZigZag's own mappings have them. The bound holds for all of them; see `mappers.zigzag_search.exact`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        Partial mappings of one unrolling.
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
    unrollings : int
        Unrollings that the bound covers.
    """

    unrolling: Mapping[str, tuple[tuple[str, int], ...]]
    temporal: Levels
    count: ZigZagCount
    value: float
    bound: float
    nodes: int
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
                found = np.asarray(energy) + mac_pj + 0 * np.asarray(latency)
            elif objective == "latency":
                found = np.asarray(latency) + drain + np.where(np.isfinite(energy), 0.0, np.inf)
            else:
                found = (np.asarray(energy) + mac_pj) * (np.asarray(latency) + drain)
            return found

        self.search = CutSearch(CutTables(model), value)
        self.bound = self.search.bound()

    def solve(self, effort: Effort, below: float = float("inf")) -> tuple[Plan | None, float, int]:
        """Return the best plan below a value, if any, a lower bound of all mappings, and the nodes looked into."""
        search = self.search
        outcome = search.run(effort.nodes, below)
        starts = [] if outcome.plan is None else [outcome.plan]
        closed = outcome.bound * ROUNDING >= min(outcome.value, below)
        if not closed:
            counted = [(search.counter.count(plan), plan) for plan in plain(search.counter)]
            ranked = [(search.worth(f), at, p) for at, (f, p) in enumerate(counted) if f is not None]
            starts += [plan for _, _, plan in sorted(ranked, key=lambda item: item[:2])[:1]]
        best: tuple[float, Plan | None] = (below, None)
        for start in starts:
            if not closed:
                found = descend(search.counter, start, search.worth, effort.evaluations)
            else:
                found = (search.counter.settled(start), _sure(outcome.figures))
            if found is not None and search.worth(found[1]) < best[0]:
                best = (search.worth(found[1]), found[0])
        return best[1], min(outcome.bound, best[0]), outcome.nodes


def _sure(figures: Figures | None) -> Figures:
    if figures is None:
        raise InternalError("a plan without figures; report this")
    return figures


def search_plan(
    hardware: ZigZagHardware,
    layer: ForeignProblem,
    links: Mapping[str, str],
    unrollings: Iterable[Unrolling],
    objective: str = "edp",
    effort: Effort | None = None,
) -> ZigZagPlan | Infeasible:
    """Return the best plan over `unrollings` that the effort finds.

    Parameters
    ----------
    links : mapping of role to memory operand
        As in a mapping file, ``{"I": "I1", "W": "I2", "O": "O"}``.
    unrollings : iterable of mapping of axis to (dimension, factor) pairs
        Candidates; one for a fixed spatial mapping.

    Raises
    ------
    InternalError
        If the reference counting disagrees with the figures that were searched.
    """
    given = effort or Effort()
    tasks = [Task(ZigZagModel(hardware, layer, space, links), objective) for space in unrollings]
    order = sorted(range(len(tasks)), key=lambda at: (tasks[at].bound, at))
    best: tuple[Task, Plan] | None = None
    value, bound, nodes = float("inf"), float("inf"), 0
    for at in order:
        task = tasks[at]
        if task.bound * ROUNDING >= value:
            break
        plan, own, spent = task.solve(given, value)
        bound, nodes = min(bound, own), nodes + spent
        if plan is not None:
            figures = task.search.counter.count(plan)
            value = task.search.worth(_sure(figures))
            best = (task, plan)
    if best is None:
        levers = ("give a mapping whose innermost tiles are smaller", "raise the capacity of the inner memories")
        return Infeasible(f"layer '{layer.name}' on '{hardware.name}'", "mappings that fit", 1, 0, "mappings", levers)
    return _told(best[0], best[1], value, min(bound, value), nodes, len(tasks))


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
    return ZigZagPlan(space, temporal, count, value, bound, nodes, unrollings)
