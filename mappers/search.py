"""Exact search over the map space of one layer.

Map space: minimal ceil tiles of every dimension (`mappers.tiles`), all orders of the loops, every cut of every
tensor, every dataflow of the array. Orders and cuts are taken in classes of equal cost (`mappers.search_orders`).

Search: every tile combination whose smallest tiles fit gets a floor, a bound of its objective over all orders and
cuts. In ascending order of the floor, batches get a sharper bound (each cost term at its least over the classes that
fit), and what still may win is evaluated for all orders and cuts at once. What is left unevaluated has a bound above
the best value found.

Ties are broken by DRAM bytes, energy, compute commands, tile sizes, then the order of enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.accelerator import Accelerator, Dataflow
from mappers.cost import COST_MODEL
from mappers.legality import smallest_tile_violation
from mappers.mapping import TILED_DIMS, Certificate, Mapping, TileLoop
from mappers.problem import TileProblem
from mappers.replay import require_replay
from mappers.search_space import Best, Space
from workloads.errors import Infeasible, InputError, InternalError

MAP_SPACE = "minimal ceil tiles, all loop orders, all cuts, all dataflows"
OBJECTIVES = ("latency", "energy", "edp")
FIRST_BATCH, LARGEST_BATCH = 256, 8192


@dataclass(frozen=True, slots=True)
class Found:
    """The best tiling of one problem: the mapping without names, its certificate and its costs.

    Parameters
    ----------
    latency_cycles : int
        Lower bound of the event model's cycles for this mapping alone; the sequencing charge is not in it.
    energy_pj : float
        Energy of the counted accesses.
    dram_bytes : int
        Bytes moved over the channel, both directions.
    """

    dataflow: Dataflow
    loops: tuple[TileLoop, ...]
    cuts: tuple[tuple[str, int], ...]
    certificate: Certificate
    latency_cycles: int
    energy_pj: float
    dram_bytes: int

    def mapping(self, layer: str, core: str) -> Mapping:
        """Return the mapping of layer `layer` on core `core`."""
        return Mapping(layer, core, self.dataflow, self.loops, self.cuts, self.certificate)


_FOUND: dict[tuple[TileProblem, Accelerator, str], Found | Infeasible] = {}


def search(problem: TileProblem, accelerator: Accelerator, objective: str = "latency") -> Found | Infeasible:
    """Return the best tiling of `problem` with its certificate, or why there is none; equal problems are solved once.

    Parameters
    ----------
    objective : {"latency", "energy", "edp"}
        In cycles (latency bound plus sequencing charge), pJ, or cycles x pJ.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"layer search: objective is '{objective}', bound is {', '.join(OBJECTIVES)}; choose one")
    key = (problem, accelerator, objective)
    if key not in _FOUND:
        _FOUND[key] = _search(problem, accelerator, objective)
    return _FOUND[key]


def _search(problem: TileProblem, accelerator: Accelerator, objective: str) -> Found | Infeasible:
    flows = accelerator.core.array.dataflows
    spaces = [Space(problem, accelerator, flow, objective, rank) for rank, flow in enumerate(flows)]
    owners = [space for space in spaces if space.count]
    if not owners:
        return smallest_tile_violation(problem, accelerator)
    floors = np.concatenate([space.floor for space in owners])
    starts = np.cumsum([0, *(space.count for space in owners)])
    best: Best | None = None
    left, batch = np.arange(len(floors)), FIRST_BATCH
    while len(left):
        if len(left) > batch:  # the next batch is that of the least floors
            ranked = np.argpartition(floors[left], batch - 1)
            members, left = left[ranked[:batch]], left[ranked[batch:]]
        else:
            members, left = left, left[:0]
        members = np.sort(members)
        for index, space in enumerate(owners):
            own = members[(members >= starts[index]) & (members < starts[index + 1])] - starts[index]
            if len(own):
                best = space.improve(own, best)
        if best is not None:
            left = left[floors[left] <= best.key[0]]
        batch = min(2 * batch, LARGEST_BATCH)
    if best is None:
        raise InternalError("layer search: smallest tiles fit but no mapping was found; report this")
    return _found(problem, spaces, best, objective)


def _space_name(spaces: list[Space], thin: bool) -> str:
    """Return the name of the map space that was covered."""
    fixed = sorted({dim for space in spaces for dim in space.outermost})
    orders = f"all loop orders with {', '.join(fixed)} outermost" if fixed else "all loop orders"
    tiles = "minimal ceil tiles thinned to bound the search" if thin else "minimal ceil tiles"
    return f"{tiles}, {orders}, all cuts, all dataflows"


def _found(problem: TileProblem, spaces: list[Space], best: Best, objective: str) -> Found:
    """Return `best` with single-iteration loops left out, and its certificate."""
    size, tiles = problem.size, dict(zip(TILED_DIMS, best.tiles, strict=True))
    kept = [depth for depth, dim in enumerate(best.order) if tiles[dim] < size[dim]]
    loops = tuple(TileLoop(best.order[depth], size[best.order[depth]], tiles[best.order[depth]]) for depth in kept)
    cuts = tuple((role, sum(depth < cut for depth in kept)) for role, cut in zip("IWO", best.cuts, strict=True))
    owners = [space for space in spaces if space.count]
    thin = any(space.thinned for space in spaces)
    plans = sum(space.count * space.orders.mappings for space in owners)
    certificate = Certificate(
        cost_model=COST_MODEL,
        map_space=_space_name(owners, thin),
        objective=objective,
        value=best.key[0],
        bound=min(space.compulsory() for space in spaces) if thin else best.key[0],
        candidates=plans,
        covered=plans,
        proven_optimal=not thin,
    )
    found = Found(best.dataflow, loops, cuts, certificate, best.latency_cycles, best.energy_pj, best.dram_bytes)
    require_replay(problem, found.mapping("layer", "core"), spaces[0].cost.array, found.dram_bytes)
    return found
