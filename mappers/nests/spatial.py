"""Choices of what runs along the array axes, with divisor factors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hw_models.hierarchy.tree import ArrayAxis, MemoryTree
from mappers.nests.lattice import divisors
from mappers.nests.problem import NestProblem

AxisUse = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unrolling:
    """Factors of each axis, axes in the hierarchy's order, only factors above 1."""

    axes: tuple[AxisUse, ...]

    def factor(self, dim: str, axes: frozenset[int]) -> int:
        """Return the product of the factors of `dim` on `axes` (positions in the hierarchy's order)."""
        return prod(factor for at in axes for name, factor in self.axes[at] if name == dim)

    @property
    def used(self) -> int:
        """Value of the multipliers used."""
        return prod(factor for axis in self.axes for _, factor in axis)


def unrollings(problem: NestProblem, tree: MemoryTree) -> tuple[list[Unrolling], int]:
    """Return the choices that differ in cost, and how many choices they stand for.

    Two choices that give every level the same served factors cost the same, so that one of them is kept.
    """
    classes: dict[frozenset[str], int] = {}
    groups: list[frozenset[int]] = []
    for at, axis in enumerate(tree.axes):  # axes that the same levels serve are one place for the cost
        served = frozenset(level.name for level in tree.levels if axis.name in level.serves) | {
            f"systolic {axis.systolic}"
        }
        if axis.systolic:
            served |= {f"systolic axis {at}"}
        if served not in classes:
            classes[served] = len(groups)
            groups.append(frozenset())
        groups[classes[served]] |= {at}
    seen: dict[tuple[tuple[tuple[str, int], ...], ...], Unrolling] = {}
    total = 0

    def extend(at: int, left: dict[str, int], chosen: tuple[AxisUse, ...]) -> None:
        nonlocal total
        if at == len(tree.axes):
            total += 1
            key = tuple(
                tuple(sorted((dim, prod(dict(chosen[k]).get(dim, 1) for k in group)) for dim in problem.sizes))
                for group in groups
            )
            seen.setdefault(key, Unrolling(chosen))
            return
        for use in axis_uses(tree.axes[at], left):
            extend(at + 1, {dim: size // dict(use).get(dim, 1) for dim, size in left.items()}, (*chosen, use))

    extend(0, {dim: size for dim, size in problem.sizes.items() if size > 1}, ())
    return list(seen.values()), total


def axis_uses(axis: ArrayAxis, left: dict[str, int]) -> list[AxisUse]:
    """Return the ways to use `axis`; `left` is what remains of each dimension."""
    if axis.forced:
        given = ((dim, max(v for v in divisors(left.get(dim, 1)) if v <= factor)) for dim, factor in axis.forced)
        return [tuple((dim, factor) for dim, factor in given if factor > 1)]
    uses: list[AxisUse] = [()]
    most = axis.max_dims if axis.max_dims is not None else len(left)
    for dim, size in left.items():
        if axis.allows(dim):
            factors = [value for value in divisors(size) if 1 < value <= axis.size]
            uses += [
                (*use, (dim, factor))
                for use in uses
                if len(use) < most
                for factor in factors
                if factor * prod(f for _, f in use) <= axis.size
            ]
    if axis.min_used > 1:
        attainable = max(prod(f for _, f in use) for use in uses)
        uses = [use for use in uses if prod(f for _, f in use) >= min(axis.min_used, attainable)]
    return uses
