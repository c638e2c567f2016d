"""All tile combinations of one layer under one dataflow: floors, bounds, and evaluation under every order and cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from hw_models.accelerator import Accelerator, Dataflow
from mappers.cost import LayerCost
from mappers.image import BoolArray, Index, IntArray
from mappers.mapping import TILED_DIMS
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from mappers.search_orders import CutClass, Orders, orders_of
from mappers.tiles import thinned
from mappers.traffic import FloatArray, TensorCost

MAX_COMBINATIONS = 3_000_000
MAX_FREE_LOOPS = 6
"""Loops that are permuted; of more, N and then G stand outermost (batched, grouped, three-dimensional convolutions)."""
FIRST_CHUNK = 16
CELLS = 1 << 18
"""(orders and cuts) x combinations that are evaluated at once; bounds the memory."""
FAR = 1 << 60
ROUNDING = 1 - 1e-12
"""Bounds of floating objectives are lowered by this factor: rounding must not prune the optimum."""
RoleCost = Callable[[Index, IntArray], TensorCost]
Key = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The best mapping so far; `key` orders them, objective first."""

    key: Key
    dataflow: Dataflow
    order: tuple[str, ...]
    cuts: tuple[int, int, int]
    tiles: tuple[int, ...]
    latency_cycles: int
    energy_pj: float
    dram_bytes: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Combinations under study: their tiles, times that no order changes, and each tensor's cost per class."""

    ix: dict[str, IntArray]
    array: IntArray
    last_job: IntArray
    charge: IntArray
    fixed_pj: FloatArray
    tables: tuple[TensorCost, ...]


