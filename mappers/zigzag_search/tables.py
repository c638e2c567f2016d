"""What every cut of an operand costs under ZigZag's counting, at every point of the lattice of divisors.

A mapping is one order of the loops in time, cut by each operand into its own memories. A cut of an operand, number `k`
between its memories `k - 1` and `k`, costs what passes through it: energy, and cycles on ports. Both depend only on the
loops inside the cut, so that they are tables over the lattice of the trips inside. Cut 0 of an input stands between its
innermost memory and the multipliers, which keep a word while only loops run that do not index it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, prod

import numpy as np
import numpy.typing as npt

from hw_models.importers.zigzag_hardware import Direction, ZigZagMemory, ZigZagPort
from mappers.exchange.zigzag_count import ZigZagModel
from mappers.exchange.zigzag_loops import OperandSpace
from mappers.nests.lattice import FloatArray, Lattice
from workloads.errors import InputError
from workloads.importers.records import ForeignTensor

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Place = tuple[str, str]
"""(memory, port)."""
LARGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Job:
    """Transfers of one direction through one cut: their port, and the cycles of one of them at every point."""

    way: Direction
    place: Place
    port: ZigZagPort
    real: IntArray
    active: BoolArray


@dataclass(frozen=True)
class Cut:
    """Tables of one cut of one operand (arrays that broadcast to the lattice's shape).

    Parameters
    ----------
    energy_pj : array
        Both ends of what passes.
    period, count : array
        Steps in time inside the cut, and how often that repeats.
    up, down : tuple of Job
        At the port of the memory inside the cut and of that outside.
    rate_up, rate_down : array
        Mean bits per cycle of the same.
    tile_bits, whole_bits : array
        Bits of the tile inside, partial sums where loops outside still add to it; the same with whole shares.
    tile : array
        Elements of the tile inside.
    partial : array of bool
        Whether loops or positions outside add to the tile.
    allowed : array of bool
        Where the cut may stand.
    """

    energy_pj: FloatArray
    period: IntArray
    count: IntArray
    up: tuple[Job, ...]
    down: tuple[Job, ...]
    rate_up: IntArray
    rate_down: IntArray
    tile_bits: IntArray
    whole_bits: IntArray
    tile: IntArray
    partial: BoolArray
    allowed: BoolArray


class CutTables:
    """All cuts of one layer under one unrolling.

    Parameters
    ----------
    model : ZigZagModel
        Layer, machine and unrolling.

    Raises
    ------
    InputError
        If counts of the layer would not fit into 62 bits.
    """

    def __init__(self, model: ZigZagModel) -> None:
        self.model = model
        self.lattice = Lattice({dim: steps for dim, steps in model.steps.items() if steps > 1})
        self.trips: dict[str, IntArray] = {dim: v.astype(np.int64) for dim, v in self.lattice.values.items()}
        self.total = prod(model.steps.values())
        elements = max(tensor.elements for tensor in model.tensors)
        if self.total * elements * 64 > LARGEST:
            raise InputError(f"layer '{model.layer.name}': {self.total} steps over {elements} elements are too many")
        none: IntArray = np.ones(self.lattice.shape, dtype=np.int64)
        self.cycles: IntArray = prod(self.trips.values(), start=none)
        self.roles = tuple(tensor.name for tensor in model.tensors)
        self.levels = tuple(len(model.fine[role].memories) for role in self.roles)
        self.output = self.roles.index(model.layer.output.name)
        self.relevant = tuple(
            tuple(at for at, (dim, _, _) in enumerate(self.lattice.axes) if dim not in model.fine[role].irrelevant)
            for role in self.roles
        )
        top = tuple(n - 1 for n in self.shape)
        self.whole = tuple(
            int(np.broadcast_to(self._tile(model.fine[role], levels), self.shape)[top])
            for role, levels in zip(self.roles, self.levels, strict=True)
        )
        self.cuts: dict[tuple[int, int], Cut] = {}
        for number, tensor in enumerate(model.tensors):
            for k in range(self.levels[number]):
                self.cuts[number, k] = self._cut(tensor, k)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Value of the lattice's shape."""
        return self.lattice.shape

    def inside(self, dims: frozenset[str]) -> IntArray:
        """Return the trips inside of all `dims` together."""
        one: IntArray = np.ones([1] * len(self.shape), dtype=np.int64)
        return prod((trips for dim, trips in self.trips.items() if dim in dims), start=one)

    def _tile(self, space: OperandSpace, k: int) -> IntArray:
        """Return the elements inside cut `k`, rounded as ZigZag does (half to even)."""
        shares: dict[str, Fraction] = {}
        for part in space.spatial[:k]:
            for dim, size in part:
                shares[dim] = shares.get(dim, Fraction(1)) * size
        one: IntArray = np.ones([1] * len(self.shape), dtype=np.int64)
        if k == 0:
            return one
        plain = prod((share for dim, share in shares.items() if dim in space.plain), start=Fraction(1))
        number = self.inside(space.plain) * plain.numerator
        for a, first, b, second, real in space.joint:
            n, m = self._whole(first, shares), self._whole(second, shares)
            number = number * np.minimum(real, _distinct(a, n, b, m))
        quotient, rest = number // plain.denominator, number % plain.denominator
        twice = 2 * rest
        up: BoolArray = (twice > plain.denominator) | ((twice == plain.denominator) & (quotient % 2 == 1))
        rounded: IntArray = quotient + up
        return rounded

    def _whole(self, dim: str, shares: dict[str, Fraction]) -> IntArray:
        one: IntArray = np.ones([1] * len(self.shape), dtype=np.int64)
        share = shares.get(dim, Fraction(1))
        found: IntArray = self.trips.get(dim, one) * share.numerator // share.denominator
        return found

    def _partial(self, space: OperandSpace, k: int) -> BoolArray:
        """Return where sums are not finished inside cut `k`."""
        if not space.tensor.output:
            return np.zeros([1] * len(self.shape), dtype=bool)
        beyond = prod(
            (size for part in space.spatial[k + 1 :] for dim, size in part if dim in space.irrelevant),
            start=Fraction(1),
        )
        steps = prod(count for dim, count in self.model.steps.items() if dim in space.irrelevant)
        found: BoolArray = (self.inside(space.irrelevant) < steps) | (beyond > 1)
        return found

    def _cut(self, tensor: ForeignTensor, k: int) -> Cut:
        fine, coarse = self.model.fine[tensor.name], self.model.coarse[tensor.name]
        period = self.cycles
        if k == 0 and tensor.output:
            period = np.ones([1] * len(self.shape), dtype=np.int64)
        count = self.total // period
        partial, tile = self._partial(fine, k), self._tile(fine, k)
        held = _widths(tensor, partial)
        energy: FloatArray = np.zeros([1] * len(self.shape))
        for way, amount, bits, instances, memory in self._ways(fine, k, tile, partial):
            port = memory.port_of(fine.operand, way)
            if port is None:
                raise InputError(
                    f"memory '{memory.name}': no port carries '{fine.operand}, {way}'; add it to an allocation"
                )
            quanta = -(-amount * bits // port.min_bits_per_cycle)
            accesses = quanta * port.min_bits_per_cycle * count * instances // port.max_bits_per_cycle
            price = memory.read_energy_pj if way in ("tl", "th") else memory.write_energy_pj
            energy = energy + accesses * price
        if coarse is fine:
            some, own = partial, tile
        else:
            some, own = self._partial(coarse, k), self._tile(coarse, k)
        jobs: dict[bool, list[Job]] = {True: [], False: []}
        for way, amount, bits, _, memory in self._ways(coarse, k, own, some):
            port = memory.port_of(coarse.operand, way)
            assert port is not None  # refused above
            job = Job(way, (memory.name, port.name), port, -(-amount * bits // port.max_bits_per_cycle), bits > 0)
            jobs[way in ("fh", "th")].append(job)
        width = _widths(tensor, some)
        allowed = np.ones([1] * len(self.shape), dtype=bool)
        if k == 0 and not tensor.output:
            relevant = frozenset(self.trips) - fine.irrelevant
            allowed = self.inside(relevant) == 1
        return Cut(
            energy, period, count, tuple(jobs[True]), tuple(jobs[False]),
            own * width // period, own * width * coarse.boosts[k] // period,
            tile * held, own * width, tile, partial, allowed,
        )  # fmt: skip

    def _ways(
        self, space: OperandSpace, k: int, tile: IntArray, partial: BoolArray
    ) -> Iterator[tuple[Direction, IntArray, IntArray, int, ZigZagMemory]]:
        """Yield (direction, elements, bits, instances, memory) of what passes cut `k`; 0 bits where nothing does."""
        held = _widths(space.tensor, partial)
        back: IntArray = np.where(partial, held, 0)
        outer = space.memories[k]
        down, n = tile * space.boosts[k], space.instances
        if space.tensor.output:
            yield "fl", down, held, n[k + 1], outer
            if back.any():
                yield "tl", down, back, n[k + 1], outer
            if k:
                yield "th", tile, held, n[k], space.memories[k - 1]
                if back.any():
                    yield "fh", tile, back, n[k], space.memories[k - 1]
            return
        yield "tl", down, held, n[k + 1], outer
        if k:
            yield "fh", tile, held, n[k], space.memories[k - 1]


def _widths(tensor: ForeignTensor, partial: BoolArray) -> IntArray:
    """Return the bits of an element inside a cut."""
    part, last = partial_bits(tensor), final_bits(tensor)
    found: IntArray = np.where(partial, part, last).astype(np.int64)
    return found


def partial_bits(tensor: ForeignTensor) -> int:
    """Return the width of a partial sum, of an input that of an element."""
    return tensor.partial_bits or tensor.bits or 0


def final_bits(tensor: ForeignTensor) -> int:
    """Return the width of a finished element, of an input that which the counting takes for it."""
    return (tensor.bits if tensor.output else partial_bits(tensor)) or 0


def _distinct(a: int, n: IntArray, b: int, m: IntArray) -> IntArray:
    """Return `mappers.exchange.zigzag_loops.distinct` elementwise."""
    common = gcd(a, b)
    rows: IntArray = np.maximum(0, m - a // common)
    found: IntArray = n * m - rows * (n - b // common)
    return found
