"""A ZigZag mapping in the form its counting works on: loops per operand and level, spatial shares, tile sizes.

An operand sees, from the inside out, the array positions one instance of its innermost memory joins, that memory's
loops in time, the positions that the next memory joins, and so on. Where a dimension is no multiple of its unrolling,
ZigZag divides: 7 over 4 positions is 3.5 in each of two steps for energy, and the whole part (3) for latency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, prod

from hw_models.importers.zigzag_hardware import ZigZagHardware, ZigZagMemory
from workloads.errors import InputError
from workloads.importers.records import ForeignProblem, ForeignTensor

Loops = tuple[tuple[str, Fraction], ...]
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
        loops = []
        for dim, given in pairs:
            if dim not in sizes:
                continue
            factor = min(given, sizes[dim])
            most = max(dict(other).get(dim, 0) for other in unrolling.values())
            first = next(name for name, other in unrolling.items() if dict(other).get(dim, 0) == most)
            share = Fraction(factor)
            if axis == first:
                before = prod((x for name, done in found.items() for d, x in done if d == dim), start=Fraction(1))
                share = Fraction(sizes[dim], ceil(sizes[dim] / (factor * before))) / before
                share = share if exact else Fraction(floor(share))
            loops.append((dim, share))
        if loops:
            found[axis] = tuple(loops)
    return found


@dataclass(frozen=True)
class OperandLoops:
    """What one operand sees.

    Parameters
    ----------
    memories : tuple of ZigZagMemory
        Those that hold it, innermost first.
    spatial : tuple of Loops
        Positions joined at the multipliers, at each memory, and what is left at the end: one more than memories.
    temporal : tuple of Loops
        Loops in time of each memory after irrelevant ones at the bottom of a level were moved to the level below.
    """

    tensor: ForeignTensor
    memories: tuple[ZigZagMemory, ...]
    spatial: tuple[Loops, ...]
    temporal: tuple[Loops, ...]
    sizes: dict[str, int]

    @property
    def plain(self) -> frozenset[str]:
        """Value of the dimensions that index the operand alone along an axis."""
        return frozenset(terms[0][1] for terms in self._terms if len(terms) == 1)

    @property
    def joint(self) -> tuple[tuple[tuple[tuple[int, str], ...], int], ...]:
        """Value of (terms, real size) of the axes that two dimensions index."""
        return tuple((axis.terms, axis.size) for axis in self.tensor.axes if len(axis.terms) > 1)

    @property
    def _terms(self) -> list[tuple[tuple[int, str], ...]]:
        return [axis.terms for axis in self.tensor.axes]

    def irrelevant(self, dim: str) -> bool:
        """Tell whether `dim` does not index the operand; dimensions of size 1 count as neither."""
        return dim not in self.tensor.relevant and self.sizes[dim] != 1

    def reach(self, loops: Loops) -> tuple[Fraction, Fraction]:
        """Return (elements, uses of each) that `loops` make together."""
        elements, uses = Fraction(1), Fraction(1)
        for dim, size in loops:
            if dim in self.plain:
                elements *= size
            elif self.irrelevant(dim):
                uses *= size
        for terms, real in self.joint:
            totals = [prod((size for dim, size in loops if dim == name), start=Fraction(1)) for _, name in terms]
            extent = min(real, distinct(terms[0][0], floor(totals[0]), terms[1][0], floor(totals[1])))
            elements *= extent
            uses *= totals[0] * totals[1] / extent
        return elements, uses

    def with_space_below(self, level: int) -> Loops:
        """Return the loops of one instance at `level` (0: a multiplier): all in time and space inside it."""
        found: list[tuple[str, Fraction]] = []
        for at in range(level):
            found += [*self.temporal[at], *self.spatial[at]]
        return tuple(found)

    def with_space_beside(self, level: int) -> Loops:
        """Return the loops of all instances of `level` together: the positions it joins included."""
        return (*self.with_space_below(level), *self.spatial[level])

    def instances(self, level: int) -> int:
        """Return the copies at `level` (0: the multipliers) that work."""
        return round(prod((size for part in self.spatial[level:] for _, size in part), start=Fraction(1)))

    def distinct_instances(self, level: int) -> Fraction:
        """Return the copies at `level` that hold different data."""
        whole, _ = self.reach(tuple(loop for part in self.spatial for loop in part))
        below, _ = self.reach(tuple(loop for part in self.spatial[:level] for loop in part))
        return whole / below

    def boost(self, level: int) -> int:
        """Return how many different tiles of `level` one instance above it feeds."""
        if level >= len(self.memories):
            return 1
        return round(self.distinct_instances(level) / self.distinct_instances(level + 1))

    def cycles(self, level: int) -> int:
        """Return the steps in time inside one tile of memory `level - 1`; 1 for level 0."""
        return int(prod(size for part in self.temporal[:level] for _, size in part))


def distinct(a: int, n: int, b: int, m: int) -> int:
    """Return how many values ``a i + b j`` takes for ``i < n``, ``j < m``."""
    common = gcd(a, b)
    return n * m - max(0, m - a // common) * max(0, n - b // common)


def operand_loops(
    hardware: ZigZagHardware, layer: ForeignProblem, operand: str, tensor: ForeignTensor, space: Mapping[str, Loops],
    temporal: Sequence[Sequence[tuple[str, int]]],
) -> OperandLoops:  # fmt: skip
    """Return what `tensor`, held in the memories of `operand`, sees of a mapping.

    Raises
    ------
    InputError
        If `temporal` has not one list per memory.
    """
    memories = hardware.levels(operand)
    if len(temporal) != len(memories):
        raise InputError(
            f"mapping: operand {tensor.name} has loops for {len(temporal)} levels, '{hardware.name}' has "
            f"{len(memories)} memories for {operand}; give one list per memory"
        )
    left = dict(space)
    spatial = []
    for memory in memories:
        here: dict[str, Fraction] = {}
        for axis in memory.served_axes:
            for dim, size in left.pop(axis, ()):
                here[dim] = here.get(dim, Fraction(1)) * size
        spatial.append(tuple(here.items()))
    rest: dict[str, Fraction] = {}
    for loops in left.values():
        for dim, size in loops:
            rest[dim] = rest.get(dim, Fraction(1)) * size
    spatial.append(tuple(rest.items()))
    levels = [[(dim, Fraction(size)) for dim, size in level] for level in temporal]
    made = OperandLoops(tensor, memories, tuple(spatial), (), dict(layer.dims))
    moved = True
    while moved:
        moved = False
        for at in range(1, len(levels)):
            while levels[at] and made.irrelevant(levels[at][0][0]):
                levels[at - 1].append(levels[at].pop(0))
                moved = True
    return OperandLoops(tensor, memories, tuple(spatial), tuple(map(tuple, levels)), dict(layer.dims))
