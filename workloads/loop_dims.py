"""Sizes of the loops of a MAC layer (§3.3)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod

from workloads.errors import InputError

Triple = tuple[int, int, int]
LOOP_DIMS: tuple[str, ...] = ("G", "N", "K", "C", "OD", "OY", "OX", "FD", "FY", "FX")


@dataclass(frozen=True, slots=True)
class LoopDims:
    """Sizes of the loops; K and C are per group (§3.3).

    Examples
    --------
    >>> LoopDims(K=64, C=3, OY=112, OX=112, FY=7, FX=7).product
    118013952
    """

    G: int = 1
    N: int = 1
    K: int = 1
    C: int = 1
    OD: int = 1
    OY: int = 1
    OX: int = 1
    FD: int = 1
    FY: int = 1
    FX: int = 1

    def __post_init__(self) -> None:
        for dim in LOOP_DIMS:
            size = getattr(self, dim)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise InputError(f"loop dimension {dim}: size is {size!r}, bound is >= 1; give a positive integer")

    @property
    def product(self) -> int:
        """Value of the product of all sizes."""
        return prod(getattr(self, dim) for dim in LOOP_DIMS)

    @property
    def out_spatial(self) -> Triple:
        """Value of (OD, OY, OX)."""
        return self.OD, self.OY, self.OX

    @property
    def filter(self) -> Triple:
        """Value of (FD, FY, FX)."""
        return self.FD, self.FY, self.FX

    def as_dict(self) -> dict[str, int]:
        """Return the sizes by name, in the order of `LOOP_DIMS`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