class Space:
    """All tile combinations of one dataflow."""

    def __init__(
        self, problem: TileProblem, accelerator: Accelerator, dataflow: Dataflow, objective: str, rank: int
    ) -> None:
        self.cost = LayerCost(problem, accelerator, dataflow)
        self.problem, self.objective, self.rank = problem, objective, rank
        self.roles: tuple[RoleCost, ...] = (self.cost.input_cost, self.cost.weight_cost, self.cost.output_cost)
        self.thinned = self._thin()
        self.outermost: tuple[str, ...] = ()
        grid = self._feasible()
        self.shape, self.flat = grid.shape, np.flatnonzero(grid)
        self.count = len(self.flat)
        if self.count:
            self.orders = self._orders(grid)
            self.floor = self._floors()[grid]

    def index(self, members: IntArray | slice) -> dict[str, IntArray]:
        """Return the tiles of combinations `members`, as indices into the candidates of each dimension."""
        return dict(zip(TILED_DIMS, np.unravel_index(self.flat[members], self.shape), strict=True))

    def _thin(self) -> bool:
        """Halve the longest axes until the space is small enough; tell whether that was needed."""
        axes, done = self.cost.axes, False
        while np.prod([float(len(axis)) for axis in axes.values()]) > MAX_COMBINATIONS:
            longest = max(axes, key=lambda d: (len(axes[d]), d))
            if len(axes[longest]) <= 2:
                break
            axes[longest] = thinned(axes[longest])
            done = True
        if done:
            self.cost.draw_images()
        return done

    def _orders(self, grid: BoolArray) -> Orders:
        """Return the orders of the loops that have several iterations somewhere in the space."""
        free = []
        for axis, dim in enumerate(TILED_DIMS):
            present = grid.any(axis=tuple(other for other in range(grid.ndim) if other != axis))
            if int(self.cost.axes[dim].trips[present].max()) > 1:
                free.append(dim)
        self.outermost = tuple(free[: max(0, len(free) - MAX_FREE_LOOPS)])
        return orders_of(tuple(free[len(self.outermost) :]), self.outermost)

    def _feasible(self) -> BoolArray:
        """Return which combinations have tiles that fit, one axis per dimension."""
        axes, problem = self.cost.axes, self.problem
        tile = {d: axes[d].tile.reshape([-1 if d == e else 1 for e in TILED_DIMS]) for d in TILED_DIMS}
        outer = tile["N"] * tile["G"] * tile["K"]
        sums = outer * (tile["OD"] * tile["OY"] * tile["OX"])
        lanes = -(-tile["K"] // problem.sum_lanes) * problem.sum_lanes
        rows = tile["N"] * tile["G"] * lanes * (tile["OD"] * tile["OY"] * tile["OX"])
        grid: BoolArray = np.broadcast_to(
            rows * problem.sum_bytes <= problem.sum_slot_bytes, [len(axes[d]) for d in TILED_DIMS]
        ).copy()
        terms = CHANNEL_TERM_BYTES if problem.channel_terms else 0
        weights = tile["G"] * (self.cost.stored_bytes(tile["K"], tile["C"]) + tile["K"] * terms)
        grid &= weights <= problem.weight_slot_bytes
        if problem.input_place == "dram":
            reach = tile["N"] * tile["G"] * tile["C"] * problem.input_bytes
            for d in ("OD", "OY", "OX"):
                window = problem.window(d)
                reach = reach * np.clip((tile[d] - 1) * window.stride + window.reach, 1, window.size_in)
            grid &= reach <= problem.input_slot_bytes
        if problem.output_place == "dram":
            staged = outer
            if not problem.whole_plane:
                staged = staged * tile["OD"] * -(-tile["OY"] // problem.pool[0]) * -(-tile["OX"] // problem.pool[1])
            grid &= staged * problem.output_bytes <= problem.output_slot_bytes
        if problem.residual == "dram":
            grid &= sums * problem.output_bytes <= problem.operand_slot_bytes
        return grid

    def _floors(self) -> FloatArray:
        """Return a first bound of each combination: the array alone, the least traffic, and the charge.

        An axis per dimension: the terms are products over few dimensions each, which broadcasting forms at little cost.
        """
        cost = self.cost
        whole = {d: np.full(1, cost.axes[d].whole, dtype=np.int64) for d in TILED_DIMS}
        beats, moved_pj = self._least_traffic(whole)
        ix: Index = dict(zip(TILED_DIMS, np.ix_(*(np.arange(length) for length in self.shape)), strict=True))
        latency = np.maximum(cost.array_cycles(ix) * cost.units, beats * cost.beat_units)
        latency = latency + cost.charge_cycles(ix) * cost.units + cost.bus_charge(beats)
        if self.objective == "latency":
            floor = self.value(latency, np.zeros(1))
        else:
            floor = self.value(latency, cost.fixed_energy_pj(ix) + moved_pj) * ROUNDING
        return np.broadcast_to(floor, self.shape)

    def _least_traffic(self, whole: Index) -> tuple[int, float]:
        """Return the fewest beats and the least energy of DRAM traffic that any tile, order and cut can have."""
        problem, cost = self.problem, self.cost
        one = np.ones(1, dtype=np.int64)
        weight, output = cost.weight_cost(whole, one), cost.output_cost(whole, one)
        moved = 0
        if problem.input_place == "dram":  # gaps between tiles are not fetched, so a split axis can move less
            moved = problem.input_bytes * cost.size["G"] * cost.size["C"] * cost.size["N"]
            for dim in ("OD", "OY", "OX"):
                moved *= problem.window(dim).touched
        beats = weight.load_beats + output.load_beats + output.store_beats + -(-moved // cost.beat)
        energy_of_byte = float(cost.accelerator.dram.energy_pj_per_byte + cost.accelerator.core.input.write_pj_per_byte)
        return int(beats[0]), float(weight.energy_pj[0] + output.energy_pj[0]) + energy_of_byte * moved

    def compulsory(self) -> float:
        """Return a bound of the objective over every tile size: all MACs at full rate and each tensor moved once.

        Used where the space was thinned and the search has no proof of its own.
        """
        cost, array = self.cost, self.cost.array
        beats, moved_pj = self._least_traffic({d: np.full(1, cost.axes[d].whole, dtype=np.int64) for d in TILED_DIMS})
        cycles = max(-(-self.problem.macs // (array.pes * self.problem.kept)), beats * cost.beat_units // cost.units)
        energy = float(array.mac_pj) * self.problem.macs + moved_pj
        return float(self.value(np.array([cycles * cost.units]), np.array([energy]))[0])

    def value(self, latency: IntArray, energy: FloatArray) -> FloatArray:
        """Return the objective of a latency in bus units, charge included, and an energy in pJ."""
        if self.objective == "energy":
            return energy
        cycles: FloatArray = latency / self.cost.units
        return cycles if self.objective == "latency" else cycles * energy

    def improve(self, members: IntArray, best: Best | None) -> Best | None:
        """Return the best of `best` and of the combinations `members` over all orders and cuts."""
        ix, cost = self.index(members), self.cost
        tables = tuple(
            self._table(role, classes, ix) for role, classes in zip(self.roles, self.orders.classes, strict=True)
        )
        charge = cost.charge_cycles(ix) * cost.units
        group = _Batch(ix, cost.array_cycles(ix), cost.last_job_cycles(ix), charge, cost.fixed_energy_pj(ix), tables)
        least = [_least(table) for table in tables]
        latency = cost.latency(group.array, group.last_job, *least) + charge + cost.bus_charge(_beats(*least))
        bound = self.value(latency, group.fixed_pj + least[0].energy_pj + least[1].energy_pj + least[2].energy_pj)
        alive = np.all([cost.fits for cost in least], axis=0)
        if best is not None:
            alive &= self._below(bound, best)
        left = np.nonzero(alive)[0]
        if best is not None and self.objective != "latency":
            bound[left] = self.value(latency[left], group.fixed_pj[left] + self._least_energy(tables, left))
            left = left[self._below(bound[left], best)]
        left = left[np.argsort(bound[left], kind="stable")]
        chunk = FIRST_CHUNK if best is None else self._chunk()
        while len(left):
            best = self._evaluate(group, left[:chunk], best)
            left = left[chunk:]
            left = left[self._below(bound[left], best)] if best is not None else left
            chunk = min(4 * chunk, self._chunk())
        return best

    def _chunk(self) -> int:
        return max(1, CELLS // len(self.orders.triples))

    def _below(self, bound: FloatArray, best: Best) -> BoolArray:
        """Tell which bounds do not exceed the best value, up to the rounding of floating objectives."""
        below: BoolArray = bound * (1.0 if self.objective == "latency" else ROUNDING) <= best.key[0]
        return below

    def _least_energy(self, tables: tuple[TensorCost, ...], part: IntArray) -> FloatArray:
        """Return the least energy of DRAM traffic of combinations `part` over the orders and cuts that fit."""
        least = np.empty(len(part))
        per_class = [np.where(table.fits, table.energy_pj, np.inf) for table in tables]
        i, w, o = self.orders.triples.T
        for start in range(0, len(part), self._chunk()):
            at = part[start : start + self._chunk()]
            total = per_class[0][:, at][i]
            total += per_class[1][:, at][w]
            total += per_class[2][:, at][o]
            least[start : start + len(at)] = total.min(axis=0)
        return least

    def _table(self, role: RoleCost, classes: tuple[CutClass, ...], ix: Index) -> TensorCost:
        """Return the cost of a tensor for each class, shape (classes, combinations)."""
        axes = self.cost.axes
        outside = {d: np.array([d in seen.outside for seen in classes])[:, None] for d in TILED_DIMS}
        tiles = {d: np.where(outside[d], ix[d], axes[d].whole) for d in TILED_DIMS}
        several = {d: axes[d].trips[ix[d]] > 1 for d in TILED_DIMS}
        times = np.ones((len(classes), len(ix["K"])), dtype=np.int64)
        for row, seen in zip(times, classes, strict=True):
            for dim, between in seen.repeats:
                back = np.zeros(len(row), dtype=bool)
                for inner in between:
                    back |= several[inner]
                row *= np.where(back, axes[dim].trips[ix[dim]], 1)
        table = role(tiles, times)
        if role is not self.roles[2] or self.problem.sum_lanes == 1:
            return table
        # Commands that share held sums start at rows of the accumulator of their own.
        own_rows = ~several["K"] | (axes["K"].tile[ix["K"]] % self.problem.sum_lanes == 0)
        return replace(table, fits=table.fits & (outside["K"] | own_rows))

    def _evaluate(self, group: _Batch, part: IntArray, best: Best | None) -> Best | None:
        """Evaluate combinations `part` of `group` under every order and cut."""
        triples = self.orders.triples
        fits = np.ones((len(triples), len(part)), dtype=bool)
        for r, table in enumerate(group.tables):
            fits &= table.fits[:, part][triples[:, r]]
        which, column = np.nonzero(fits)  # the cells that are worth a look
        if not len(which):
            return best
        chosen = part[column]
        i, w, o = (_picked(table, triples[which, r], chosen, _USED[r]) for r, table in enumerate(group.tables))
        latency = self.cost.latency(group.array[chosen], group.last_job[chosen], i, w, o)
        charged = latency + group.charge[chosen] + self.cost.bus_charge(_beats(i, w, o))
        energy = np.zeros(1)
        if self.objective != "latency":
            energy = self._energy(group, which, chosen)
        value = self.value(charged, energy)
        at = np.nonzero(value == value.min())[0]
        which, chosen, least = which[at], chosen[at], float(value.min())
        energy, moved = self._energy(group, which, chosen), self._moved(group, which, chosen)
        tiles = [self.cost.axes[d].tile[group.ix[d][chosen]] for d in TILED_DIMS]
        pick = int(np.lexsort((which, *reversed(tiles), group.charge[chosen], energy, moved))[0])
        triple, sizes = int(which[pick]), tuple(int(t[pick]) for t in tiles)
        joules, cycles = float(energy[pick]), int(latency[at][pick])
        key = (
            least,
            float(moved[pick]),
            joules,
            float(group.charge[chosen[pick]]),
            *sizes,
            float(self.rank),
            float(triple),
        )
        if best is not None and best.key <= key:
            return best
        order, cuts = self.orders.witness[triple]
        cycles = -(-cycles // self.cost.units)
        return Best(key, self.cost.dataflow, order, cuts, sizes, cycles, joules, int(moved[pick]))

    def _energy(self, group: _Batch, which: IntArray, chosen: IntArray) -> FloatArray:
        """Return the energy of combinations `chosen` under triples `which`, in pJ."""
        energy = group.fixed_pj[chosen]
        for r, table in enumerate(group.tables):
            energy = energy + table.energy_pj[self.orders.triples[which, r], chosen]
        return energy

    def _moved(self, group: _Batch, which: IntArray, chosen: IntArray) -> IntArray:
        """Return the DRAM bytes of combinations `chosen` under triples `which`."""
        moved = np.zeros(len(which), dtype=np.int64)
        for r, table in enumerate(group.tables):
            moved = moved + table.bytes[self.orders.triples[which, r], chosen]
        return moved


_OPERAND = frozenset(("fits", "load_beats", "loads", "end_beats"))
_USED = (_OPERAND, _OPERAND, _OPERAND | {"store_beats", "stores", "vector_cycles", "last_vector_cycles"})
"""What the latency of each tensor's cost depends on."""
_NOTHING = np.zeros(1, dtype=np.int64)


def _picked(table: TensorCost, classes: IntArray, chosen: IntArray, used: frozenset[str]) -> TensorCost:
    """Return the fields `used` of `table` at (class, combination); the others are zero."""
    parts: list[Any] = [
        getattr(table, f.name)[classes, chosen] if f.name in used else _NOTHING for f in fields(TensorCost)
    ]
    return TensorCost(*parts)


def _beats(i: TensorCost, w: TensorCost, o: TensorCost) -> IntArray:
    """Return all beats of three tensors, both directions."""
    return i.load_beats + w.load_beats + o.load_beats + o.store_beats


def _least(table: TensorCost) -> TensorCost:
    """Return each cost term at its least over the classes that fit; a combination that none fits stays unfit."""
    parts: list[Any] = [table.fits.any(axis=0)]
    for field in fields(TensorCost)[1:]:
        values = getattr(table, field.name)
        parts.append(np.where(table.fits, values, FAR if values.dtype == np.int64 else np.inf).min(axis=0))
    for index, part in enumerate(parts[1:], start=1):  # keep sums of unfit combinations inside the range of integers
        parts[index] = np.where(parts[0], part, 0)
    return TensorCost(*parts)
