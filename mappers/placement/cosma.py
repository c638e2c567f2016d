"""COSMA's integer program (arXiv 2311.18246): sets, variables and the choice of constraint families.

One step runs one operator. For tensor a and step t the variables are ``C[a,t]`` created, ``P[a,t]`` preserved from
the step before, ``S[a,t]`` spilled to host memory, ``R[a,t]`` retrieved, ``L[a,t]`` base address, and per pair of
tensors ``u``, ``d`` above and below. ``V[a,t]`` of the paper (resident at t-1 and preserved at t) equals ``P[a,t]``
by Eq. 2, so ``P`` stands in Eq. 11. The families are in `cosma_rows`, a function each.

A variable exists only where it can be 1: from the earliest step of the tensor's operator (number of operators before
it) to the latest step of its last reader. That is also the base case: nothing is preserved, spilled or retrieved at
step 0.

Sizes and addresses are counted in granules, the greatest common divisor of all sizes: in a packing that is pushed
down every address is a sum of sizes, so nothing is lost, and small tensors no longer hide below the solver's
tolerance.

Sources (network inputs, parameters) are brought in at a step of use: their ``C`` is the compulsory fetch, free of
charge (the parameter form of Eq. 5). Host memory keeps its copy, so a source is never spilled, and retrieved at its
bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import Literal

from mappers.placement.graph import TensorGraph
from mappers.placement.plan import Plan, PlanStep
from mappers.solver import LinearModel, Variable

Goal = Literal["placement", "capacity", "peak"]
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sum:
    """A linear expression: terms and a constant."""

    terms: tuple[tuple[float, Variable], ...] = ()
    constant: float = 0.0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.terms + other.terms, self.constant + other.constant)

    def __sub__(self, other: Sum) -> Sum:
        return self + -1 * other

    def __rmul__(self, factor: float) -> Sum:
        return Sum(tuple((factor * c, v) for c, v in self.terms), factor * self.constant)


@dataclass
class CosmaModel:
    """The program of a graph.

    Parameters
    ----------
    graph : TensorGraph
    capacity_bytes : int
    order : tuple of int or None
        The fixed schedule ("FS", Eq. 16-17: C becomes data), or None for a free one.
    goal : {"placement", "capacity", "peak"}
        The full program; its relaxation in which addresses give way to a sum of bytes per step; the least peak
        (Eq. 13-15), nothing spilled.
    """

    graph: TensorGraph
    capacity_bytes: int
    order: tuple[int, ...] | None
    goal: Goal = "placement"
    model: LinearModel = field(init=False)
    C: dict[Key, Sum] = field(default_factory=dict)
    P: dict[Key, Variable] = field(default_factory=dict)
    S: dict[Key, Variable] = field(default_factory=dict)
    R: dict[Key, Variable] = field(default_factory=dict)
    L: dict[Key, Variable] = field(default_factory=dict)
    above: dict[tuple[int, int, int], Variable] = field(default_factory=dict)
    below: dict[tuple[int, int, int], Variable] = field(default_factory=dict)
    peak: Variable | None = None

    def __post_init__(self) -> None:
        from mappers.placement import cosma_rows

        self.model = LinearModel(f"cosma_{self.goal}")
        self._make_variables()
        cosma_rows.add_all(self)

    # --- sets ---------------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> range:
        """Value of the steps; one per operator."""
        return range(len(self.graph.operators))

    @cached_property
    def granule_bytes(self) -> int:
        """Value of the greatest common divisor of all sizes, in bytes."""
        return gcd(*self.graph.sizes)

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Value of each tensor's size, in granules."""
        return tuple(s // self.granule_bytes for s in self.graph.sizes)

    @property
    def capacity(self) -> int:
        """Value of the scratchpad, in whole granules."""
        return self.capacity_bytes // self.granule_bytes

    @cached_property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Value of the (earliest, latest) step of each operator."""
        if self.order is not None:
            place = {operator: t for t, operator in enumerate(self.order)}
            return tuple((place[i], place[i]) for i in self.steps)
        before = [0] * len(self.steps)
        for i in self.graph.topological:
            for j in self.graph.before[i]:
                before[i] |= before[j] | 1 << j
        after = [0] * len(self.steps)
        for i in self.steps:
            for j in self.steps:
                if before[i] >> j & 1:
                    after[j] += 1
        last = len(self.steps) - 1
        return tuple((before[i].bit_count(), last - after[i]) for i in self.steps)

    def life(self, a: int) -> tuple[int, int]:
        """Return the first and last step at which tensor `a` can be resident."""
        users = [self.windows[i] for i in self.graph.readers[a]]
        maker = self.graph.producer[a]
        own = [self.windows[maker]] if maker >= 0 else users
        return min(w[0] for w in own), max(w[1] for w in (*own, *users))

    # --- variables ----------------------------------------------------------------------------------------------------

    def _make_variables(self) -> None:
        graph, model = self.graph, self.model
        for a, tensor in enumerate(graph.tensors):
            maker, (first, last) = graph.producer[a], self.life(a)
            low, high = self.windows[maker] if maker >= 0 else (first, last)
            for t in range(low, high + 1):
                if maker >= 0 and self.order is not None:
                    self.C[a, t] = Sum((), 1.0)
                else:
                    self.C[a, t] = Sum(((1.0, model.binary(f"C[{tensor.name},{t}]")),))
            for t in range(first + 1, last + 1):
                self.P[a, t] = model.binary(f"P[{tensor.name},{t}]")
                if self.goal != "peak":
                    if maker >= 0 and t < last:
                        self.S[a, t] = model.binary(f"S[{tensor.name},{t}]")
                    if t > first + (maker >= 0):
                        self.R[a, t] = model.binary(f"R[{tensor.name},{t}]")
            if self.goal == "placement":
                for t in range(first, last + 1):
                    # Eq. 9 is the bound of L
                    self.L[a, t] = model.integer(f"L[{tensor.name},{t}]", 0, self.capacity - self.size[a])
        if self.goal == "peak":
            self.peak = model.integer("M_peak", 0, sum(self.size))

    def c(self, a: int, t: int) -> Sum:
        """Return C[a,t], 0 outside its window; likewise `p`, `s`, `r`."""
        return self.C.get((a, t), Sum())

    def p(self, a: int, t: int) -> Sum:
        return _sum(self.P.get((a, t)))

    def s(self, a: int, t: int) -> Sum:
        return _sum(self.S.get((a, t)))

    def r(self, a: int, t: int) -> Sum:
        return _sum(self.R.get((a, t)))

    def resident(self, a: int, t: int) -> Sum:
        """Return res[a,t] = C + P + R."""
        return self.c(a, t) + self.p(a, t) + self.r(a, t)

    def runs(self, operator: int, t: int) -> Sum:
        """Return 1 where `operator` runs at `t`: its first output is created."""
        return self.c(self.graph.writes[operator][0], t)

    @property
    def traffic(self) -> Sum:
        """Value of Eq. 12: granules spilled and retrieved."""
        moved = (*self.S.items(), *self.R.items())
        return Sum(tuple((float(self.size[a]), variable) for (a, _), variable in moved))

    # --- solutions ----------------------------------------------------------------------------------------------------

    def start(self, plan: Plan) -> dict[str, float]:
        """Return the values of the variables at `plan`, whose addresses must be whole granules."""
        names = [tensor.name for tensor in self.graph.tensors]
        values = dict.fromkeys(self.model.variables, 0.0)
        for t, step in enumerate(plan.steps):
            parts: tuple[tuple[str, Sequence[str]], ...] = (
                ("C", (*step.create, *step.fetch)),
                ("P", step.preserve),
                ("S", step.spill),
                ("R", step.retrieve),
            )
            for letter, members in parts:
                for name in members:
                    if f"{letter}[{name},{t}]" in values:
                        values[f"{letter}[{name},{t}]"] = 1.0
            for name, address in step.addresses.items():
                if f"L[{name},{t}]" in values:
                    values[f"L[{name},{t}]"] = float(address // self.granule_bytes)
            for (a, b, at), variable in self.above.items():
                if at == t and names[a] in step.addresses and names[b] in step.addresses:
                    higher = step.addresses[names[a]] > step.addresses[names[b]]
                    values[variable.name] = float(higher)
                    values[self.below[a, b, at].name] = float(not higher)
        if self.peak is not None:
            size = {tensor.name: n for tensor, n in zip(self.graph.tensors, self.size, strict=True)}
            values["M_peak"] = float(max(sum(size[name] for name in step.addresses) for step in plan.steps))
        return values

    def plan(self, values: Mapping[str, float]) -> Plan:
        """Return the plan that `values` state (goal "placement")."""
        graph, names = self.graph, [tensor.name for tensor in self.graph.tensors]

        def on(variables: Mapping[Key, Variable], t: int) -> list[int]:
            return [a for (a, at), v in variables.items() if at == t and values[v.name] > 0.5]

        steps = []
        for t in self.steps:
            made = [
                a
                for (a, at), c in self.C.items()
                if at == t and c.constant + sum(values[v.name] for _, v in c.terms) > 0.5
            ]
            kept, back = on(self.P, t), on(self.R, t)
            operator = next(i for i in self.steps if graph.writes[i][0] in made)
            steps.append(
                PlanStep(
                    graph.operators[operator].name,
                    tuple(names[a] for a in made if graph.producer[a] >= 0),
                    tuple(names[a] for a in made if graph.producer[a] < 0),
                    tuple(names[a] for a in kept),
                    tuple(names[a] for a in back),
                    tuple(names[a] for a in on(self.S, t)),
                    {
                        names[a]: round(values[self.L[a, t].name]) * self.granule_bytes
                        for a in sorted({*made, *kept, *back})
                    },
                )
            )
        return Plan(self.capacity_bytes, tuple(steps))


def _sum(variable: Variable | None) -> Sum:
    return Sum() if variable is None else Sum(((1.0, variable),))


def model_size(graph: TensorGraph, order: tuple[int, ...] | None) -> int:
    """Return about how many variables the full program has, without making it."""
    shell = object.__new__(CosmaModel)
    shell.graph, shell.order = graph, order
    lives = [shell.life(a) for a in range(len(graph.tensors))]
    count = 5 * sum(last - first + 1 for first, last in lives)
    # pairs resident at one step: u and d each
    alive = [0] * (len(graph.operators) + 1)
    for first, last in lives:
        for t in range(first, last + 1):
            alive[t] += 1
    return count + sum(n * (n - 1) for n in alive)
