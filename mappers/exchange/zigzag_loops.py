"""A ZigZag mapping in the form its counting works on: loops per operand and level, spatial shares, tile sizes.

An operand sees, from the inside out, the array positions one instance of its innermost memory joins, that memory's
loops in time, the positions that the next memory joins, and so on. Where a dimension is no multiple of its unrolling,
ZigZag divides: 7 over 4 positions is 3.5 in each of two steps for energy, and the whole part (3) for latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, gcd, prod

from hw_models.importers.zigzag_hardware import ZigZagHardware, ZigZagMemory
from workloads.errors import InputError
from workloads.importers.records import ForeignProblem, ForeignTensor

Share = int | Fraction
Loops = tuple[tuple[str, Share], ...]
Unrolling = Mapping[str, Sequence[tuple[str, int]]]
Temporal = Mapping[str, Sequence[Sequence[tuple[str, int]]]]


def shares(layer: ForeignProblem, unrolling: Unrolling, exact: bool) -> dict[str, Loops]:
    """Return the unrolling of each axis as ZigZag counts it.

    Of a dimension on several axes only the first axis with its largest factor is adjusted to the layer.

    Parameters
    ----------
    exact : bool
        True: shares that divide the dimension, possibly broken; False: their whole part.
    """
    sizes = dict(layer.dims)
    found: dict[str, Loops] = {}
    for axis, pairs in unrolling.items():
        loops: list[tuple[str, Share]] = []
        for dim, given in pairs:
            if dim not in sizes:
                continue
            factor = min(given, sizes[dim])
            most = max(dict(other).get(dim, 0) for other in unrolling.values())
            first = next(name for name, other in unrolling.items() if dict(other).get(dim, 0) == most)
            share: Share = factor
            if axis == first:
                before = prod((x for done in found.values() for d, x in done if d == dim), start=Fraction(1))
                share = Fraction(sizes[dim], ceil(sizes[dim] / (factor * before))) / before
                share = floor(share) if not exact or share.denominator == 1 else share
            loops.append((dim, share))
        if loops:
            found[axis] = tuple(loops)
    return found


@dataclass(frozen=True)
class OperandSpace:
    """What one operand sees of the array: all of a mapping but its loops in time.

    Parameters
    ----------
    memories : tuple of ZigZagMemory
        Those that hold it, innermost first.
    spatial : tuple of Loops
        Positions joined at the multipliers, at each memory, and what is left at the end: one more than memories.
    """

    tensor: ForeignTensor
    operand: str
    memories: tuple[ZigZagMemory, ...]
    spatial: tuple[Loops, ...]
    sizes: Mapping[str, int]

    @cached_property
    def plain(self) -> frozenset[str]:
        """Value of the dimensions that index the operand alone along an axis."""
        return frozenset(axis.terms[0][1] for axis in self.tensor.axes if len(axis.terms) == 1)

    @cached_property
    def joint(self) -> tuple[tuple[int, str, int, str, int], ...]:
        """Value of (coefficient, dimension, coefficient, dimension, real size) of axes with two dimensions."""
        pairs = [axis for axis in self.tensor.axes if len(axis.terms) > 1]
        return tuple((*axis.terms[0], *axis.terms[1], axis.size) for axis in pairs)

    @cached_property
    def irrelevant(self) -> frozenset[str]:
        """Value of the dimensions that do not index the operand; those of size 1 count as neither."""
        return frozenset(dim for dim, size in self.sizes.items() if size != 1) - self.tensor.relevant

    @cached_property
    def instances(self) -> tuple[int, ...]:
        """Value of the copies that work, at the multipliers (first) and at each memory."""
        return tuple(
            round(prod(size for part in self.spatial[at:] for _, size in part)) for at in range(len(self.spatial))
        )

    @cached_property
    def boosts(self) -> tuple[int, ...]:
        """Value of how many different tiles one instance of each memory feeds below it, and 1 at the end."""
        whole = self.reach([loop for part in self.spatial for loop in part])
        below = [self.reach([loop for part in self.spatial[:at] for loop in part]) for at in range(len(self.spatial))]
        copies = [Fraction(whole) / part for part in below]
        return (*(round(copies[at] / copies[at + 1]) for at in range(len(self.memories))), 1)

    def reach(self, loops: Iterable[tuple[str, Share]]) -> Share:
        """Return the elements that `loops` make together."""
        totals: dict[str, Share] = {}
        for dim, size in loops:
            totals[dim] = totals.get(dim, 1) * size
        elements: Share = 1
        for dim, total in totals.items():
            if dim in self.plain:
                elements *= total
        for a, first, b, second, real in self.joint:
            reached = distinct(a, floor(totals.get(first, 1)), b, floor(totals.get(second, 1)))
            elements *= min(real, reached)
        return elements


@dataclass(frozen=True)
class OperandLoops:
    """What one operand sees of a mapping.

    Parameters
    ----------
    temporal : tuple of levels of (dimension, factor)
        Loops in time of each memory after irrelevant ones at the bottom of a level were moved to the level below.
    """

    space: OperandSpace
    temporal: tuple[tuple[tuple[str, int], ...], ...]

    @cached_property
    def tiles(self) -> tuple[int, ...]:
        """Value of the elements of one tile at the multipliers and at each memory: all in time and space inside it."""
        inside: list[tuple[str, Share]] = []
        found = [round(self.space.reach(()))]
        for loops, joined in zip(self.temporal, self.space.spatial, strict=False):
            inside += [*loops, *joined]
            found.append(round(self.space.reach(inside)))
        return tuple(found)

    @cached_property
    def cycles(self) -> tuple[int, ...]:
        """Value of the steps in time inside one tile of each memory; 1 first."""
        steps = [1]
        for loops in self.temporal:
            steps.append(steps[-1] * prod(size for _, size in loops))
        return tuple(steps)

    @cached_property
    def uses_left(self) -> tuple[bool, ...]:
        """Value telling for each level, and one beyond, whether irrelevant loops are left from it on."""
        found = [False, False]
        for at in reversed(range(len(self.space.spatial))):
            loops = [*(self.temporal[at - 1] if at else ()), *self.space.spatial[at]]
            here = prod((size for dim, size in loops if dim in self.space.irrelevant), start=Fraction(1))
            found.insert(0, found[0] or here > 1)
        return tuple(found)

    def top(self, level: int, wanted: frozenset[str]) -> int:
        """Return the product of the loops over `wanted` at the top of memory `level - 1`; 1 for level 0."""
        steps = 1
        for dim, size in reversed(self.temporal[level - 1]) if level else ():
            if dim not in wanted:
                break
            steps *= size
        return steps


def distinct(a: int, n: int, b: int, m: int) -> int:
    """Return how many values ``a i + b j`` takes for ``i < n``, ``j < m``, by ZigZag's formula.

    The formula is exact for ``n >= b / gcd(a, b)``; for fewer it counts too many (1 output under a filter of 3 with
    dilation 2 counts as 5 inputs), which is kept, as the figures are to be ZigZag's.
    """
    common = gcd(a, b)
    return n * m - max(0, m - a // common) * (n - b // common)


def operand_space(
    hardware: ZigZagHardware, layer: ForeignProblem, operand: str, tensor: ForeignTensor, space: Mapping[str, Loops]
) -> OperandSpace:
    """Return what `tensor`, held in the memories of `operand`, sees of the unrolling `space`."""
    left = dict(space)
    spatial = [
        _merged([loop for axis in memory.served_axes for loop in left.pop(axis, ())])
        for memory in hardware.levels(operand)
    ]
    spatial.append(_merged([loop for loops in left.values() for loop in loops]))
    return OperandSpace(tensor, operand, hardware.levels(operand), tuple(spatial), dict(layer.dims))


def _merged(loops: Iterable[tuple[str, Share]]) -> Loops:
    found: dict[str, Share] = {}
    for dim, size in loops:
        found[dim] = found.get(dim, 1) * size
    return tuple(found.items())


def operand_loops(space: OperandSpace, temporal: Sequence[Sequence[tuple[str, int]]]) -> OperandLoops:
    """Return what the operand of `space` sees of loops in time, one list per memory, innermost first.

    Raises
    ------
    InputError
        If `temporal` has not one list per memory.
    """
    if len(temporal) != len(space.memories):
        raise InputError(
            f"mapping: operand {space.tensor.name} has loops for {len(temporal)} levels, the machine has "
            f"{len(space.memories)} memories for {space.operand}; give one list per memory"
        )
    levels = [[(dim, size) for dim, size in level] for level in temporal]
    moved = True
    while moved:
        moved = False
        for at in range(1, len(levels)):
            while levels[at] and levels[at][0][0] in space.irrelevant:
                levels[at - 1].append(levels[at].pop(0))
                moved = True
    return OperandLoops(space, tuple(map(tuple, levels)))
