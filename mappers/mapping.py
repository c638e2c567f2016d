"""The mapping object: an ordered nest of tile loops, the cut of each tensor, and the spatial unrolling (§3.4).

One mapping places one MAC layer (`workloads.mac_layers.MacLayer`) on one core. Its temporal loops step over tiles from
DRAM's point of view, outermost first. Each tensor cuts that nest at its own depth ("uneven mapping"): with cut `c`, the
tensor's tile in its scratchpad covers everything the loops `loops[c:]` walk over, and is replaced whenever one of
`loops[:c]` that matters to the tensor steps. Inside the innermost loop stands one compute command: the folds of
docs/architecture.md §3.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Literal

from hw_models.accelerator import Dataflow
from workloads.errors import InputError

TILED_DIMS: tuple[str, ...] = ("N", "G", "K", "C", "OD", "OY", "OX")
RELEVANT: dict[str, frozenset[str]] = {
    "I": frozenset(("N", "G", "C", "OD", "OY", "OX")),
    "W": frozenset(("G", "K", "C")),
    "O": frozenset(("N", "G", "K", "OD", "OY", "OX")),
}
"""Dimensions that each tensor depends on; the filter dimensions are never tiled at this level."""


@dataclass(frozen=True, slots=True)
class TileLoop:
    """A temporal loop over tiles of one dimension: `trips - 1` whole tiles and a remainder.

    Parameters
    ----------
    dim : str
        One of `TILED_DIMS`.
    extent : int
        Elements of the dimension in the layer.
    tile : int
        Elements of one iteration; the last iteration may hold fewer (ceil tiling).
    """

    dim: str
    extent: int
    tile: int

    def __post_init__(self) -> None:
        if self.dim not in TILED_DIMS:
            raise InputError(f"mapping: loop dimension '{self.dim}' is not one of {', '.join(TILED_DIMS)}; correct it")
        if not 1 <= self.tile <= self.extent:
            raise InputError(f"mapping: tile of {self.dim} is {self.tile}, bound is 1..{self.extent}; correct it")

    @property
    def trips(self) -> int:
        """Value of the iteration count."""
        return -(-self.extent // self.tile)

    @property
    def remainder(self) -> int:
        """Value of the elements in the last iteration (equal to `tile` when it divides)."""
        return self.extent - (self.trips - 1) * self.tile

    def size(self, iteration: int) -> int:
        """Return the elements of iteration `iteration`."""
        return self.tile if iteration < self.trips - 1 else self.remainder


@dataclass(frozen=True, slots=True)
class NestLoop:
    """One line of the readable nest: `size` iterations of `dims` at `level`.

    `dims` has several names where the array unrolls a flattened index; `remainder` is the extent of the last iteration.
    """

    dims: tuple[str, ...]
    size: int
    remainder: int
    level: str
    kind: Literal["temporal", "spatial"]
    axis: Literal["rows", "cols", ""] = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is proven about a mapping (§3.8).

    Parameters
    ----------
    cost_model, map_space : str
        Names of both, so that "optimal" means something.
    objective : str
        ``latency``, ``energy`` or ``edp``.
    value, bound : int or float
        Objective of the mapping and the proven lower bound over the map space, same unit.
    candidates, covered : int
        Size of the map space (after the stated dominance rules) and how much of it was evaluated or pruned by bound.
    proven_optimal : bool
        True only when everything is covered and `bound == value`.
    """

    cost_model: str
    map_space: str
    objective: str
    value: float
    bound: float
    candidates: int
    covered: int
    proven_optimal: bool

    @property
    def gap(self) -> float:
        """Value of (value - bound) / value; 0 for a zero objective."""
        return (self.value - self.bound) / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class Mapping:
    """Placement of one MAC layer on one core.

    Parameters
    ----------
    layer, core : str
        Names.
    dataflow : {"ws", "os"}
        What the array runs.
    loops : tuple of TileLoop
        Temporal loops, outermost first; each tiled dimension once; dimensions held whole may be left out or have one trip.
    cuts : mapping of {"I", "W", "O"} to int
        Depth at which each tensor's tile is held, 0 (outside every loop) .. len(loops).
    certificate : Certificate or None
        None for a mapping that a user wrote.
    """

    layer: str
    core: str
    dataflow: Dataflow
    loops: tuple[TileLoop, ...]
    cuts: tuple[tuple[str, int], ...]
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        dims = [loop.dim for loop in self.loops]
        if len(set(dims)) != len(dims):
            raise InputError(f"mapping of '{self.layer}': a dimension has two loops ({dims}); merge them")
        if [name for name, _ in self.cuts] != ["I", "W", "O"]:
            raise InputError(f"mapping of '{self.layer}': cuts must name I, W, O in this order; correct it")
        for name, cut in self.cuts:
            if not 0 <= cut <= len(self.loops):
                raise InputError(f"mapping of '{self.layer}': cut of {name} is {cut}, bound is 0..{len(self.loops)}; correct it")

    def cut(self, tensor: str) -> int:
        """Return the cut of tensor role `tensor` ("I", "W" or "O")."""
        return dict(self.cuts)[tensor]

    def tile(self, dim: str, extent: int) -> int:
        """Return the tile of `dim` in the innermost iteration; `extent` when no loop tiles it."""
        return next((loop.tile for loop in self.loops if loop.dim == dim), extent)

    def held(self, tensor: str, dims: MappingABC[str, int]) -> dict[str, int]:
        """Return the largest extent of each dimension that the tile of `tensor` covers in its scratchpad."""
        cut = self.cut(tensor)
        extents = dict(dims)
        for depth, loop in enumerate(self.loops):
            extents[loop.dim] = loop.tile if depth < cut else loop.extent
        return extents

    def transfers(self, tensor: str) -> int:
        """Return how many tiles of `tensor` are brought in: trips of the loops outside its cut, free reuse skipped.

        Loops that do not matter to the tensor and stand directly outside the cut cost nothing: the tile stays.
        """
        outside = self.loops[: self.cut(tensor)]
        while outside and outside[-1].dim not in RELEVANT[tensor]:
            outside = outside[:-1]
        count = 1
        for loop in outside:
            count *= loop.trips
        return count
