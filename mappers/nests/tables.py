"""What each move of a tensor from one holder to the next costs, at every tile of the lattice, for one unrolling.

The same counting as `mappers.nests.counts`, for divisor tiles and hold orders in which no loop that a tensor does not
depend on stands directly above its hold (moving such a loop below the hold costs nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

import numpy as np
import numpy.typing as npt

from hw_models.hierarchy.tree import Direction, Level, MemoryTree
from mappers.nests.boxes import Tiles, components, moved_elements
from mappers.nests.counts import Counting
from mappers.nests.lattice import FloatArray, Lattice
from mappers.nests.problem import NestProblem, ProblemTensor
from mappers.nests.spatial import Unrolling
from workloads.loop_nest import Axis

BoolArray = npt.NDArray[np.bool_]
Place = tuple[str, str]
"""(level, port)."""


@dataclass(frozen=True)
class Move:
    """Costs of one transfer at every lattice point (arrays broadcastable to the lattice's shape).

    Parameters
    ----------
    energy_pj : array
        Energy at both ends.
    busy : tuple of (place, array)
        Cycles of ports.
    ends : array
        Cycles of loading the first tile or unloading the last one; 0 where the counting has none.
    bits : array
        Bits that the tile takes at the child, all copies.
    fits : array of bool
        Whether the tile alone fits.
    """

    energy_pj: FloatArray
    busy: tuple[tuple[Place, FloatArray], ...]
    ends: FloatArray
    bits: FloatArray
    fits: BoolArray


class GridSums:
    """Elements of all tiles of a grid, by tile size; remembered over unrollings of one problem."""

    def __init__(self, problem: NestProblem) -> None:
        self.problem = problem
        self.known: dict[tuple[object, ...], int] = {}
        self.parts = {tensor.role: components(tensor) for tensor in problem.tensors}

    def still(self, role: str, part: int, tile: tuple[int, ...]) -> int:
        """Return the elements of component `part` of tensor `role` over all tiles of sizes `tile`."""
        key = (role, part, tile)
        if key not in self.known:
            axes, dims = self.parts[role][part]
            whole = self.problem.sizes[dims[0]] if dims else 1
            single = len(dims) == 1 and len(axes) == 1 and axes[0].terms[0][0] == 1 and axes[0].offset == 0
            if single and whole <= axes[0].size:  # plain and inside: tiles of any size hold every element once
                self.known[key] = whole
                return whole
            tiles = {}
            for dim, size in zip(dims, tile, strict=True):
                starts = np.arange(0, self.problem.sizes[dim], size, dtype=np.int64)
                tiles[dim] = Tiles.still(starts, np.full_like(starts, size))
            self.known[key] = moved_elements(_alone(role, axes), tiles, self.problem.fetch_padding)
        return self.known[key]

    def sliding(self, role: str, part: int, tile: tuple[int, ...], dim: str, shift: int, trips: int) -> int:
        """Return the new elements if tiles slide along `dim` by `shift`, `trips` at a time."""
        key = (role, part, tile, dim, shift, trips)
        if key not in self.known:
            axes, dims = self.parts[role][part]
            tiles = {}
            for own, size in zip(dims, tile, strict=True):
                starts = np.arange(0, self.problem.sizes[own], size, dtype=np.int64)
                sizes = np.full_like(starts, size)
                tiles[own] = Tiles.still(starts, sizes)
                if own == dim:
                    first = starts % (shift * trips) < shift
                    tiles[own] = Tiles(starts, sizes, starts - np.where(first, 0, shift), np.where(first, 0, sizes))
            self.known[key] = moved_elements(_alone(role, axes), tiles, self.problem.fetch_padding)
        return self.known[key]


def _alone(role: str, axes: tuple[Axis, ...]) -> ProblemTensor:
    return ProblemTensor(role, axes)


class MoveTables:
    """Builds the moves of one unrolling.

    Parameters
    ----------
    most_starts : int
        1, or for a bound over many unrollings: in how many places at once a sum may be started at the most.
    """

    def __init__(
        self,
        problem: NestProblem,
        tree: MemoryTree,
        use: Unrolling,
        counting: Counting,
        sums: GridSums,
        most_starts: int = 1,
    ) -> None:
        self.problem, self.tree, self.use, self.counting, self.sums = problem, tree, use, counting, sums
        self.most_starts = most_starts
        every = frozenset(range(len(tree.axes)))
        self.unrolled = {dim: use.factor(dim, every) for dim in problem.sizes}
        self.time = {dim: size // self.unrolled[dim] for dim, size in problem.sizes.items()}
        self.lattice = Lattice({dim: size for dim, size in self.time.items() if size > 1})
        self.steps = prod(self.time.values())
        self._served: dict[tuple[str, ...], dict[str, int]] = {}
        self._sums: dict[tuple[object, ...], FloatArray] = {}

    def served(self, level: Level | None) -> dict[str, int]:
        """Return the factor of each dimension on the axes that `level` serves."""
        key = () if level is None else level.serves
        if key not in self._served:
            axes = frozenset(at for at, axis in enumerate(self.tree.axes) if axis.name in key)
            self._served[key] = {dim: self.use.factor(dim, axes) for dim in self.problem.sizes}
        return self._served[key]

    def tile(self, dim: str, served: dict[str, int]) -> FloatArray | float:
        """Return the tile of `dim` with its served factor, over the lattice."""
        return self.lattice.values.get(dim, 1.0) * served[dim]

    def move(self, tensor: ProblemTensor, parent: Level, child: Level | None, latched: bool = True) -> Move:
        """Return the costs of holding `tensor` in `child` (None: at the multipliers) below `parent`."""
        return self._move(tensor, parent, child, None)

    def slide(self, tensor: ProblemTensor, parent: Level, child: Level, above: Level, dim: str, trips: int) -> Move:
        """Return the costs where a loop of `trips` over `dim` stands directly above the hold.

        `above` is the holder outside that loop; it differs from `parent` where two holds stand there together.
        """
        outer = self.served(above)[dim]

        def grid(part: int, tile: tuple[int, ...], point: dict[str, int]) -> int:
            dims = self.sums.parts[tensor.role][part][1]
            shift = point.get(dim, 1) * outer
            if dim not in dims or self.time[dim] % (point.get(dim, 1) * trips):
                return self.sums.still(tensor.role, part, tile)
            return self.sums.sliding(tensor.role, part, tile, dim, shift, trips)

        return self._move(tensor, parent, child, grid)

    def sliding_dims(self, tensor: ProblemTensor) -> list[str]:
        """Return the dimensions in time along which tiles of `tensor` overlap and only what is new is fetched."""
        if self.counting == "zigzag":
            return []
        found: dict[str, None] = {}
        for axis in tensor.axes:
            if len([dim for _, dim in axis.terms if self.problem.sizes[dim] > 1]) > 1:
                found |= {dim: None for _, dim in axis.terms if self.time[dim] > 1}
        return list(found)

    def windows(self, dim: str) -> list[int]:
        """Return how many tiles of `dim` may slide one after the other."""
        return sorted({int(self.time[dim] // tile) for tile in np.unique(self.lattice.values[dim])} - {1})

    def _sum(
        self,
        tensor: ProblemTensor,
        served: dict[str, int],
        grid: Callable[[int, tuple[int, ...], dict[str, int]], int] | None,
    ) -> FloatArray:
        """Return the elements of all tiles at every point; `grid` says how tiles slide."""
        if grid is None:
            key = (tensor.role, *(served[dim] for dim in tensor.dims))
            if key not in self._sums:
                still = self.sums.still
                self._sums[key] = self._sum(tensor, served, lambda part, tile, _: still(tensor.role, part, tile))
            return self._sums[key]
        total: FloatArray = np.ones([1] * len(self.lattice.shape))
        for part, (_, dims) in enumerate(self.sums.parts[tensor.role]):
            axes = self.lattice.dims_axes(dims)
            shape = [length if at in axes else 1 for at, length in enumerate(self.lattice.shape)]
            points = [np.broadcast_to(self.lattice.values.get(dim, np.ones(1)), shape).ravel() for dim in dims]
            table = np.empty(prod(shape))
            for at, point in enumerate(zip(*(p.astype(np.int64).tolist() for p in points), strict=True)):
                tile = tuple(size * served[dim] for size, dim in zip(point, dims, strict=True))
                table[at] = grid(part, tile, dict(zip(dims, point, strict=True)))
            total = total * table.reshape(shape)
        return total

    def _move(
        self,
        tensor: ProblemTensor,
        parent: Level,
        child: Level | None,
        grid: Callable[[int, tuple[int, ...], dict[str, int]], int] | None,
    ) -> Move:
        outer, inner = self.served(parent), self.served(child)
        inside = set(tensor.dims)
        others = [dim for dim in self.problem.sizes if dim not in inside]
        visits = np.ones([1] * len(self.lattice.shape))
        times = visits
        for dim in self.lattice.sizes:
            trips = self.time[dim] / self.lattice.values[dim]
            times = times * trips
            if dim not in inside:
                visits = visits * trips
        child_copies = prod(self.unrolled[dim] // inner[dim] for dim in others)
        parent_copies = prod(self.unrolled[dim] // outer[dim] for dim in others)
        feeds = parent.reduces if tensor.output else parent.casts(tensor.role)
        child_all = self._sum(tensor, inner, grid) * visits * child_copies
        parent_all = self._sum(tensor, outer, grid) * visits * parent_copies if feeds else child_all
        child_first = parent_first = np.zeros(1)
        if tensor.output:
            child_first = np.minimum(child_all / visits * self.most_starts, child_all)
            parent_first = np.minimum(parent_all / visits * self.most_starts, parent_all)
        alone = (
            all(self.unrolled[dim] == outer[dim] for dim in others)
            if feeds
            else all(self.unrolled[dim] == inner[dim] for dim in others)
        )
        ends = _Ends(self, tensor, times, alone)
        ends.parent(
            parent,
            parent_all,
            parent_first,
            self._whole(tensor, outer),
            prod(self.unrolled[dim] // outer[dim] for dim in self.problem.sizes),
        )
        whole = self._whole(tensor, inner)
        if child is not None:
            ends.child(
                child,
                child_all,
                child_first,
                whole,
                prod(self.unrolled[dim] // inner[dim] for dim in self.problem.sizes),
            )
        if child is None:
            single = np.ones([1] * len(self.lattice.shape), dtype=bool)
            for dim in tensor.dims:
                if dim in self.lattice.values:
                    single = single & (self.lattice.values[dim] == 1)
            return Move(ends.energy, tuple(ends.busy.items()), np.zeros(1), np.zeros(1), single)
        bits = taken(child, tensor.role, whole * float(tensor.stored_bits()))
        room = child.room_bits(tensor.role)
        fits: BoolArray = np.ones(1, dtype=bool) if room is None else bits <= room
        return Move(ends.energy, tuple(ends.busy.items()), ends.loading, bits, fits)

    def _whole(self, tensor: ProblemTensor, served: dict[str, int]) -> FloatArray:
        """Return the elements of a whole tile at every point."""
        total: FloatArray = np.ones([1] * len(self.lattice.shape))
        for axis in tensor.axes:
            extent: FloatArray | float = 1.0
            for coefficient, dim in axis.terms:
                extent = extent + coefficient * (self.tile(dim, served) - 1)
            total = total * (extent if self.problem.fetch_padding else np.minimum(extent, axis.size))
        return total

    def every_step(self, tensor: ProblemTensor, parent: Level) -> Move:
        """Return the cost (one point) of reading `tensor` from `parent` in every step."""
        move = self.move(tensor, parent, None)
        corner = (0,) * len(self.lattice.shape)

        def at(table: FloatArray) -> FloatArray:
            return np.array(np.broadcast_to(table, self.lattice.shape)[corner])

        return Move(
            at(move.energy_pj),
            tuple((p, at(t)) for p, t in move.busy),
            np.zeros(1),
            np.zeros(1),
            np.ones(1, dtype=bool),
        )


def taken(level: Level, role: str, bits: FloatArray) -> FloatArray:
    """Return the bits of `level` that tiles of `bits` take (`mappers.nests.cost.taken_bits`)."""
    bits = bits * level.buffers
    if level.banks > 1 and level.capacity_bits is not None and role not in dict(level.parts_bits):
        bank = level.capacity_bits // level.banks
        return np.ceil(bits / bank) * bank
    return bits


class _Ends:
    """Adds up energy, busy cycles and loading of both ends of a transfer."""

    def __init__(self, tables: MoveTables, tensor: ProblemTensor, times: FloatArray, alone: bool) -> None:
        self.tables, self.tensor, self.times = tables, tensor, times
        self.part, self.last = tensor.stored_bits(), tensor.stored_bits(final=alone)
        if tables.most_starts > 1:  # finished or not is not known
            self.last = min(self.part, self.last)
        self.energy: FloatArray = np.zeros(1)
        self.busy: dict[Place, FloatArray] = {}
        self.loading: FloatArray = np.zeros(1)

    def parent(self, level: Level, moved: FloatArray, first: FloatArray, tile: FloatArray, copies: int) -> None:
        """Add what leaves and enters the parent."""
        if not self.tensor.output:
            self._add(level, "tl", moved, np.zeros(1), moved, tile, copies, True)
            return
        back = moved - first
        self._add(level, "fl", back, first, moved, tile, copies, True)
        self._add(level, "tl", back, np.zeros(1), moved, tile, copies, False)

    def child(self, level: Level, moved: FloatArray, first: FloatArray, tile: FloatArray, copies: int) -> None:
        """Add what enters and leaves the child."""
        none = np.zeros(1)
        if not self.tensor.output or self.tables.counting == "timeloop":
            self._add(level, "fh", moved, none, moved, tile, copies, not self.tensor.output)
            return
        back = moved - first
        self._add(level, "fh", back, none, moved, tile, copies, False)
        self._add(level, "th", back, first, moved, tile, copies, True)

    def _add(
        self,
        level: Level,
        direction: Direction,
        partial: FloatArray,
        final: FloatArray,
        moved: FloatArray,
        tile: FloatArray,
        copies: int,
        first_tile: bool,
    ) -> None:
        part, last = float(self.part), float(self.last)
        ports = [port for port in level.ports if (self.tensor.role, direction) in port.carries]
        least = float(ports[0].min_bits) if ports and level.rounded_access else None
        bits = _whole_accesses(partial * part, tile * part, least) + _whole_accesses(final * last, tile * last, least)
        price = level.read_pj if direction in ("tl", "th") else level.write_pj
        self.energy = self.energy + bits * float(price / level.access_bits)
        width = sum((port.max_bits for port in ports), Fraction(0))
        for port in ports:
            place = (level.name, port.name)
            if self.tables.counting == "timeloop":
                cycles = bits / (float(width) * copies)
            else:
                only_last = (partial == 0) & (final > 0)
                each = np.ceil(tile * np.where(only_last, last, part) / float(width) - 1e-9)
                count = self.times * (partial + final) / np.maximum(moved, 1e-300)
                cycles = each * np.maximum(count - 1, 0)
                if first_tile:
                    self.loading = np.maximum(self.loading, np.where(partial + final > 0, each, 0.0))
            self.busy[place] = self.busy.get(place, np.zeros(1)) + cycles


def _whole_accesses(bits: FloatArray, tile_bits: FloatArray, least: float | None) -> FloatArray:
    if least is None:
        return bits
    factor: FloatArray = np.ceil(tile_bits / least - 1e-9) * least / tile_bits
    return bits * factor


def steps_after_skips(tables: MoveTables, share: Fraction) -> int:
    """Return the loop steps where zeros of some operands take none."""
    return ceil(tables.steps * share)
