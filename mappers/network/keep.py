"""Which tensors stay in the shared scratchpad, by an integer linear model: order and options fixed, streaming allowed.

COSMA's atomic operators want every operand resident. Here an operand may also stream between DRAM and core, tile by
tile, so there is a plan at any capacity. Binary variables, with the touches t0 < t1 < ... of a tensor (made, read):

* ``keep[a,i]``: a stays from touch i to touch i + 1;
* ``load[a,i]``: at read i, a is brought in whole instead of streaming (its tiles would otherwise be fetched again);
* ``store[a]``: a is written to DRAM, because some reader finds it there.

Rows: ``start`` (a tensor that is kept from a read it was not kept to is loaded there), ``once``, ``written``, and
``capacity`` per step: stays and the tiles of what streams. What is loaded has its place one step earlier, so that the
transfer runs under the computation before.

Objective ``bytes``: what crosses the DRAM channel. Objective ``cycles``: the sum over steps of the longer of the
operator's cycles and the channel's time for what moves at that step (streams, stores, loads for the next step), rows
``step``; the bytes break ties.

Capacity rows do not place tensors. Addresses are found afterwards by first fit; where that fails, the model is solved
again with less capacity. The bound is that of the full capacity, so it holds whatever the addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from mappers.network.cost import Option
from mappers.network.graph import OperatorGraph
from mappers.network.residency import Residency, Stay
from mappers.placement.addresses import first_fit, pack
from mappers.placement.budget import Budget
from mappers.placement.plan import Stay as PlacedStay
from mappers.solver import LinearModel, SolveOptions, Variable
from workloads.errors import Infeasible, InfeasibleError, InternalError

PACK_NODES = 20_000
"""Nodes of the exact search for addresses: a count, so that the answer does not depend on the machine."""
PACK_SECONDS = 600.0
TIE = 1000
"""Cycles of bus time that count as much as one cycle of the objective: bytes only break ties."""
RETRIES = 12
"""Times that the capacity of the model is reduced before placement gives up."""


@dataclass(frozen=True, slots=True)
class Touches:
    """The steps at which a tensor is made (if it is) and read, ascending."""

    tensor: str
    size_bytes: int
    steps: tuple[int, ...]
    made: bool
    must_store: bool


def touches_of(graph: OperatorGraph, order: Sequence[int]) -> tuple[Touches, ...]:
    """Return the touches of every tensor that is read, in the order of first touch."""
    found: dict[str, list[int]] = {}
    for step, index in enumerate(order):
        for name in graph.operands(graph.operators[index]):
            found.setdefault(name, []).append(step)
    made = {op.output for op in graph.operators}
    return tuple(
        Touches(name, graph.bytes_of[name], tuple(dict.fromkeys(steps)), name in made, name in graph.outputs)
        for name, steps in found.items()
    )


class KeepModel:
    """The model; `solve` returns a residency."""

    def __init__(
        self,
        graph: OperatorGraph,
        order: Sequence[int],
        options: Mapping[str, Option],
        capacity_bytes: int,
        bytes_per_cycle: Fraction | None = None,
    ) -> None:
        self.graph, self.order, self.options, self.capacity = graph, tuple(order), options, capacity_bytes
        self.bytes_per_cycle = bytes_per_cycle
        self.touches = touches_of(graph, order)
        self.model = LinearModel(f"residency of {graph.network.name}")
        self.keep: dict[tuple[str, int], Variable] = {}
        self.load: dict[tuple[str, int], Variable] = {}
        self.store: dict[str, Variable] = {}
        self.moved: list[list[tuple[float, Variable]]] = [[] for _ in order]
        self.moved_fixed = [0] * len(self.order)
        self.held: list[list[tuple[int, Variable]]] = [[] for _ in order]
        self.fixed = [0] * len(self.order)
        for touch in self.touches:
            self._variables(touch)
            self._rows(touch)
            self._bytes(touch)
        self._capacity_rows()
        self._objective()

    def _reads(self, touch: Touches) -> list[int]:
        return [i for i in range(len(touch.steps)) if i or not touch.made]

    def _variables(self, touch: Touches) -> None:
        name = touch.tensor
        for i in range(len(touch.steps) - 1):
            self.keep[name, i] = self.model.binary(f"keep[{name},{i}]")
        for i in self._reads(touch):
            self.load[name, i] = self.model.binary(f"load[{name},{i}]")
        if touch.made and not touch.must_store and len(touch.steps) > 1:
            self.store[name] = self.model.binary(f"store[{name}]")

    def _rows(self, touch: Touches) -> None:
        """Add ``start``, ``once`` and ``written``."""
        name = touch.tensor
        for i in self._reads(touch):
            before, here, after = self.keep.get((name, i - 1)), self.load[name, i], self.keep.get((name, i))
            if after is not None:
                terms = [(1.0, here), (-1.0, after)] + ([(1.0, before)] if before else [])
                self.model.row(f"start[{name},{i}]", terms, ">=", 0)
            if before is not None:
                self.model.row(f"once[{name},{i}]", [(1, before), (1, here)], "<=", 1)
                if name in self.store:
                    self.model.row(f"written[{name},{i}]", [(1, self.store[name]), (1, before)], ">=", 1)

    def _bytes(self, touch: Touches) -> None:
        """Add what the tensor moves over the channel, and what it holds at each step."""
        name, size = touch.tensor, touch.size_bytes
        for i, step in enumerate(touch.steps):
            option = self.options[self.graph.operators[self.order[step]].name]
            stage = dict(option.stage_bytes).get(name, 0)
            self.fixed[step] += stage
            before, after = self.keep.get((name, i - 1)), self.keep.get((name, i))
            if touch.made and i == 0:
                if touch.must_store:
                    self.moved_fixed[step] += size
                if after is not None:
                    self.held[step].append((size - stage, after))
                continue
            here, streamed, early = self.load[name, i], option.reads(name), self._early(touch, i)
            self.moved_fixed[step] += streamed
            self.moved[step].append((-streamed, here))
            self.moved[early].append((size, here))
            self.held[step].append((size - stage, here))
            if early < step:
                self.held[early].append((size, here))
            if before is not None:
                self.moved[step].append((-streamed, before))
                self.held[step].append((size - stage, before))
        if name in self.store:
            self.moved[touch.steps[0]].append((size, self.store[name]))
        for i in range(len(touch.steps) - 1):
            for step in range(touch.steps[i] + 1, touch.steps[i + 1]):
                self.held[step].append((size, self.keep[name, i]))

    def _early(self, touch: Touches, i: int) -> int:
        """Return the step at which what read `i` loads has its place: the one before, if that does not use it."""
        step = touch.steps[i]
        return step - 1 if step and (not i or touch.steps[i - 1] < step - 1) else step

    def _objective(self) -> None:
        moved = [term for terms in self.moved for term in terms]
        fixed = sum(self.moved_fixed)
        if self.bytes_per_cycle is None:
            self.model.minimise(moved, fixed)
            return
        rate = float(self.bytes_per_cycle)
        worst = sum(size for size, _ in moved if size > 0) + fixed
        times = []
        for step, index in enumerate(self.order):
            cycles = self.options[self.graph.operators[index].name].cycles
            time = self.model.continuous(f"time[{step}]", cycles, cycles + worst / rate)
            terms = [(rate, time), *((-size, variable) for size, variable in self.moved[step])]
            self.model.row(f"step[{step}]", terms, ">=", self.moved_fixed[step])
            times.append((1.0, time))
        small = 1 / (rate * TIE)
        self.model.minimise([*times, *((size * small, variable) for size, variable in moved)], fixed * small)

    def moved_bytes(self, values: Mapping[str, float]) -> int:
        """Return the bytes that a solution moves over the channel."""
        return round(sum(self.moved_fixed) + sum(size * values[v.name] for terms in self.moved for size, v in terms))

    def _capacity_rows(self) -> None:
        for step, terms in enumerate(self.held):
            room = self.capacity - self.fixed[step]
            if room < 0:
                name = self.graph.operators[self.order[step]].name
                raise InfeasibleError(
                    Infeasible(
                        f"operator '{name}'",
                        "capacity[shared]",
                        self.fixed[step],
                        self.capacity,
                        "bytes",
                        ("raise shared.capacity", "allow smaller tiles"),
                    )
                )
            if terms:
                self.model.row(f"capacity[{step}]", terms, "<=", room)

    def stays(self, values: Mapping[str, float]) -> list[Stay]:
        """Return the stays of a solution, without addresses (0)."""
        found = []
        for touch in self.touches:
            name, start = touch.tensor, -1
            entry_made = touch.made
            stored = name in self.store and values[self.store[name].name] > 0.5
            first = True
            for i in range(len(touch.steps)):
                kept = (name, i) in self.keep and values[self.keep[name, i].name] > 0.5
                loaded = (name, i) in self.load and values[self.load[name, i].name] > 0.5
                if start < 0 and (kept or loaded):
                    start = self._early(touch, i) if i or not touch.made else touch.steps[i]
                    entry_made = touch.made and i == 0
                if start >= 0 and not kept:
                    entry = "make" if entry_made else "load"
                    found.append(Stay(name, 0, start, touch.steps[i], entry, stored and first))  # type: ignore[arg-type]
                    start, first = -1, False
        return found

    def start(self) -> dict[str, float]:
        """Return the solution in which nothing stays."""
        values = dict.fromkeys((v.name for v in (*self.keep.values(), *self.load.values())), 0.0)
        values |= {variable.name: 1.0 for variable in self.store.values()}
        rate = self.bytes_per_cycle
        for step, index in enumerate(self.order) if rate is not None else ():
            moved = self.moved_fixed[step] + sum(size * values[v.name] for size, v in self.moved[step])
            cycles = self.options[self.graph.operators[index].name].cycles
            values[f"time[{step}]"] = max(float(cycles), moved / float(rate or 1))
        return values


def keep_tensors(
    graph: OperatorGraph,
    order: Sequence[int],
    options: Mapping[str, Option],
    capacity_bytes: int,
    bytes_per_cycle: Fraction | None = None,
    time_limit_s: float = 60.0,
) -> Residency:
    """Return the residency of least DRAM bytes, or of least cycles where the channel's `bytes_per_cycle` are given.

    Raises
    ------
    InfeasibleError
        If the tiles of one operator alone exceed the capacity.
    """
    bound: float | None = None
    objective = "bytes" if bytes_per_cycle is None else "cycles"
    room = capacity_bytes
    for _ in range(RETRIES):
        model = KeepModel(graph, order, options, room, bytes_per_cycle)
        solution = model.model.solve(SolveOptions(time_limit_s=time_limit_s), model.start())
        if solution.objective is None:
            raise InternalError(f"residency of '{graph.network.name}': no solution, though streaming all is one")
        if bound is None:
            bound = solution.bound
        stays = model.stays(solution.values)
        arena = _arena(graph, order, options, stays)
        placed, top = place(graph, stays, capacity_bytes - arena)
        if top + arena <= capacity_bytes:
            policy = "ilp" if solution.status == "optimal" else f"ilp, stopped by {solution.stopped or 'its limit'}"
            return Residency(policy, tuple(order), tuple(placed), objective, solution.objective, bound)
        room -= max(1, top + arena - capacity_bytes)
    nothing = model.model.value(model.start())
    return Residency("none, no placement found", tuple(order), (), objective, nothing, bound)


def _arena(graph: OperatorGraph, order: Sequence[int], options: Mapping[str, Option], stays: Sequence[Stay]) -> int:
    """Return the bytes that the cores' tiles take at the top of the scratchpad."""
    covered = {(stay.tensor, step) for stay in stays for step in range(stay.first, stay.last + 1)}
    need: dict[str, int] = {}
    for step, index in enumerate(order):
        option = options[graph.operators[index].name]
        staged = sum(size for name, size in option.stage_bytes if (name, step) not in covered)
        need[option.core] = max(need.get(option.core, 0), staged)
    return sum(need.values())


