"""Every ceil nest of a tiny problem, one by one: the twin that the search over ceil tiles has to equal.

A nest is grown from the outside: a loop in time over any smaller tile of any dimension, a loop along an axis (each
axis runs over a dimension at most once), or the next hold of any tensor. Nothing is left out but the order of holds at
one place, which means nothing, and loops of which a tensor sees the ragged tiles in another order than written, which
the description of a nest refuses. Costs are the closed forms, which the naive interpreter holds to account elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.cost import evaluate, violation
from mappers.nests.counts import Counting
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem
from mappers.nests.views import Nest
from workloads.errors import InputError

Node = Loop | Hold


def ragged_nests(problem: NestProblem, tree: MemoryTree) -> Iterator[NestMapping]:
    """Return every nest of ceil tiles."""
    roles = [tensor.role for tensor in problem.tensors]
    depth_of = {level.name: at for at, level in enumerate(tree.levels)}

    def grow(nodes: tuple[Node, ...], tiles: dict[str, int], at: dict[str, int]) -> Iterator[NestMapping]:
        if all(tile == 1 for tile in tiles.values()) and not _owed(tree, at):
            yield NestMapping(nodes)
        for role in roles:
            last = nodes[-1]
            if (
                isinstance(last, Hold)
                and last.level != tree.levels[0].name
                and roles.index(last.role) > roles.index(role)
            ):
                continue
            for depth in range(at[role] + 1, len(tree.levels)):
                level = tree.levels[depth]
                if role in level.roles:
                    yield from grow((*nodes, Hold(level.name, role)), tiles, {**at, role: depth_of[level.name]})
                    if role in level.keep:
                        break
        for dim, size in tiles.items():
            for tile in range(1, size):
                smaller = {**tiles, dim: tile}
                yield from grow((*nodes, Loop(dim, tile)), smaller, at)
                for axis in tree.axes:
                    taken = any(isinstance(n, Loop) and n.axis == axis.name and n.dim == dim for n in nodes)
                    if not taken and _room(nodes, problem, axis.name) * -(-size // tile) <= axis.size:
                        yield from grow((*nodes, Loop(dim, tile, axis.name)), smaller, at)

    top = tuple(Hold(tree.levels[0].name, role) for role in roles)
    yield from grow(top, dict(problem.dims), dict.fromkeys(roles, 0))


def _owed(tree: MemoryTree, at: dict[str, int]) -> bool:
    return any(role in level.keep for role, depth in at.items() for level in tree.levels[depth + 1 :])


def _room(nodes: tuple[Node, ...], problem: NestProblem, axis: str) -> int:
    """Return the positions of `axis` that are taken."""
    mapping, used = NestMapping(nodes), 1
    for loop, extent in zip(mapping.loops, mapping.extents(problem), strict=True):
        if loop.axis == axis:
            used *= -(-extent // loop.tile)
    return used


def exhaustive_ragged(
    problem: NestProblem, tree: MemoryTree, counting: Counting, most: int
) -> tuple[dict[str, float], int] | None:
    """Return the least of each metric over all nests and the number of nests; None if there are more than `most`."""
    best = {"energy": float("inf"), "latency": float("inf"), "edp": float("inf")}
    listed = []
    for mapping in ragged_nests(problem, tree):
        listed.append(mapping)
        if len(listed) > most:
            return None
    for mapping in listed:
        try:
            nest = Nest(problem, tree, mapping)
            if violation(nest) is not None:
                continue
            cost = evaluate(nest, counting)
        except InputError:
            continue
        best["energy"] = min(best["energy"], float(cost.energy_pj))
        best["latency"] = min(best["latency"], float(cost.latency_cycles))
        best["edp"] = min(best["edp"], float(cost.edp))
    return best, len(listed)
