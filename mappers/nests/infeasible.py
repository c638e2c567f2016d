"""Why a layer has no nest on a hierarchy: which demand exceeds which bound, and the least change that helps."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from hw_models.hierarchy.tree import Level, MemoryTree
from mappers.nests.boxes import full_tile
from mappers.nests.cost import taken_bits
from mappers.nests.problem import NestProblem
from mappers.nests.spatial import Unrolling
from workloads.errors import Infeasible


def too_small(problem: NestProblem, tree: MemoryTree, uses: list[Unrolling]) -> Infeasible | None:
    """Return the level that cannot hold the smallest tiles of what it must keep, None if every level can.

    The smallest tile is one element, times what runs along the axes that the level serves. With a free choice of axes
    that is one element of each tensor; forced unrollings make it larger.
    """
    for level in tree.levels[1:]:
        demands = [demand for use in uses for demand in [_demand(problem, tree, level, use)] if demand is not None]
        if len(demands) == len(uses) and uses:
            role, needed, bound = min(demands, key=lambda item: item[1] - item[2])
            what = f"{level.name}.{role}" if role else level.name
            levers = [f"raise the capacity of '{level.name}' to {needed} bits"]
            if level.buffers == 2:
                levers.append(f"give '{level.name}' one buffer in place of two")
            if level.banks > 1:
                levers.append(f"use fewer than {level.banks} banks in '{level.name}'")
            if any(axis.forced for axis in tree.axes if axis.name in level.serves):
                levers.append(f"unroll less along {', '.join(level.serves)}")
            levers.append(f"let a tensor bypass '{level.name}' (may_keep in place of keep)")
            return Infeasible(f"layer on '{tree.name}'", f"capacity[{what}]", needed, bound, "bits", tuple(levers))
    return None


def _demand(problem: NestProblem, tree: MemoryTree, level: Level, use: Unrolling) -> tuple[str, int, int] | None:
    """Return (role or empty for shared, bits, bound) where `level` is too small under `use`."""
    served = frozenset(at for at, axis in enumerate(tree.axes) if axis.name in level.serves)
    tile = {dim: use.factor(dim, served) for dim in problem.sizes}
    own, shared = dict(level.parts_bits), Fraction(0)
    for tensor in problem.tensors:
        if tensor.role not in level.keep:
            continue
        bits = full_tile(tensor, tile, problem.fetch_padding) * tensor.stored_bits()
        taken = taken_bits(level, tensor.role, bits)
        if tensor.role in own:
            if taken > own[tensor.role]:
                return tensor.role, ceil(taken), own[tensor.role]
        else:
            shared += taken
    if level.capacity_bits is not None and shared > level.capacity_bits:
        return "", ceil(shared), level.capacity_bits
    return None


def over_limit(tree: MemoryTree, metric: str, least: float, limit: Fraction) -> Infeasible:
    """Return the answer where the best of `metric` is above its limit."""
    units = {"latency": "cycles", "energy": "pJ", "edp": "pJ x cycles", "area_delay": "area x cycles"}
    levers = (f"raise the limit on {metric} to {ceil(least)}",)
    return Infeasible(f"layer on '{tree.name}'", f"limit[{metric}]", ceil(least), int(limit), units[metric], levers)