def place(graph: OperatorGraph, stays: Sequence[Stay], room_bytes: int) -> tuple[list[Stay], int]:
    """Return `stays` at addresses below `room_bytes` where such were found, and the end of the highest.

    First fit in several orders and an exact search (`mappers.placement.addresses`); else the lowest first fit.
    """
    names = sorted({stay.tensor for stay in stays})
    index = {name: i for i, name in enumerate(names)}
    sizes = [graph.bytes_of[name] for name in names]
    plain = {PlacedStay(index[stay.tensor], stay.first, stay.last): stay for stay in stays}
    addresses = pack(list(plain), sizes, room_bytes, Budget(PACK_SECONDS), PACK_NODES).addresses
    if addresses is None:
        orders = (
            sorted(plain, key=lambda s: (-sizes[s.tensor], s.first, s.tensor)),
            sorted(plain, key=lambda s: (s.first, -sizes[s.tensor], s.tensor)),
        )
        tops = [first_fit(order, sizes) for order in orders]
        addresses = min(tops, key=lambda found: max(at + sizes[s.tensor] for s, at in found.items()))
    placed = [replace(stay, address=addresses[key]) for key, stay in plain.items()]
    top = max((s.address + graph.bytes_of[s.tensor] for s in placed), default=0)
    return sorted(placed, key=lambda s: (s.first, s.address, s.tensor)), top
