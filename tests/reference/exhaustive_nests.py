"""Every divisor nest of a tiny problem, one by one: the twin that the search has to equal.

Loops are listed as sequences of factors of the dimensions in any order, each in time or along an axis; holds stand
anywhere between them. Nests are costed by the closed forms, which the naive interpreter holds to account elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.cost import evaluate, violation
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem
from mappers.nests.views import Nest


def loop_orders(sizes: dict[str, int]) -> Iterator[tuple[tuple[str, int], ...]]:
    """Return every sequence of (dim, trips) that brings every dimension down to 1; equal neighbours are merged."""

    def extend(left: dict[str, int], last: str) -> Iterator[tuple[tuple[str, int], ...]]:
        if all(size == 1 for size in left.values()):
            yield ()
            return
        for dim, size in left.items():
            for trips in range(2, size + 1):
                if size % trips == 0:
                    for rest in extend({**left, dim: size // trips}, dim):
                        yield ((dim, trips), *rest)

    return extend(sizes, "")


def spatial_choices(problem: NestProblem, tree: MemoryTree) -> Iterator[tuple[tuple[tuple[str, int], ...], ...]]:
    """Return what each axis unrolls, every allowed way."""

    def uses(at: int, left: dict[str, int]) -> Iterator[tuple[tuple[tuple[str, int], ...], ...]]:
        if at == len(tree.axes):
            yield ()
            return
        axis = tree.axes[at]
        for factors in product(*([f for f in range(1, size + 1) if size % f == 0] for size in left.values())):
            chosen = tuple((dim, factor) for dim, factor in zip(left, factors, strict=True) if factor > 1)
            if prod(factors) > axis.size or (axis.max_dims is not None and len(chosen) > axis.max_dims):
                continue
            rest = {dim: left[dim] // factor for dim, factor in zip(left, factors, strict=True)}
            for later in uses(at + 1, rest):
                yield (chosen, *later)

    return uses(0, dict(problem.dims))


def keeps(tree: MemoryTree, role: str) -> Iterator[tuple[str, ...]]:
    """Return every choice of levels that hold `role`, the outermost left out."""
    options = [
        [(level.name,)] if role in level.keep else [(), (level.name,)] if role in level.roles else [()]
        for level in tree.levels[1:]
    ]
    for choice in product(*options):
        yield tuple(name for part in choice for name in part)


def placements(levels: tuple[str, ...], depth: int) -> Iterator[tuple[int, ...]]:
    """Return every non-decreasing choice of depths for `levels`."""
    if not levels:
        yield ()
        return
    for rest in placements(levels[1:], depth):
        for place in range((rest[0] if rest else depth) + 1):
            yield (place, *rest)


def nests(problem: NestProblem, tree: MemoryTree) -> Iterator[NestMapping]:
    """Return every nest; loops along axes stand outermost, where they are written makes no difference for divisors."""
    roles = [tensor.role for tensor in problem.tensors]
    for axes in spatial_choices(problem, tree):
        left = dict(problem.dims)
        unrolled: list[tuple[str, int, str]] = []
        for axis, use in zip(tree.axes, axes, strict=True):
            for dim, factor in use:
                left[dim] //= factor
                unrolled.append((dim, factor, axis.name))
        for order in loop_orders(left):
            for kept in product(*(list(keeps(tree, role)) for role in roles)):
                for places in product(*(list(placements(levels, len(order))) for levels in kept)):
                    yield _nest(problem, tree, roles, unrolled, order, kept, places)


def _nest(
    problem: NestProblem,
    tree: MemoryTree,
    roles: list[str],
    unrolled: list[tuple[str, int, str]],
    order: tuple[tuple[str, int], ...],
    kept: tuple[tuple[str, ...], ...],
    places: tuple[tuple[int, ...], ...],
) -> NestMapping:
    nodes: list[Loop | Hold] = [Hold(tree.levels[0].name, role) for role in roles]
    tile = dict(problem.dims)
    for dim, factor, axis in unrolled:
        tile[dim] //= factor
        nodes.append(Loop(dim, tile[dim], axis))
    for depth in range(len(order) + 1):
        for role, levels, at in zip(roles, kept, places, strict=True):
            nodes += [Hold(level, role) for level, place in zip(levels, at, strict=True) if place == depth]
        if depth < len(order):
            dim, trips = order[depth]
            tile[dim] //= trips
            nodes.append(Loop(dim, tile[dim]))
    return NestMapping(tuple(nodes))


def exhaustive(
    problem: NestProblem, tree: MemoryTree, counting: str, most: int = 10**9
) -> tuple[dict[str, float], int] | None:
    """Return the least of each metric over all nests and the number of nests; None if there are more than `most`."""
    best = {"energy": float("inf"), "latency": float("inf"), "edp": float("inf")}
    count = 0
    for mapping in nests(problem, tree):
        count += 1
        if count > most:
            return None
        nest = Nest(problem, tree, mapping)
        if violation(nest) is not None:
            continue
        cost = evaluate(nest, counting)  # type: ignore[arg-type]
        best["energy"] = min(best["energy"], float(cost.energy_pj))
        best["latency"] = min(best["latency"], float(cost.latency_cycles))
        best["edp"] = min(best["edp"], float(cost.edp))
    return best, count
