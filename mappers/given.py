"""Mappings that were not searched for here: from a plan file, or written by hand. Checked, priced, never believed."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass

import numpy as np

from hw_models.accelerator import Accelerator
from mappers.cost import COST_MODEL, LayerCost
from mappers.image import IntArray
from mappers.legality import require_legal
from mappers.mapping import RELEVANT, TILED_DIMS, Certificate, Mapping
from mappers.problem import TileProblem
from mappers.replay import require_replay
from mappers.search import Found
from workloads.errors import InputError

GIVEN_SPACE = "the given mapping alone"


@dataclass(frozen=True, slots=True)
class GivenPlan:
    """What a plan file decides.

    Parameters
    ----------
    nests : mapping of str to tuple of Mapping
        Per layer that leads a group on the array: its nest, or one per phase of a transposed convolution.
    resident : mapping of str to int
        Tensors kept on chip and the half of the input scratchpad that holds them.
    """

    nests: MappingABC[str, tuple[Mapping, ...]]
    resident: MappingABC[str, int]

    def nest(self, layer: str, part: int) -> Mapping:
        """Return the mapping of part `part` of `layer`.

        Raises
        ------
        InputError
            If the plan has none.
        """
        nests = self.nests.get(layer, ())
        if part >= len(nests):
            raise InputError(f"plan: layer '{layer}' has {len(nests)} nests, {part + 1} are needed; map again")
        return nests[part]


def price(problem: TileProblem, accelerator: Accelerator, mapping: Mapping, objective: str) -> Found:
    """Return the cost of `mapping` under the search's cost model.

    A certificate of the mapping is kept if it states the value found here for the same objective; otherwise the
    mapping is its own map space and nothing is proven.

    Raises
    ------
    InputError
        If the mapping is not legal for the problem on this machine.
    """
    require_legal(problem, mapping, accelerator.core.array)
    tiles = {dim: mapping.tile(dim, problem.size[dim]) for dim in TILED_DIMS}
    cost = LayerCost(problem, accelerator, mapping.dataflow, {dim: [tile] for dim, tile in tiles.items()})
    at = {dim: np.flatnonzero(cost.axes[dim].tile == tile)[:1] for dim, tile in tiles.items()}
    costs = [
        role_cost(_index(cost, mapping, role, at), np.array([_repeats(problem, mapping, role)], dtype=np.int64))
        for role, role_cost in (("I", cost.input_cost), ("W", cost.weight_cost), ("O", cost.output_cost))
    ]
    units = int(cost.latency(cost.array_cycles(at), cost.last_job_cycles(at), *costs)[0])
    energy = float(cost.fixed_energy_pj(at)[0] + costs[0].energy_pj[0] + costs[1].energy_pj[0] + costs[2].energy_pj[0])
    moved = sum(int(part.bytes[0]) for part in costs)
    beats = sum(int(part.load_beats[0]) + int(part.store_beats[0]) for part in costs)
    cycles = (units + int(cost.charge_cycles(at)[0]) * cost.units + int(cost.bus_charge(beats))) / cost.units
    value = {"latency": cycles, "energy": energy, "edp": cycles * energy}[objective]
    stated = mapping.certificate
    if stated is None or stated.objective != objective or stated.cost_model != COST_MODEL or stated.value != value:
        stated = Certificate(COST_MODEL, GIVEN_SPACE, objective, value, value, 1, 1, proven_optimal=False)
    require_replay(problem, mapping, accelerator.core.array, moved)
    return Found(mapping.dataflow, mapping.loops, mapping.cuts, stated, -(-units // cost.units), energy, moved)


def _index(cost: LayerCost, mapping: Mapping, role: str, at: MappingABC[str, IntArray]) -> dict[str, IntArray]:
    """Return the tile that one tensor sees: the loop's outside its cut, else the whole dimension."""
    outside = {loop.dim for loop in mapping.loops[: mapping.cut(role)]}
    return {
        dim: at[dim] if dim in outside and dim in RELEVANT[role] else np.full(1, cost.axes[dim].whole, dtype=np.int64)
        for dim in TILED_DIMS
    }


def _repeats(problem: TileProblem, mapping: Mapping, role: str) -> int:
    """Return how often each tile of a tensor is brought in."""
    times, outside = 1, mapping.loops[: mapping.cut(role)]
    for depth, loop in enumerate(outside):
        moving = any(inner.trips > 1 and inner.dim in RELEVANT[role] for inner in outside[depth:])
        if loop.dim not in RELEVANT[role] and moving:
            times *= loop.trips
    return times
