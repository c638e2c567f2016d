"""Exact search over the map space of one layer.

Map space: minimal ceil tiles of every dimension (rule in `mappers.tiles`), all orders of the loops that have more than one
iteration, every cut of every tensor, every dataflow of the array. G stands outermost: it matters to all three tensors, so
moving its loop out changes no traffic and shrinks no tile in favour of another order.

Search: for every tile combination that fits at its innermost cuts, a lower bound of the objective is computed that holds for
all orders and cuts. Combinations are then evaluated, all orders and cuts at once, in ascending order of their bound until the
next bound is no better than the best value found: everything behind it is pruned by bound, and the best value is the optimum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from hw_models.accelerator import Accelerator, Dataflow
from mappers.cost import COST_MODEL, IntArray, LayerCost, TensorCost
from mappers.mapping import TILED_DIMS, Certificate, Mapping, TileLoop
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from mappers.tiles import thinned
from workloads.errors import Infeasible

MAP_SPACE = "minimal ceil tiles, all loop orders, all cuts, all dataflows"
THINNED_SPACE = "minimal ceil tiles thinned to bound the search, all loop orders, all cuts, all dataflows"
OBJECTIVES = ("latency", "energy", "edp")
CHUNK, FIRST_BATCH, LARGEST_BATCH = 64, 2048, 65536
MAX_COMBINATIONS = 6_000_000
FloatArray = npt.NDArray[np.float64]
RoleCost = Callable[[dict[str, IntArray], Sequence[str], int], TensorCost]
Key = tuple[float, ...]
_Best = tuple[Key, int, dict[str, int], Sequence[str], tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Found:
    """The best tiling of one problem: the mapping without names, its certificate and its costs."""

    dataflow: Dataflow
    loops: tuple[TileLoop, ...]
    cuts: tuple[tuple[str, int], ...]
    certificate: Certificate
    latency_cycles: float
    energy_pj: float
    dram_bytes: int

    def mapping(self, layer: str, core: str) -> Mapping:
        """Return the mapping of layer `layer` on core `core`."""
        return Mapping(layer, core, self.dataflow, self.loops, self.cuts, self.certificate)


class _Space:
    """All tile combinations of one dataflow with their bounds."""

    def __init__(self, problem: TileProblem, accelerator: Accelerator, dataflow: Dataflow, objective: str) -> None:
        self.cost = LayerCost(problem, accelerator, dataflow)
        self.problem, self.accelerator, self.objective = problem, accelerator, objective
        self.roles: tuple[RoleCost, ...] = (self.cost.input_cost, self.cost.weight_cost, self.cost.output_cost)
        self.thinned = self._thin()
        self.ix = self._feasible()
        self.count = len(self.ix["K"])
        free = [d for d in TILED_DIMS if self.count and int(self.cost.axes[d].trips[self.ix[d]].max()) > 1]
        lead = [d for d in free if d == "G"]
        self.orders = [(*lead, *rest) for rest in permutations(d for d in free if d != "G")]
        if self.count:
            self.array = self.cost.array_cycles(self.ix)
            self.charge = self.cost.sequencing_cycles(self.ix)
            self.energy_pj = (
                np.zeros(self.count) if objective == "latency" else self.cost.fixed_energy_pj(self.ix)
            )
            self.floor = self._floors()

    def _thin(self) -> bool:
        """Halve the longest axes until the space is small enough; tell whether that was needed."""
        axes, done = self.cost.axes, False
        while np.prod([float(len(axis)) for axis in axes.values()]) > MAX_COMBINATIONS:
            longest = max(axes, key=lambda d: (len(axes[d]), d))
            axes[longest] = thinned(axes[longest])
            done = True
        return done

    def _feasible(self) -> dict[str, IntArray]:
        """Return the combinations whose smallest tiles fit, as indices per dimension."""
        axes, problem = self.cost.axes, self.problem
        tile = {d: axes[d].tile.reshape([-1 if d == e else 1 for e in TILED_DIMS]) for d in TILED_DIMS}
        sums = tile["N"] * tile["G"] * tile["K"] * tile["OD"] * tile["OY"] * tile["OX"]
        grid = np.broadcast_to(
            sums * problem.sum_bytes <= problem.sum_slot_bytes, [len(axes[d]) for d in TILED_DIMS]
        ).copy()
        terms = CHANNEL_TERM_BYTES if problem.channel_terms else 0
        weights = tile["G"] * tile["K"] * (tile["C"] * (problem.taps * problem.weight_bytes) + terms)
        grid &= weights <= problem.weight_slot_bytes
        if problem.input_place == "dram":
            reach = tile["N"] * tile["G"] * tile["C"] * problem.input_bytes
            for d in ("OD", "OY", "OX"):
                window = problem.window(d)
                reach = reach * np.clip((tile[d] - 1) * window.stride + window.reach, 1, window.size_in)
            grid &= reach <= problem.input_slot_bytes
        if problem.output_place == "dram":
            staged = tile["N"] * tile["G"] * tile["K"]
            if not problem.whole_plane:
                staged = staged * tile["OD"] * -(-tile["OY"] // problem.pool[0]) * -(-tile["OX"] // problem.pool[1])
            grid &= staged * problem.output_bytes <= problem.output_slot_bytes
        if problem.residual == "dram":
            grid &= sums * problem.output_bytes <= problem.operand_slot_bytes
        return dict(zip(TILED_DIMS, (a.astype(np.int64) for a in np.nonzero(grid)), strict=True))

    def _floors(self) -> FloatArray:
        """Return a first bound of each combination: array time or compulsory traffic, and the charge; ends left out."""
        first = {d: self.ix[d][:1] for d in TILED_DIMS}
        whole = [role(first, self.orders[0], 0) for role in self.roles]
        beats = whole[0].beats + whole[1].beats + whole[2].beats
        latency = np.maximum(self.array, self._dram_cycles(beats)) + self.charge
        moved = self.cost.moved_energy_pj(*(cost.bytes for cost in whole))
        return self._value(latency, self.energy_pj + moved)

    def bounds(self, members: IntArray) -> FloatArray:
        """Return a lower bound of the objective of combinations `members` over all orders and cuts.

        Ends are smallest with every loop outside the cuts; traffic is smallest with every tensor held whole.
        """
        ix, order = {d: self.ix[d][members] for d in TILED_DIMS}, self.orders[0]
        inner = [role(ix, order, len(order)) for role in self.roles]
        whole = [role(ix, order, 0) for role in self.roles]
        prologue, epilogue = self._ends(*inner)
        beats = whole[0].beats + whole[1].beats + whole[2].beats
        latency = np.maximum(prologue + self.array[members] + epilogue, self._dram_cycles(beats))
        latency = latency + self.charge[members]
        moved = self.cost.moved_energy_pj(*(cost.bytes for cost in whole))
        return self._value(latency, self.energy_pj[members] + moved)

    def _value(self, latency: FloatArray, energy: FloatArray) -> FloatArray:
        if self.objective == "latency":
            return latency
        return energy if self.objective == "energy" else latency * energy

    def _ends(self, i: TensorCost, w: TensorCost, o: TensorCost) -> tuple[FloatArray, FloatArray]:
        """Return prologue and epilogue, in cycles."""
        dram = self.accelerator.dram
        per_beat = float(dram.beats_cycles(1))
        prologue = (i.first_beats + w.first_beats) * per_beat + dram.latency_cycles
        tail = np.where(o.first_beats > 0, o.first_beats * per_beat + dram.latency_cycles, 0.0)
        return prologue, self.cost.timing.drain_latency_cycles + o.last_vector_cycles + tail

    def _dram_cycles(self, beats: IntArray) -> FloatArray:
        dram = self.accelerator.dram
        result: FloatArray = beats * float(dram.beats_cycles(1)) + dram.latency_cycles
        return result

    def best_of(self, members: npt.NDArray[np.int64]) -> tuple[Key, dict[str, int], Sequence[str], tuple[int, int, int]]:
        """Return the best of combinations `members` over all orders and cuts, ties broken by a fixed rule."""
        ix = {d: self.ix[d][members] for d in TILED_DIMS}
        array, charge = self.array[members], self.charge[members]
        fixed = self.energy_pj[members]
        best: tuple[Key, dict[str, int], Sequence[str], tuple[int, int, int]] | None = None
        for rank, order in enumerate(self.orders):
            depth = len(order) + 1
            costs = [[role(ix, order, cut) for cut in range(depth)] for role in self.roles]

            def stack(role: int, key: str, costs: list[list[TensorCost]] = costs, depth: int = depth) -> IntArray:
                shape = [1, 1, 1, -1]
                shape[role] = depth
                return np.stack([getattr(cost, key) for cost in costs[role]]).reshape(shape)

            fits = stack(0, "fits") & stack(1, "fits") & stack(2, "fits")
            if not fits.any():
                continue
            beats = stack(0, "beats") + stack(1, "beats") + stack(2, "beats")
            dram = self.accelerator.dram
            per_beat = float(dram.beats_cycles(1))
            prologue = (stack(0, "first_beats") + stack(1, "first_beats")) * per_beat + dram.latency_cycles
            store = stack(2, "first_beats")
            tail = np.where(store > 0, store * per_beat + dram.latency_cycles, 0.0)
            epilogue = self.cost.timing.drain_latency_cycles + stack(2, "last_vector_cycles") + tail
            latency = np.maximum(prologue + array + epilogue, self._dram_cycles(beats))
            latency = np.maximum(latency, prologue + stack(2, "vector_cycles") + tail) + charge
            energy = fixed + self.cost.moved_energy_pj(stack(0, "bytes"), stack(1, "bytes"), stack(2, "bytes"))
            value = np.where(fits, self._value(latency, energy), np.inf)
            least = value.min()
            if not np.isfinite(least) or (best is not None and least > best[0][0]):
                continue
            at = np.nonzero(value == least)
            moved = (stack(0, "bytes") + stack(1, "bytes") + stack(2, "bytes"))[at]
            joules = np.broadcast_to(energy, value.shape)[at]
            cycles = np.broadcast_to(latency, value.shape)[at]
            pick = int(np.lexsort((*reversed([at[3], at[0], at[1], at[2]]), cycles, joules, moved))[0])
            member = int(at[3][pick])
            key = (float(least), float(moved[pick]), float(joules[pick]), float(cycles[pick]), float(rank))
            if best is None or key < best[0]:
                tiles = {d: int(self.cost.axes[d].tile[ix[d][member]]) for d in TILED_DIMS}
                best = (key, tiles, order, (int(at[0][pick]), int(at[1][pick]), int(at[2][pick])))
        if best is None:  # the innermost cuts of every member fit, so some order does
            raise AssertionError("a feasible tiling was lost")
        return best


_FOUND: dict[tuple[TileProblem, str, str], Found | Infeasible] = {}


def search(problem: TileProblem, accelerator: Accelerator, objective: str = "latency") -> Found | Infeasible:
    """Return the best tiling of `problem` with its certificate, or why there is none; equal problems are solved once.

    Parameters
    ----------
    objective : {"latency", "energy", "edp"}
        In cycles, pJ, or cycles x pJ.
    """
    key = (problem, accelerator.sha256, objective)
    if key not in _FOUND:
        _FOUND[key] = _search(problem, accelerator, objective)
    return _FOUND[key]


def _search(problem: TileProblem, accelerator: Accelerator, objective: str) -> Found | Infeasible:
    spaces = [_Space(problem, accelerator, flow, objective) for flow in accelerator.core.array.dataflows]
    owners = [space for space in spaces if space.count]
    if not owners:
        return smallest_tile_violation(problem, accelerator)
    floors = np.concatenate([space.floor for space in owners])
    owner = np.concatenate([np.full(space.count, index) for index, space in enumerate(owners)])
    local = np.concatenate([np.arange(space.count) for space in owners])
    ranked = np.argsort(floors, kind="stable")
    best: _Best | None = None
    position, batch = 0, FIRST_BATCH
    while position < len(ranked) and (best is None or floors[ranked[position]] < best[0][0]):
        members = ranked[position : position + batch]
        for index, space in enumerate(owners):
            best = _improve(space, index, local[members[owner[members] == index]], best)
        position += len(members)
        batch = min(2 * batch, LARGEST_BATCH)
    assert best is not None
    return _found(problem, owners, best, objective)


def _improve(space: _Space, index: int, members: IntArray, best: _Best | None) -> _Best | None:
    """Return the best of `best` and of the combinations `members` of `space`, bound by bound."""
    if not len(members):
        return best
    bounds = space.bounds(members)
    ranked = np.argsort(bounds, kind="stable")
    position = 0
    while position < len(ranked) and (best is None or bounds[ranked[position]] < best[0][0]):
        key, tiles, order, cuts = space.best_of(members[ranked[position : position + CHUNK]])
        if best is None or key < best[0]:
            best = (key, index, tiles, order, cuts)
        position += CHUNK
    return best


def _found(
    problem: TileProblem,
    owners: list[_Space],
    best: _Best,
    objective: str,
) -> Found:
    key, index, tiles, order, cuts = best
    space = owners[index]
    size = problem.size
    kept = [depth for depth, dim in enumerate(order) if tiles[dim] < size[dim]]
    loops = tuple(TileLoop(order[depth], size[order[depth]], tiles[order[depth]]) for depth in kept)
    shifted = tuple(sum(depth < cut for depth in kept) for cut in cuts)
    thin = any(owner.thinned for owner in owners)
    plans = sum(owner.count * sum((len(order) + 1) ** 3 for order in owner.orders) for owner in owners)
    certificate = Certificate(
        cost_model=COST_MODEL,
        map_space=THINNED_SPACE if thin else MAP_SPACE,
        objective=objective,
        value=key[0],
        bound=min(float(owner.floor.min()) for owner in owners) if thin else key[0],
        candidates=plans,
        covered=plans,
        proven_optimal=not thin,
    )
    dataflow = space.cost.dataflow
    return Found(
        dataflow, loops, tuple(zip("IWO", shifted, strict=True)), certificate, key[3], key[2], int(key[1])
    )


def smallest_tile_violation(problem: TileProblem, accelerator: Accelerator) -> Infeasible:
    """Return which memory the smallest tile that the fused operations allow does not fit."""
    least = problem.smallest()
    core = accelerator.core
    outputs = problem.output_elements(least)
    demands = (
        ("input", problem.input_tile_bytes(least) if problem.input_place == "dram" else 0, problem.input_slot_bytes,
         "raise core.input.half (one output row needs its whole window)"),
        ("weight", problem.weight_tile_bytes(least), problem.weight_slot_bytes, "raise core.weight.half"),
        ("accumulator", outputs * problem.sum_bytes, problem.sum_slot_bytes, "raise core.accumulator.half"),
        ("output staging", problem.stored_elements(least) * problem.output_bytes, problem.output_slot_bytes,
         "raise core.vector.output_half"),
        ("operand staging", outputs * problem.output_bytes if problem.residual == "dram" else 0,
         problem.operand_slot_bytes, "raise core.vector.operand_half"),
    )  # fmt: skip
    for memory, demand, bound, lever in demands:
        if demand > bound:
            return Infeasible(f"smallest tile on core '{core.name}'", f"capacity[{memory}]", demand, bound, "bytes", (lever,))
    raise AssertionError("a problem without tilings whose smallest tile fits")
