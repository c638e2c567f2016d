"""Naive twin of the layer mapper: enumerates every mapping and walks it (`tests.reference.mapper_walker`).

Nothing here uses the cost model, the tile candidates, the order classes or the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from math import prod

from hw_models.accelerator import Accelerator, PEArray
from mappers.problem import TileProblem
from tests.reference.mapper_walker import DIMS, MATTERS, Tiles, Walker, ceil


@dataclass(frozen=True)
class Answer:
    """The best mapping found, ties broken as the search states."""

    value: Fraction
    dram_bytes: int
    energy_pj: Fraction
    latency: Fraction


def allowed_tiles(problem: TileProblem, dim: str) -> list[int]:
    """Return every tile size that the fused operations allow."""
    extent = problem.size[dim]
    sizes = list(range(1, extent + 1))
    if dim == "C":
        return [t for t in sizes if t == extent or t % problem.stored_places == 0]
    if dim not in ("OD", "OY", "OX"):
        return sizes
    step = {"OY": problem.pool[0], "OX": problem.pool[1]}.get(dim, 1)
    return [t for t in sizes if t == extent or (not problem.whole_plane and t % step == 0)]


def minimal_tiles(problem: TileProblem, array: PEArray, flow: str, beat_bytes: int, dim: str) -> list[int]:
    """Return the tiles of the map space, straight from its definition."""
    extent, sizes = problem.size[dim], allowed_tiles(problem, dim)

    def parts(tile: int) -> list[int]:
        return [min(tile, extent - start) for start in range(0, extent, tile)]

    def folds(tile: int) -> int:
        lanes = {"K": array.cols}.get(dim, 1 << 60) if flow != "is" else 1 << 60
        if dim == "C" and flow != "os":
            if array.reduction_unroll == "channel":
                return sum(problem.taps * ceil(ceil(n, problem.places), array.rows) for n in parts(tile))
            return sum(ceil(ceil(n, problem.places) * problem.taps, array.rows) for n in parts(tile))
        if dim in ("N", "OD", "OY", "OX") and flow != "ws":
            lanes = array.rows if flow == "os" else array.cols
        return sum(ceil(n, lanes) for n in parts(tile))

    def torn(tile: int) -> bool:
        return dim == "K" and tile < extent and tile % problem.sum_lanes > 0

    def beats(tile: int) -> int:
        return sum(ceil(n, beat_bytes) for n in parts(tile)) if dim in ("G", "K", "C") else 0

    def beaten(tile: int) -> bool:
        return any(
            len(parts(s)) == len(parts(tile))
            and folds(s) <= folds(tile)
            and beats(s) <= beats(tile)
            and torn(s) <= torn(tile)
            for s in sizes
            if s < tile
        )

    return [t for t in sizes if not beaten(t)]


def brute_force(
    problem: TileProblem, accelerator: Accelerator, objective: str, every_tile: bool = False
) -> Answer | None:
    """Return the best of all mappings, or None if none fits.

    Parameters
    ----------
    every_tile : bool
        Try every tile size that the fused operations allow, not only those of the map space.
    """
    walker, core = Walker(problem, accelerator), accelerator.core
    best: tuple[Fraction, int, Fraction, int] | None = None
    answer = None
    for flow in core.array.dataflows:
        axes = [
            allowed_tiles(problem, d) if every_tile else minimal_tiles(problem, core.array, flow, walker.beat, d)
            for d in DIMS
        ]
        for sizes in product(*axes):
            tiles = dict(zip(DIMS, sizes, strict=True))
            if walker_overflows(problem, tiles):
                continue
            array = walker.array_time(tiles, flow)
            fixed = walker.energy(tiles, flow)
            commands = prod(ceil(problem.size[d], tiles[d]) for d in DIMS)
            issues = 4 * max(1, core.dma.issue_cycles) * commands
            free = [d for d in DIMS if tiles[d] < problem.size[d]]
            of_input = lru_cache(None)(lambda outside, t=tiles: walker.input(t, outside))
            of_weight = lru_cache(None)(lambda outside, t=tiles: walker.weight(t, outside))
            of_output = lru_cache(None)(lambda outside, t=tiles: walker.output(t, outside))
            for order in permutations(free):
                for cuts in product(range(len(order) + 1), repeat=3):
                    i, w, o = of_input(order[: cuts[0]]), of_weight(order[: cuts[1]]), of_output(order[: cuts[2]])
                    if not (i.fits and w.fits and o.fits and walker.starts_rows(tiles, order[: cuts[2]])):
                        continue
                    latency = walker.latency(flow, array, i, w, o)
                    charge = issues + walker.bus_charge(i.load_beats + w.load_beats + o.load_beats + o.store_beats)
                    energy = fixed + i.energy_pj + w.energy_pj + o.energy_pj
                    value = {
                        "latency": latency + charge,
                        "energy": energy,
                        "edp": (latency + charge) * energy,
                    }[objective]
                    key = (value, i.bytes + w.bytes + o.bytes, energy, commands)
                    if best is None or key < best:
                        best, answer = key, Answer(value, key[1], energy, latency)
    return answer


def walker_overflows(problem: TileProblem, tiles: Tiles) -> bool:
    """Tell whether the innermost tiles alone already do not fit: no order or cut can help."""
    rows = prod(tiles[d] for d in MATTERS["O"] if d != "K") * ceil(tiles["K"], problem.sum_lanes)
    return (
        rows * problem.sum_lanes * problem.sum_bytes > problem.sum_slot_bytes
        or problem.weight_tile_bytes(tiles) > problem.weight_slot_bytes
    )
