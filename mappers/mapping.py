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
from math import prod
from typing import TYPE_CHECKING, Literal

from hw_models.accelerator import Dataflow, PEArray
from workloads.errors import InputError

if TYPE_CHECKING:
    from mappers.problem import TileProblem  # that module names the dimensions of this one

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

    Parameters
    ----------
    dims : tuple of str
        Several names where one loop walks a flattened index, outermost first.
    size, remainder : int
        Iterations (spatial: lanes), and what the last one covers: elements of the dimension for a loop over tiles,
        elements of the flattened index for the folds of a tile, lanes of the last fold for a spatial loop.
    level : {"dram", "scratchpad", "array"}
        Where the loop takes its operands from; ``scratchpad`` when every tensor holds all that the loop walks.
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
    dataflow : {"ws", "os", "is"}
        What the array runs.
    loops : tuple of TileLoop
        Temporal loops, outermost first; each tiled dimension once; dimensions held whole may be left out or have one
        trip.
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
                raise InputError(
                    f"mapping of '{self.layer}': cut of {name} is {cut}, bound is 0..{len(self.loops)}; correct it"
                )

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

        Loops that do not matter to the tensor and stand directly outside the cut cost nothing: the tile stream.
        """
        outside = tuple(loop for loop in self.loops[: self.cut(tensor)] if loop.trips > 1)
        while outside and outside[-1].dim not in RELEVANT[tensor]:
            outside = outside[:-1]
        count = 1
        for loop in outside:
            count *= loop.trips
        return count

    def nest(self, problem: TileProblem, array: PEArray) -> tuple[NestLoop, ...]:
        """Return the whole nest, outermost first: tile loops, folds of one whole tile, array lanes (§3.4).

        The tile loops multiply out to the layer with their remainders; fold and lane loops describe one whole tile.
        """
        deepest = max(cut for _, cut in self.cuts)
        lines = [
            NestLoop((x.dim,), x.trips, x.remainder, "dram" if depth < deepest else "scratchpad", "temporal")
            for depth, x in enumerate(self.loops)
        ]
        tile = {dim: self.tile(dim, problem.size[dim]) for dim in TILED_DIMS}
        pixels = prod(tile[dim] for dim in _PIXELS)
        words = -(-tile["C"] // problem.places)
        window = words * problem.taps
        lines.append(NestLoop(("G",), tile["G"], 1, "scratchpad", "temporal"))
        across, lanes = (_PIXELS, pixels) if self.dataflow == "is" else (("K",), tile["K"])
        lines.append(_folds(across, lanes, array.cols))
        rows: tuple[str, ...]
        stream = NestLoop(_PIXELS, pixels, 1, "array", "temporal")
        if self.dataflow == "is":
            stream = NestLoop(("K",), tile["K"], 1, "array", "temporal")
        if self.dataflow == "os":
            rows, length, streamed = _PIXELS, pixels, NestLoop(_WINDOW, window, 1, "array", "temporal")
        elif array.reduction_unroll == "window":
            rows, length, streamed = _WINDOW, window, stream
        else:
            rows, length, streamed = ("C",), words, stream
            lines.append(NestLoop(_WINDOW[:-1], problem.taps, 1, "scratchpad", "temporal"))
        lines += [_folds(rows, length, array.rows), streamed]
        if problem.places > 1:  # the walk above is over groups of channels, which a PE takes whole
            lines.append(_lanes(("C",), tile["C"], problem.places, ""))
        return (*lines, _lanes(rows, length, array.rows, "rows"), _lanes(across, lanes, array.cols, "cols"))


_PIXELS = ("N", "OD", "OY", "OX")
_WINDOW = ("FD", "FY", "FX", "C")


def _folds(dims: tuple[str, ...], length: int, lanes: int) -> NestLoop:
    """Return the loop over the folds of `length` elements by `lanes`."""
    folds = -(-length // lanes)
    return NestLoop(dims, folds, length - (folds - 1) * lanes, "scratchpad", "temporal")


def _lanes(dims: tuple[str, ...], length: int, lanes: int, axis: Literal["rows", "cols", ""]) -> NestLoop:
    """Return the spatial loop: `lanes` of the array, the last fold using what is left."""
    return NestLoop(dims, min(length, lanes), (length - 1) % lanes + 1, "array", "spatial", axis)
