"""The joint model: per operator one mapping of its Pareto set, its core, what stays on chip, and the order, at once.

Binary variables:

* ``pick[o,m]``: operator o runs by option m (an option belongs to a core);
* ``stay[a]``: tensor a lies in the shared scratchpad from its first touch to its last, instead of streaming;
* ``first[o,p]``: o stands before p in the order (constants where the order is given or the graph fixes it);
* ``move[o,m,a]``: o runs by m and streams a; ``live[a,o]``: a lies there while o runs.

An operator takes the time of its loads (constants and sources that stay, with their first reader), and then the longer
of its option's cycles and the channel's time for what it streams and stores. Loads under the operator before are not in
the model: it plans them as waits, the execution may hide them. Operators of one core follow each other, readers their
makers,
and the run is at least as long as the channel needs for everything. ``capacity[o]`` holds what lives while o runs and
the tiles of what it streams. Energy is that of the options, of the channel and of the shared scratchpad's DMA side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations

from mappers.network.joint_problem import JointProblem
from mappers.solver import LinearModel, Variable
from workloads.errors import InputError

MAX_FREE_OPERATORS = 12
"""Operators whose order may be free: the rows that make an order transitive grow with the cube."""


class JointModel:
    """The integer linear model; see the module docstring."""

    def __init__(self, problem: JointProblem, order: Sequence[int] | None) -> None:
        self.problem, self.order = problem, order
        count = len(problem.operators)
        if order is None and count > MAX_FREE_OPERATORS:
            raise InputError(
                f"joint model: {count} operators in free order, bound is {MAX_FREE_OPERATORS}; give an order"
            )
        self.model = LinearModel("joint")
        self.place = None if order is None else {o: place for place, o in enumerate(order)}
        self.pick = [
            [self.model.binary(f"pick[{op.name},{m}]") for m in range(len(op.options))] for op in problem.operators
        ]
        self.stay = {name: self.model.binary(f"stay[{name}]") for name in problem.bytes_of}
        self.before: dict[tuple[int, int], Variable] = {}
        self.after_graph = self._closure()
        self._order_rows()
        self.streams: list[list[tuple[int, int, str, Variable]]] = []
        for o in range(count):
            self._operator(o)
        self._schedule()
        for o in range(count):
            self._capacity(o)
        self._energy_terms()

    def _closure(self) -> list[set[int]]:
        """Return, per operator, those that the graph puts before it."""
        found: list[set[int]] = []
        for op in self.problem.operators:
            makers = {self.problem.maker[name] for name in op.inputs if name in self.problem.maker}
            found.append(makers.union(*(found[maker] for maker in makers)) if makers else set())
        return found

    def precedes(self, o: int, p: int) -> int | Variable | tuple[Variable]:
        """Return whether o stands before p: 0 or 1 where known, else a variable, or (variable,) for its complement."""
        if self.place is not None:
            return int(self.place[o] < self.place[p])
        if o in self.after_graph[p]:
            return 1
        if p in self.after_graph[o]:
            return 0
        return self.before[o, p] if o < p else (self.before[p, o],)

    def _terms(self, o: int, p: int) -> tuple[list[tuple[float, Variable]], int]:
        """Return "o before p" as linear terms and a constant."""
        known = self.precedes(o, p)
        if isinstance(known, int):
            return [], known
        if isinstance(known, tuple):
            return [(-1.0, known[0])], 1
        return [(1.0, known)], 0

    def _order_rows(self) -> None:
        """Add the free pairs and make the order transitive."""
        if self.place is not None:
            return
        names = [op.name for op in self.problem.operators]
        count = len(names)
        for o in range(count):
            for p in range(o + 1, count):
                if o not in self.after_graph[p] and p not in self.after_graph[o]:
                    self.before[o, p] = self.model.binary(f"first[{names[o]},{names[p]}]")
        for o, p, q in permutations(range(count), 3):
            parts = [self._terms(o, p), self._terms(p, q), self._terms(q, o)]
            terms = [term for part, _ in parts for term in part]
            if terms:  # no cycle of three
                self.model.row(f"order[{o},{p},{q}]", terms, "<=", 2 - sum(constant for _, constant in parts))

    def _operator(self, o: int) -> None:
        """Add ``one``, and what the operator streams under each option."""
        problem, op = self.problem, self.problem.operators[o]
        self.model.row(f"one[{op.name}]", [(1.0, v) for v in self.pick[o]], "==", 1)
        found = []
        for m, option in enumerate(op.options):
            for name in (*op.inputs, op.output):
                size = problem.streamed(option, op, name)
                stage = dict(option.stage_bytes).get(name, 0)
                if size or stage:
                    move = self.model.binary(f"move[{op.name},{m},{name}]")
                    self.model.row(
                        f"moves[{op.name},{m},{name}]",
                        [(1.0, move), (-1.0, self.pick[o][m]), (1.0, self.stay[name])],
                        ">=",
                        0,
                    )
                    found.append((m, size, name, move))
        self.streams.append(found)

    def _moved(self, o: int) -> list[tuple[float, Variable]]:
        """Return the bytes that operator o moves over the channel, as terms (stores of outputs that stay included)."""
        op = self.problem.operators[o]
        terms: list[tuple[float, Variable]] = [(float(size), move) for _, size, _, move in self.streams[o]]
        for name in dict.fromkeys((*op.inputs, op.output)):
            size = self.problem.moved_when_resident(o, name)
            if size:
                terms.append((float(size), self.stay[name]))
        return terms

    def _schedule(self) -> None:
        """Add start and time of every operator, cores one at a time, makers before readers, the channel."""
        problem, model, rate = self.problem, self.model, float(self.problem.bytes_per_cycle)
        ops = problem.operators
        self.moved = [self._moved(o) for o in range(len(ops))]
        longest = [
            max(option.cycles for option in op.options) + sum(size for size, _ in self.moved[o]) / rate
            for o, op in enumerate(ops)
        ]
        horizon = float(sum(longest))
        self.horizon = horizon
        start = [model.continuous(f"start[{op.name}]", 0, horizon) for op in ops]
        spent = [model.continuous(f"time[{op.name}]", 0, longest[o]) for o, op in enumerate(ops)]
        self.latency = model.continuous("latency", 0, horizon)
        for o, op in enumerate(ops):
            cycles = [(-float(option.cycles), self.pick[o][m]) for m, option in enumerate(op.options)]
            loads = [(-float(size), self.stay[name]) for name, size in problem.loads(o)]
            scaled = [(rate * c, v) for c, v in cycles]
            model.row(f"compute[{op.name}]", [(rate, spent[o]), *scaled, *loads], ">=", 0)
            model.row(f"channel[{op.name}]", [(rate, spent[o]), *((-size, v) for size, v in self.moved[o])], ">=", 0)
            model.row(f"end[{op.name}]", [(1.0, self.latency), (-1.0, start[o]), (-1.0, spent[o])], ">=", 0)
            for name in op.inputs:
                if name in problem.maker:
                    p = problem.maker[name]
                    model.row(
                        f"after[{op.name},{name}]", [(1.0, start[o]), (-1.0, start[p]), (-1.0, spent[p])], ">=", 0
                    )
        total = [(-size, v) for terms in self.moved for size, v in terms]
        model.row("bus", [(rate, self.latency), *total], ">=", 0)
        for o, p in self._pairs():
            self._same_core(o, p, start, spent, horizon)

    def _pairs(self) -> list[tuple[int, int]]:
        """Return the pairs (o, p) that may run on one core with o before p, and that the graph does not order."""
        count = len(self.problem.operators)
        if self.order is not None and len({x.core for op in self.problem.operators for x in op.options}) == 1:
            return list(pairwise(self.order))
        pairs = [(o, p) for o in range(count) for p in range(count) if o != p]
        return [(o, p) for o, p in pairs if self.precedes(o, p) != 0 and o not in self.after_graph[p]]

    def _same_core(self, o: int, p: int, start: Sequence[Variable], spent: Sequence[Variable], horizon: float) -> None:
        """Let p start after o has ended, if o stands before p and both run on one core."""
        ops = self.problem.operators
        terms, constant = self._terms(o, p)
        for core in sorted({option.core for option in ops[o].options} & {option.core for option in ops[p].options}):
            here = [(1.0, self.pick[o][m]) for m, option in enumerate(ops[o].options) if option.core == core]
            there = [(1.0, self.pick[p][m]) for m, option in enumerate(ops[p].options) if option.core == core]
            # the row holds of itself unless o is before p and both are here
            left = [(1.0, start[p]), (-1.0, start[o]), (-1.0, spent[o])]
            left += [(-horizon * c, v) for c, v in (*terms, *here, *there)]
            self.model.row(f"core[{o},{p},{core}]", left, ">=", -horizon * (3 - constant))

    def _capacity(self, o: int) -> None:
        """Add what lives while operator o runs."""
        problem, op, model = self.problem, self.problem.operators[o], self.model
        terms: list[tuple[float, Variable]] = []
        for m, _, name, move in self.streams[o]:
            stage = dict(op.options[m].stage_bytes).get(name, 0)
            if stage:
                terms.append((float(stage), move))
        for name, size in problem.bytes_of.items():
            touches = problem.touches(name)
            if o in touches:
                terms.append((float(size), self.stay[name]))
                continue
            if self.place is not None:  # a given order says what lives
                here = self.place[o]
                if min(self.place[p] for p in touches) < here < max(self.place[p] for p in touches):
                    terms.append((float(size), self.stay[name]))
                continue
            pairs = [(p, q) for p in touches for q in touches if p != q]
            rows = []
            for p, q in pairs:
                (t1, c1), (t2, c2) = self._terms(p, o), self._terms(o, q)
                if (not t1 and not c1) or (not t2 and not c2):
                    continue  # p never before o, or q never behind it
                rows.append((p, q, [*t1, *t2], c1 + c2))
            if not rows:
                continue
            live = model.binary(f"live[{name},{op.name}]")
            for p, q, parts, constant in rows:
                # live >= stay + (p before o) + (o before q) - 2
                left = [(1.0, live), (-1.0, self.stay[name]), *((-c, v) for c, v in parts)]
                model.row(f"lives[{name},{o},{p},{q}]", left, ">=", constant - 2)
            terms.append((float(size), live))
        if terms:
            model.row(f"capacity[{op.name}]", terms, "<=", problem.capacity_bytes)

    def _energy_terms(self) -> None:
        problem = self.problem
        self.energy: list[tuple[float, Variable]] = []
        for o, op in enumerate(problem.operators):
            self.energy += [(float(option.energy_pj), self.pick[o][m]) for m, option in enumerate(op.options)]
            self.energy += [
                (float(size * problem.byte_pj(o, name)), move) for _, size, name, move in self.streams[o] if size
            ]
            for name in dict.fromkeys((*op.inputs, op.output)):
                size = problem.moved_when_resident(o, name)
                if size:
                    self.energy.append((float(size * problem.byte_pj(o, name)), self.stay[name]))

    # --- answers ----------------------------------------------------------------------------------------------------

    def read(self, values: Mapping[str, float]) -> tuple[tuple[int, ...], tuple[int, ...], frozenset[str]]:
        """Return order, options and residents of a solution."""
        count = len(self.problem.operators)
        picked = tuple(next(m for m, v in enumerate(self.pick[o]) if values[v.name] > 0.5) for o in range(count))
        resident = frozenset(name for name, v in self.stay.items() if values[v.name] > 0.5)
        if self.order is not None:
            return tuple(self.order), picked, resident
        ahead = [0] * count
        for o in range(count):
            for p in range(count):
                if o != p:
                    terms, constant = self._terms(p, o)
                    ahead[o] += round(constant + sum(c * values[v.name] for c, v in terms))
        return tuple(sorted(range(count), key=lambda o: ahead[o])), picked, resident
