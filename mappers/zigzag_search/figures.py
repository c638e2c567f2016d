"""ZigZag's figures of a complete mapping from the tables of its cuts; the rules of `mappers.exchange.zigzag_latency`.

Counting a mapping this way takes a fraction of the time that the reference counting needs, because cuts are looked up.
What a search returns is counted once more by the reference (`mappers.exchange.zigzag_count`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw_models.importers.zigzag_hardware import Direction
from mappers.exchange.zigzag_latency import onloading, stall_of
from mappers.zigzag_search.tables import CutTables, Place, final_bits, partial_bits

Loop = tuple[str, int]
Point = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Loops in time, innermost first (prime factors), and for each operand the numbers of loops inside its cuts."""

    order: tuple[Loop, ...]
    cuts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Energy without the multipliers' own, and cycles without the systolic drain, of a plan that fits.

    Parameters
    ----------
    stalled_by : Place or None
        Port whose transfers set the stall.
    """

    energy_pj: float
    latency_cycles: float
    stalled_by: Place | None = None


@dataclass(slots=True)
class _Row:
    """One cut at one point, in plain numbers."""

    energy: float
    period: int
    count: int
    real: tuple[int, ...]
    active: tuple[bool, ...]
    rates: tuple[int, int]
    tile_bits: int
    whole_bits: int
    tile: int


@dataclass(frozen=True, slots=True)
class _Duty:
    """A job of a port: operand, cut, its place among the jobs of the cut, and whether it is on the upper side."""

    role: int
    cut: int
    at: int
    upper: bool
    ends: bool


class Counter:
    """Counts plans of one layer under one unrolling."""

    def __init__(self, tables: CutTables) -> None:
        self.tables, model = tables, tables.model
        self.rows: dict[tuple[int, int, Point], _Row] = {}
        self.flat: dict[tuple[int, int], Any] = {}
        self.blind = [frozenset(model.fine[role].irrelevant) for role in tables.roles]
        self.plain = [frozenset(model.fine[role].plain) for role in tables.roles]
        self.axis = {(dim, prime): at for at, (dim, prime, _) in enumerate(tables.lattice.axes)}
        self.memories = {memory.name: memory for memory in model.hardware.memories}
        self.chains = [[memory.name for memory in model.fine[role].memories] for role in tables.roles]
        self.inputs = [at for at in range(len(tables.roles)) if at != tables.output]
        self.apart = [
            [any(dim in space.irrelevant for part in space.spatial[at + 1 :] for dim, n in part if n > 1)
             for at in range(len(space.memories))]
            for space in (model.fine[role] for role in tables.roles)
        ]  # fmt: skip
        self.full = [
            [model.whole(role, at) for at in range(levels)]
            for role, levels in zip(tables.roles, tables.levels, strict=True)
        ]
        self.widths = [(partial_bits(tensor), final_bits(tensor)) for tensor in model.tensors]
        self._alone = {  # tiles of operands with a single memory
            at: round(model.coarse[role].reach([*steps, *model.coarse[role].spatial[0]])) * self.widths[at][1]
            for steps in [list(model.steps.items())]
            for at, role in enumerate(tables.roles)
        }
        self._ports()

    def _ports(self) -> None:
        """List the jobs of every port in ZigZag's order, and which ports both inputs share."""
        tables, model = self.tables, self.tables.model
        role_of = {operand: tables.roles.index(role) for role, operand in model.links.items()}
        self.ports: dict[Place, list[_Duty]] = {}
        self.width: dict[Place, int] = {}
        self.both: dict[Place, bool] = {}
        self.place_of: dict[tuple[int, int, bool], Place] = {}
        for memory in model.hardware.memories:
            for port in memory.ports:
                place, found, users = (memory.name, port.name), [], set()
                for operand in memory.operands:
                    role = role_of[operand]
                    level = self.chains[role].index(memory.name)
                    for way in dict.fromkeys(w for p in memory.ports for op, w in p.allocation if op == operand):
                        if memory.port_of(operand, way) is not port:
                            continue
                        users.add(role)
                        upper = way in ("fh", "th")
                        cut = tables.cuts.get((role, level + upper))
                        jobs = () if cut is None else (*cut.up, *cut.down)
                        at = next((n for n, job in enumerate(jobs) if job.way == way), None)
                        if at is not None:
                            ends = role != tables.output or way in ("th", "fl")
                            found.append(_Duty(role, level + upper, at, upper, ends))
                            if ends:
                                self.place_of[role, level + upper, upper] = place
                self.ports[place], self.width[place] = found, port.max_bits_per_cycle
                self.both[place] = len(users - {tables.output}) > 1

    def row(self, role: int, k: int, point: Point) -> _Row:
        """Return cut `k` of `role` at `point`."""
        key = (role, k, point)
        found = self.rows.get(key)
        if found is None:
            numbers, real, active = self._flat(role, k)
            energy, period, count, up, down, bits, whole, tile = (table.item(point) for table in numbers)
            found = _Row(
                energy, period, count,
                tuple(r.item(point) if a.item(point) else 0 for r, a in zip(real, active, strict=True)),
                tuple(a.item(point) for a in active), (up, down), bits, whole, tile,
            )  # fmt: skip
            self.rows[key] = found
        return found

    def _flat(self, role: int, k: int) -> Any:
        """Return the tables of a cut over the whole lattice: numbers, cycles of its jobs, whether those happen."""
        if (role, k) not in self.flat:
            cut, shape = self.tables.cuts[role, k], self.tables.shape
            jobs = (*cut.up, *cut.down)
            tables = (cut.energy_pj, cut.period, cut.count, cut.rate_up, cut.rate_down, cut.tile_bits, cut.whole_bits)
            self.flat[role, k] = (
                [np.broadcast_to(table, shape) for table in (*tables, cut.tile)],
                [np.broadcast_to(job.real, shape) for job in jobs],
                [np.broadcast_to(job.active, shape) for job in jobs],
            )
        return self.flat[role, k]

    def points(self, order: Sequence[Loop]) -> list[Point]:
        """Return the lattice point inside every place between two loops."""
        now = [0] * len(self.tables.lattice.axes)
        found = [tuple(now)]
        for loop in order:
            now[self.axis[loop]] += 1
            found.append(tuple(now))
        return found

    def settled(self, plan: Plan) -> Plan:
        """Return `plan` with every cut above the loops at its foot that do not index its operand."""
        cuts = []
        for role, ends in enumerate(plan.cuts):
            moved = []
            for end in ends:
                while end < len(plan.order) and plan.order[end][0] in self.blind[role]:
                    end += 1
                moved.append(end)
            cuts.append(tuple(moved))
        return Plan(plan.order, tuple(cuts))

    def count(self, plan: Plan, below: float = float("inf")) -> Figures | None:
        """Return the figures of a plan; None if a memory cannot hold its tiles.

        Parameters
        ----------
        below : float
            If the energy alone reaches it, None is returned at once.
        """
        plan = self.settled(plan)
        points = self.points(plan.order)
        rows: dict[tuple[int, int], _Row] = {}
        energy = 0.0
        for role, ends in enumerate(plan.cuts):
            if role != self.tables.output:
                foot = 0
                while foot < len(plan.order) and plan.order[foot][0] in self.blind[role]:
                    foot += 1
                rows[role, 0] = self.row(role, 0, points[foot])
            else:
                rows[role, 0] = self.row(role, 0, points[0])
            energy += rows[role, 0].energy
            for k, end in enumerate(ends, 1):
                found = rows[role, k] = self.row(role, k, points[end])
                energy += found.energy
        if energy >= below or not self._fits(plan, rows):
            return None
        return Figures(energy, *self._latency(plan, rows))

    def _fits(self, plan: Plan, rows: dict[tuple[int, int], _Row]) -> bool:
        taken: dict[str, int] = {}
        output = self.tables.output
        for role, chain in enumerate(self.chains):
            part, last = self.widths[role]
            for level, name in enumerate(chain):
                top = level == len(chain) - 1
                width = last
                if role == output:
                    inside = plan.cuts[role][level - 1] if level else 0
                    left = self.apart[role][level] or any(dim in self.blind[role] for dim, _ in plan.order[inside:])
                    width = part if left else last
                tile = self.tables.whole[role] if top else rows[role, level + 1].tile
                twice = 2 if self.memories[name].double_buffered and tile < self.full[role][level] else 1
                taken[name] = taken.get(name, 0) + tile * width * twice
        return all(bits <= self.memories[name].size_bits for name, bits in taken.items())

    def _latency(self, plan: Plan, rows: dict[tuple[int, int], _Row]) -> tuple[float, Place | None]:
        double = self._double(plan, rows)
        idle = {}
        for role, ends in enumerate(plan.cuts):
            low = 0
            for k, end in enumerate(ends, 1):
                idle[role, k] = self._top(plan.order, low, end, self.blind[role])
                low = end
        stall, worst = 0.0, None
        for place, duties in self.ports.items():
            jobs = []
            for duty in duties:
                row = rows[duty.role, duty.cut]
                if row.active[duty.at]:
                    window = row.period
                    if duty.cut and not double[duty.role, duty.cut]:
                        window //= idle[duty.role, duty.cut]
                    jobs.append((row.real[duty.at], window, row.period, row.count))
            late = stall_of(jobs) if jobs else 0.0
            if late > stall:
                stall, worst = late, place
        return self.tables.total + stall + self._ends(rows, self.tables.total + stall), worst

    @staticmethod
    def _top(order: Sequence[Loop], low: int, high: int, wanted: frozenset[str]) -> int:
        steps = 1
        while high > low and order[high - 1][0] in wanted:
            high -= 1
            steps *= order[high][1]
        return steps

    def _double(self, plan: Plan, rows: dict[tuple[int, int], _Row]) -> dict[tuple[int, int], bool]:
        """Return for each cut whether the memory inside it has room for a second tile."""
        own: dict[tuple[int, int], float] = {}
        taken: dict[str, float] = {}
        mates: dict[str, list[tuple[int, int]]] = {}
        for role, chain in enumerate(self.chains):
            low = 0
            for level, name in enumerate(chain):
                top = level == len(chain) - 1
                end = len(plan.order) if top else plan.cuts[role][level]
                bits = self.tables.whole[role] * self.widths[role][1] if top else rows[role, level + 1].tile_bits
                grown = self._top(plan.order, low, end, self.plain[role])
                own[role, level] = (bits // grown) / self.memories[name].size_bits
                mates.setdefault(name, []).append((role, level))
                low = end
        for name, places in mates.items():
            taken[name] = sum(own[place] for place in places)
        found: dict[tuple[int, int], bool] = {}
        for role, chain in enumerate(self.chains):  # the output first, as ZigZag goes
            for level, name in enumerate(chain):
                fits = taken[name] <= 0.5 or own[role, level] <= 1 - taken[name]
                if fits and taken[name] > 0.5 and len(mates[name]) > 1:
                    taken[name] += own[role, level]
                found[role, level + 1] = fits
        return found

    def _ends(self, rows: dict[tuple[int, int], _Row], run: float) -> float:
        """Return the cycles of on-loading and off-loading."""
        load: dict[tuple[int, int, bool], float] = {}
        for place, duties in self.ports.items():
            width, rate = self.width[place], 0
            once: list[tuple[float, tuple[int, int, bool], int]] = []
            for duty in duties:
                row = rows[duty.role, duty.cut]
                if not duty.ends or not row.active[duty.at]:
                    continue
                key = (duty.role, duty.cut, duty.upper)
                if row.count == 1:
                    first = rows.get((duty.role, 1))
                    least = -(-(first.whole_bits if first is not None else self._alone[duty.role]) // width)
                    once.append((float(row.real[duty.at]), key, least))
                elif row.count > 1:
                    rate += row.rates[0 if duty.upper else 1]
                    load[key] = float(row.real[duty.at])
            spare = max(0.0, (width - rate) / width * run)
            for cycles, key, least in sorted(once, key=lambda item: -item[0]):
                saved = min(max(0.0, cycles - least), spare) if spare > 0 else 0.0
                load[key] = cycles - saved
                spare -= saved
        out = self.tables.output
        offload = sum(max(load[out, k, True], load[out, k, False]) for k in range(1, self.tables.levels[out]))
        names = [str(role) for role in self.inputs]
        given: dict[tuple[str, int, Direction], tuple[float, bool]] = {}
        for role in self.inputs:
            for k in range(1, self.tables.levels[role]):
                given[str(role), k - 1, "fh"] = load[role, k, True], self.both[self.place_of[role, k, True]]
                given[str(role), k, "tl"] = load[role, k, False], self.both[self.place_of[role, k, False]]
        return onloading(names, {str(role): self.tables.levels[role] for role in self.inputs}, given) + offload
