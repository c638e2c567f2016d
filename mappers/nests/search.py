"""The optimum over divisor tiles of one problem on one hierarchy, with its certificate.

Map space: divisor tiles at every level, every unrolling of the axes that the machine allows, every order of the
holds of all tensors (uneven cuts), every choice of keep and bypass that it allows, every loop order that changes
reuse.

Search: each unrolling that differs in cost gets a lower bound (`mappers.nests.bounds`); in ascending order of the
bound, each is searched to its end (`mappers.nests.exact`) until the next bound is not below the best value found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import ceil, comb, prod

import numpy as np

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.bounds import Costs, busy_of, ends_of, energy_of
from mappers.nests.cost import NestCost, evaluate, thinned, violation
from mappers.nests.counts import Counting
from mappers.nests.deadline import Deadline
from mappers.nests.emit import emit
from mappers.nests.exact import Counters, Deepening, Frame, Partial
from mappers.nests.graph import HoldGraph, State
from mappers.nests.infeasible import over_limit, too_small
from mappers.nests.lattice import FloatArray, factorised
from mappers.nests.mapping import NestMapping
from mappers.nests.objective import ROUNDING, Objective, limited_values
from mappers.nests.problem import NestProblem
from mappers.nests.relaxed import relaxed_energy_pj
from mappers.nests.spatial import Unrolling, unrollings
from mappers.nests.tables import GridSums, MoveTables, Place
from mappers.nests.views import Nest
from workloads.errors import Infeasible, InternalError

ONE_ORDER = ", one order of the loops between two holds where it matters for stalls alone"
DIVES = 4
"""Unrollings that are followed to one nest before any is searched."""
KEPT = 48
"""Unrollings whose tables stay in memory between bound and search."""
MAP_SPACE = "divisor tiles, all unrollings, all hold orders (uneven cuts), all bypasses, all loop orders"


@dataclass(frozen=True, slots=True)
class NestCertificate:
    """What a search proved.

    Parameters
    ----------
    map_space, counting, objective : str
        What was covered, and by which rules it was costed.
    value, bound : float
        Of the objective's first metric: of the mapping, and a lower bound over the whole space.
    mappings : int
        Size of the space: unrollings x hold orders x tiles; loop orders between two holds that change nothing are one.
    unrollings, distinct, searched : int
        Choices along the axes; of different cost; searched to the end (the others were left out by bound).
    partial, by_bound, by_dominance : int
        Partial nests extended; left out by bound; left out because another was no worse.
    """

    map_space: str
    counting: str
    objective: str
    value: float
    bound: float
    mappings: int
    unrollings: int
    distinct: int
    searched: int
    partial: int
    by_bound: int
    by_dominance: int

    @property
    def proven_optimal(self) -> bool:
        """Value telling whether the bound meets the value."""
        return self.bound >= self.value * ROUNDING

    @property
    def gap(self) -> float:
        """Value of (value - bound) / value."""
        return max(0.0, 1 - self.bound / self.value) if self.value else 0.0


@dataclass(frozen=True)
class FoundNest:
    """The best nest found, its cost and its certificate."""

    mapping: NestMapping
    cost: NestCost
    certificate: NestCertificate


@dataclass
class _Best:
    value: float = np.inf
    mapping: NestMapping | None = None
    cost: NestCost | None = None


@dataclass
class _Choice:
    """An unrolling under study."""

    use: Unrolling
    bound: float
    known: bool = False
    kept: tuple[Costs, dict[State, FloatArray]] | None = None


class NestSearch:
    """The search of one problem."""

    def __init__(
        self,
        problem: NestProblem,
        tree: MemoryTree,
        objective: Objective,
        counting: Counting,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.problem, self.tree, self.objective, self.counting, self.stop = problem, tree, objective, counting, stop
        self.graph = HoldGraph(problem, tree, counting)
        self.sums = GridSums(problem)
        self.metric = objective.metrics[0]
        self.limits = {metric: float(limit) for metric, limit in objective.limits}
        self.best = _Best()
        self.counters = Counters()
        self.places: list[Place] = []
        self.stopped, self.searched, self.open_bound = False, 0, 0.0

    def run(self) -> FoundNest | None:
        """Return the best nest, or None if no nest keeps to the limits and capacities."""
        uses, total = unrollings(self.problem, self.tree)
        self.least_pj = self._mac_pj() + relaxed_energy_pj(self.graph, self.sums)
        choices = sorted((self._first(use) for use in uses), key=lambda choice: choice.bound)
        try:
            open_bound = self._work(choices)
        except KeyboardInterrupt:  # the best so far is the answer
            if self.best.mapping is None:
                raise
            open_bound, self.stopped = self.open_bound, True
        if self.best.mapping is None or self.best.cost is None:
            return None
        broken = violation(Nest(self.problem, self.tree, self.best.mapping))
        if broken is not None:
            raise InternalError(f"nest search: a nest that does not fit was accepted ({broken}); report this")
        bound = min(self.best.value, open_bound)
        stalls = self.counting == "zigzag" and self.metric != "energy"
        certificate = NestCertificate(
            MAP_SPACE + (ONE_ORDER if stalls else ""),
            self.counting,
            ",".join(self.objective.metrics),
            self.best.value,
            bound,
            total * self._tilings(),
            total,
            len(uses),
            self.searched,
            self.counters.partial,
            self.counters.by_bound,
            self.counters.by_dominance,
        )
        return FoundNest(self.best.mapping, self.best.cost, certificate)

    def _work(self, choices: list[_Choice]) -> float:
        """Search `choices`, bounds ascending; return the least bound of what was left open, infinite for nothing."""
        dives = kept = 0
        while choices:
            choice = choices.pop(0)
            self.open_bound = choice.bound
            if choice.bound * ROUNDING >= self.best.value:
                break
            if self._late():
                self.stopped = True
                return choice.bound
            costs, energy = choice.kept or self._bound(choice)
            if not choice.known:
                choice.known = True
                if choice.bound * ROUNDING < self.best.value:
                    if dives < DIVES or self.best.mapping is None:
                        dives += 1
                        self._frame_and(costs, energy, choice, dive=True)
                    if kept < KEPT:
                        kept, choice.kept = kept + 1, (costs, energy)
                at = next((k for k, other in enumerate(choices) if other.bound > choice.bound), len(choices))
                if at:
                    choices.insert(at, choice)
                    continue
            kept, choice.kept = kept - (choice.kept is not None), None
            self._tighten(choice, costs, energy)
            if choice.bound * ROUNDING >= self.best.value:
                continue
            self.searched += 1
            if not self._frame_and(costs, energy, choice, dive=False):
                self.stopped = True
                return choice.bound
        return float(np.inf)

    def _tilings(self) -> int:
        """Return the number of hold orders with tiles, of a single unrolling (none)."""
        powers = [power for _, size in self.problem.dims for _, power in factorised(size)]
        return sum(
            count * prod(comb(power + holds, holds) for power in powers)
            for holds, count in self.graph.sequences_by_holds().items()
        )

    def _first(self, use: Unrolling) -> _Choice:
        """Return a choice with a bound from its steps and the energy of the MACs alone."""
        steps = self._steps(prod(size for _, size in self.problem.dims) // use.used)
        return _Choice(
            use, float(self._value(np.array([self.least_pj]), np.array([float(steps + self._extra(use))]))[0])
        )

    def _mac_pj(self) -> float:
        core = self.tree.multiplier
        return float(self.problem.macs * core.mac_pj * thinned(self.problem, (*core.skips, *core.gates)))

    def _steps(self, steps: int) -> int:
        return ceil(steps * thinned(self.problem, self.tree.multiplier.skips))

    def _extra(self, use: Unrolling) -> int:
        extra = self.tree.multiplier.latency_cycles
        for at, axis in enumerate(self.tree.axes):
            if axis.systolic:
                extra += prod(factor for _, factor in use.axes[at]) - 1
        return extra

    def _value(self, energy: FloatArray, latency: FloatArray) -> FloatArray:
        return limited_values(self.metric, self.limits, energy, latency, float(self.tree.area))

    def _bound(self, choice: _Choice) -> tuple[Costs, dict[State, FloatArray]]:
        """Tighten the bound of a choice; return what it came from."""
        tables = MoveTables(self.problem, self.tree, choice.use, self.counting, self.sums)
        costs = Costs(self.graph, tables)
        energy = costs.least(energy_of, True)
        self._tighten(choice, costs, energy)
        return costs, energy

    def _tighten(self, choice: _Choice, costs: Costs, energy: dict[State, FloatArray]) -> None:
        """Raise the bound of a choice to what its tables say, ports that were seen to set the latency included."""
        start, top = self.graph.start, costs.lattice.top
        least = float(energy[start][top]) + self._mac_pj()
        cycles = float(self._steps(costs.tables.steps))
        for place in self.places:
            cycles = max(cycles, float(self._least_busy(costs, place)[start][top]))
        ends = self._least_ends(costs)
        cycles = float(np.ceil(cycles - 1e-6)) + self._extra(choice.use) + (float(ends[start][top]) if ends else 0.0)
        choice.bound = max(choice.bound, float(self._value(np.array([least]), np.array([cycles])).item()))

    def _least_busy(self, costs: Costs, place: Place) -> dict[State, FloatArray]:
        if place not in costs.least_busy:
            costs.least_busy[place] = costs.least(busy_of(place), True)
        return costs.least_busy[place]

    def _frame(self, costs: Costs, energy: dict[State, FloatArray], choice: _Choice) -> Frame:
        mac = self._mac_pj()
        return Frame(
            costs,
            lambda energy, latency: self._value(energy + mac, latency),
            self._steps(costs.tables.steps),
            self._extra(choice.use),
            tuple(self.places),
            energy,
            tuple(self._least_busy(costs, place) for place in self.places),
            self._least_ends(costs),
            self.counters,
            self.graph.latched and (self.metric != "energy" or bool(self.limits)),
        )

    def _least_ends(self, costs: Costs) -> dict[State, FloatArray]:
        """Return the least cycles of loading first and unloading last tiles still to come; none under ``timeloop``."""
        if not self.graph.latched or self.metric == "energy":
            return {}
        if costs.least_ends is None:
            costs.least_ends = costs.least(ends_of, False)
        return costs.least_ends

    def _frame_and(self, costs: Costs, energy: dict[State, FloatArray], choice: _Choice, dive: bool) -> bool:
        """Dive into one unrolling or search it to its end; tell whether it was finished."""

        def finish(part: Partial) -> None:
            self._leaf(costs, part)

        while True:
            known = len(self.places)
            frame = self._frame(costs, energy, choice)
            deepening = Deepening(frame, lambda: self.best.value, finish, partial(self._halted, known))
            deepening.dive()
            if dive:
                return True
            if len(self.places) == known:
                deepening.run()
            if len(self.places) == known:
                return not deepening.cut

    def _halted(self, known: int) -> bool:
        """Tell whether to stop: time is up, or a port turned out to set the latency and has to be bounded too."""
        return self._late() or len(self.places) > known

    def _late(self) -> bool:
        """Tell whether time is up; the first nest is always waited for."""
        return self.best.mapping is not None and self.stop()

    def _leaf(self, costs: Costs, part: Partial) -> None:
        """Cost a finished nest exactly and keep it if it is better."""
        mapping = emit(costs, part)
        nest = Nest(self.problem, self.tree, mapping)
        cost = evaluate(nest, self.counting)
        value = float(self._value(np.array([float(cost.energy_pj)]), np.array([float(cost.latency_cycles)])).item())
        if cost.bound_by != "steps":
            level, port = cost.bound_by.split(".")
            if (level, port) not in self.places:
                self.places.append((level, port))
        if value < self.best.value:
            self.best = _Best(value, mapping, cost)


def search_nest(
    problem: NestProblem,
    tree: MemoryTree,
    objective: Objective | None = None,
    counting: Counting = "timeloop",
    time_limit_s: float | None = None,
    deadline: Deadline | None = None,
) -> FoundNest | Infeasible:
    """Return the best nest of `problem` on `tree` with its certificate, or why there is none.

    An interrupt (Ctrl-C) ends the search like a deadline, once there is a nest.

    Parameters
    ----------
    time_limit_s : float, optional
        CPU seconds after which the best nest so far is returned with its gap.
    deadline : Deadline, optional
        In place of a time limit; it learns of an interrupt.
    """
    goal = objective or Objective()
    clock = deadline or Deadline(time_limit_s)
    search = NestSearch(problem, tree, goal, counting, clock.late)
    found = search.run()
    if search.stopped and not clock.late():
        clock.interrupt()
    if found is None:
        return _why(problem, tree, goal, counting, clock.late)
    limits = list(goal.limits)
    for before, metric in zip(goal.metrics, goal.metrics[1:], strict=False):
        value = {"energy": found.cost.energy_pj, "latency": Fraction(found.cost.latency_cycles), "edp": found.cost.edp}
        limits.append((before, value.get(before, tree.area * found.cost.latency_cycles)))
        later = NestSearch(problem, tree, Objective((metric,), tuple(limits)), counting, clock.late)
        again = later.run()
        if again is not None:
            found = replace(again, certificate=found.certificate)
    return found


def _why(
    problem: NestProblem, tree: MemoryTree, goal: Objective, counting: Counting, stop: Callable[[], bool]
) -> Infeasible:
    """Return why there is no nest: a level too small for what it must keep, a limit, or no time to look."""
    small = too_small(problem, tree, unrollings(problem, tree)[0])
    if small is not None:
        return small
    for metric, limit in goal.limits:
        alone = NestSearch(problem, tree, Objective((metric,)), counting, stop).run()
        if alone is not None and alone.certificate.value > limit:
            return over_limit(tree, metric, alone.certificate.value, limit)
    if stop():
        longer = ("raise the time limit",)
        return Infeasible(f"layer on '{tree.name}'", "search time", 1, 0, "finished nests", longer)
    levers = ("raise the limits one at a time to see which one binds", "raise a capacity")
    return Infeasible(f"layer on '{tree.name}'", "limits and capacities together", 1, 0, "nests", levers)
