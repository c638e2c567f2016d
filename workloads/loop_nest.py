"""A layer as perfectly nested loops with affine accesses: the view a general mapper works on.

Each operand lists, for each of its axes, an affine sum of loop dimensions; a product space of loops and these
projections determine reuse, footprints and halos without knowing what the layer is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class Axis:
    """Index along one axis of an operand: ``offset + sum(coefficient * dim)``, valid inside ``0 .. size - 1``."""

    terms: tuple[tuple[int, str], ...]
    size: int
    offset: int = 0

    def extent(self, tile: Mapping[str, int]) -> int:
        """Return the width of the bounding interval of the index over a tile, clipped to the axis."""
        return min(self.size, 1 + sum(coefficient * (tile[dim] - 1) for coefficient, dim in self.terms))


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as seen from the loops.

    Parameters
    ----------
    role : {"I", "W", "O"}
        Input, weight (second operand) or output.
    tensor : str
        Name of the tensor.
    axes : tuple of Axis
        One per tensor axis, in the tensor's order.
    accumulated : bool
        True for the output: loop dimensions it does not depend on are reductions into it.
    """

    role: Literal["I", "W", "O"]
    tensor: str
    axes: tuple[Axis, ...]
    accumulated: bool = False

    @property
    def relevant(self) -> frozenset[str]:
        """Value of the set of loop dimensions that the operand depends on."""
        return frozenset(dim for axis in self.axes for _, dim in axis.terms)

    def footprint_elements(self, tile: Mapping[str, int]) -> int:
        """Return the elements of the bounding box that a tile touches (an upper bound over tile positions)."""
        elements = 1
        for axis in self.axes:
            elements *= axis.extent(tile)
        return elements


@dataclass(frozen=True, slots=True)
class LoopNest:
    """Loop dimensions with their sizes, and the operands they index."""

    dims: tuple[tuple[str, int], ...]
    operands: tuple[Operand, ...]

    def __post_init__(self) -> None:
        known = {dim for dim, _ in self.dims}
        for operand in self.operands:
            for dim in sorted(operand.relevant - known):
                raise InputError(
                    f"loop nest: operand '{operand.tensor}' uses dimension '{dim}', known are {sorted(known)}; add it"
                )

    @property
    def iterations(self) -> int:
        """Value of the size of the iteration space: one MAC each."""
        total = 1
        for _, size in self.dims:
            total *= size
        return total

    def operand(self, role: str) -> Operand:
        """Return the operand with `role`."""
        for operand in self.operands:
            if operand.role == role:
                return operand
        raise InputError(f"loop nest: role '{role}' is not one of {[o.role for o in self.operands]}; correct it")
