"""Row-stationary dataflow: mapping search and passes (Chen et al., ISCA 2016; JSSC 52(1), 2017).

A pass loads p t filters of q r channels into the PEs, slides `rows` output rows of `images` images under them, and
leaves partial sums in the global buffer, where they wait for the next channels. The filter memory of a PE holds one
pass, so the array stands while the next pass's filters come over the filter bus; image, partial sums in and out move
beside the arithmetic on buses of their own, and the slowest of the four sets the pace.

The search covers every mapping whose factors divide filters, images and PE memories, and takes the one with the fewest
memory bytes, then the fewest global-buffer bytes, then the fewest cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from hw_models.row_stationary import RowMapping, RowStationaryArray
from mappers.passes.plan import ConvShape, LayerPasses, StageSpec, shares
from workloads.errors import Infeasible, InfeasibleError

MOST_PASSES = 1024
"""Passes of a layer that the engine moves one by one."""


@dataclass(frozen=True, slots=True)
class RowTraffic:
    """Bytes of a layer under a mapping.

    Parameters
    ----------
    buffer_image, buffer_psum : int
        Read from the global buffer into the array (image), and read and written as partial sums, the final reading of
        results included; filling the buffer from memory is not counted, as in the published access figures.
    memory_image, memory_weight, memory_output : int
        Uncompressed.
    """

    buffer_image: int
    buffer_psum: int
    memory_image: int
    memory_weight: int
    memory_output: int

    @property
    def buffer_bytes(self) -> int:
        """Value of the bytes at the global buffer."""
        return self.buffer_image + self.buffer_psum

    @property
    def memory_bytes(self) -> int:
        """Value of the bytes at the memory, uncompressed."""
        return self.memory_image + self.memory_weight + self.memory_output


@lru_cache(maxsize=4096)
def _divisors(value: int) -> tuple[int, ...]:
    small = [d for d in range(1, isqrt(value) + 1) if value % d == 0]
    return tuple(sorted({*small, *(value // d for d in small)}))


def _strips(shape: ConvShape, rows: int) -> list[tuple[int, int]]:
    """Return (output rows, image rows) of each strip."""
    sizes = [min(rows, shape.out_height - start) for start in range(0, shape.out_height, rows)]
    return [(size, (size - 1) * shape.stride + shape.filter_height) for size in sizes]


def row_traffic(shape: ConvShape, array: RowStationaryArray, mapping: RowMapping) -> RowTraffic:
    """Return the bytes that `mapping` moves."""
    word, groups, batch = array.word_bytes, shape.groups, shape.batch
    strips = _strips(shape, mapping.rows)
    image = groups * batch * shape.channels * shape.width * sum(high for _, high in strips) * word
    output = groups * batch * shape.kernels * shape.out_height * shape.out_width * word
    blocks = -(-shape.channels // mapping.pass_channels)
    weight = groups * shape.kernels * shape.channels * shape.filter_height * shape.filter_width * word
    return RowTraffic(
        buffer_image=image * -(-shape.kernels // mapping.pass_filters),
        buffer_psum=output * 2 * blocks,
        memory_image=image * -(-shape.kernels // mapping.filters),
        memory_weight=weight * -(-batch // mapping.images) * len(strips),
        memory_output=output,
    )


def sets_of(shape: ConvShape, array: RowStationaryArray, rows: int) -> tuple[int, int]:
    """Return (how many PE sets of `rows` output rows stand on the array, how many of them one above the other).

    A set wider than the array is folded below itself. Partial sums pass from PE to PE up a column, so only sets that
    stand one above the other add up their channels.
    """
    folds = -(-rows // array.cols)
    upright = array.rows // (shape.filter_height * folds)
    return upright * (array.cols // min(rows, array.cols)), upright


def active_pes(shape: ConvShape, array: RowStationaryArray, mapping: RowMapping) -> int:
    """Return the PEs that `mapping` uses."""
    return shape.filter_height * mapping.rows * mapping.set_channels * mapping.set_filters


def _pe_splits(
    shape: ConvShape, array: RowStationaryArray, sets: int, upright: int, filters: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (p, q, r, t) that fit the PE memories, the filter buffer and the array."""
    taps = shape.filter_height * shape.filter_width * array.word_bytes
    for q in range(1, min(shape.channels, array.ifmap_words // shape.filter_width) + 1):
        for p in _divisors(filters):
            if p > array.psum_words or p * q * shape.filter_width > array.filter_words:
                break
            for r in range(1, min(upright, -(-shape.channels // q)) + 1):
                for t in _divisors(filters // p):
                    if r * t <= sets and p * t * q * r * taps <= array.filter_buffer_bytes:
                        yield p, q, r, t


def search_row_mapping(shape: ConvShape, array: RowStationaryArray) -> RowMapping:
    """Return the mapping with the fewest memory bytes, then buffer bytes, then cycles.

    Memory bytes depend on (filters, images, rows) alone, so those are taken in order of their memory bytes and the
    search ends with the first class that fits.

    Raises
    ------
    InfeasibleError
        If not even one output row of one filter fits.
    """
    word = array.word_bytes
    classes: dict[int, list[tuple[int, int, int]]] = {}
    for rows in range(1, shape.out_height + 1):
        if not sets_of(shape, array, rows)[0]:
            continue
        for images in _divisors(shape.batch):
            for filters in _divisors(shape.kernels):
                probe = row_traffic(shape, array, RowMapping(filters, images, rows, 1, 1, 1, 1))
                classes.setdefault(probe.memory_bytes, []).append((filters, images, rows))
    for key in sorted(classes):
        best: tuple[tuple[int, int], RowMapping] | None = None
        for filters, images, rows in classes[key]:
            psum_banks = -(-images * filters * rows * shape.out_width * word // array.bank_bytes)
            if psum_banks >= array.buffer_banks:
                continue
            high = (rows - 1) * shape.stride + shape.filter_height
            for p, q, r, t in _pe_splits(shape, array, *sets_of(shape, array, rows), filters):
                image_bytes = images * q * r * high * shape.width * word
                if psum_banks + -(-image_bytes // array.bank_bytes) > array.buffer_banks:
                    continue
                mapping = RowMapping(filters, images, rows, p, q, r, t)
                moved = row_traffic(shape, array, mapping).buffer_bytes
                if best is None or moved <= best[0][0]:
                    rank = (moved, _array_cycles(shape, array, mapping))
                    if best is None or rank < best[0]:
                        best = (rank, mapping)
        if best is not None:
            return best[1]
    raise InfeasibleError(_reason(shape, array))


def _reason(shape: ConvShape, array: RowStationaryArray) -> Infeasible:
    """Return the first constraint that not even the smallest pass meets."""
    subject = f"layer '{shape.name}' on '{array.name}'"
    least_image = shape.filter_height * shape.width * array.word_bytes
    for constraint, demand, bound, unit, lever in (
        ("rows of the array", shape.filter_height, array.rows, "rows", "add rows"),
        ("image memory of a PE", shape.filter_width, array.ifmap_words, "words", "raise ifmap_words"),
        ("filter memory of a PE", shape.filter_width, array.filter_words, "words", "raise filter_words"),
    ):
        if demand > bound:
            return Infeasible(subject, constraint, demand, bound, unit, (lever, "shrink the filter"))
    banks = -(-least_image // array.bank_bytes) + -(-shape.out_width * array.word_bytes // array.bank_bytes)
    return Infeasible(subject, "banks of the global buffer", banks, array.buffer_banks, "banks", ("add banks",))


def _pass_cycles(
    shape: ConvShape, array: RowStationaryArray, mapping: RowMapping, size: int, high: int, channels: int
) -> tuple[int, int]:
    """Return (filter load, pace of the array) of one pass over `channels` channels, in cycles."""
    inside = -(-channels // mapping.set_channels)
    load = mapping.pass_filters * channels * shape.filter_height * shape.filter_width
    sums = mapping.images * mapping.pass_filters * size * shape.out_width
    pace = max(
        mapping.images * mapping.pe_filters * inside * shape.filter_width * shape.out_width,
        -(-mapping.images * channels * high * shape.width // array.ifmap_bus_words),
        -(-sums // array.psum_in_bus_words),
        -(-sums // array.psum_out_bus_words),
    )
    return -(-load // array.filter_bus_words), pace


def _blocks(shape: ConvShape, mapping: RowMapping) -> list[int]:
    step = mapping.pass_channels
    return [min(step, shape.channels - first) for first in range(0, shape.channels, step)]


def _array_cycles(shape: ConvShape, array: RowStationaryArray, mapping: RowMapping) -> int:
    step = mapping.pass_channels
    repeat = shape.groups * (shape.batch // mapping.images) * (shape.kernels // mapping.pass_filters)
    kinds = {step: shape.channels // step, shape.channels % step: 1}
    return repeat * sum(
        count * sum(_pass_cycles(shape, array, mapping, size, high, c))
        for size, high in _strips(shape, mapping.rows)
        for c, count in kinds.items()
        if c
    )


def _merged(passes: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Join neighbours until there are `MOST_PASSES` at most: the array works on them one after the other anyway."""
    size = -(-len(passes) // MOST_PASSES)
    parts = [passes[first : first + size] for first in range(0, len(passes), size)]
    return [(sum(p[0] for p in part), sum(p[1] for p in part), any(p[2] for p in part)) for part in parts]


def plan_row_stationary(shape: ConvShape, array: RowStationaryArray, mapping: RowMapping | None = None) -> LayerPasses:
    """Return `shape` as passes on `array`, under `mapping` or the best one found.

    Stages: memory (image, weights), filter bus and arithmetic on the same array, memory (results).
    """
    chosen = mapping or search_row_mapping(shape, array)
    moved = row_traffic(shape, array, chosen)
    rounds = shape.groups * (shape.batch // chosen.images) * -(-shape.kernels // chosen.filters)
    inner = chosen.filters // chosen.pass_filters
    passes: list[tuple[int, int, bool]] = []
    for size, high in _strips(shape, chosen.rows):
        kinds = [_pass_cycles(shape, array, chosen, size, high, c) for c in _blocks(shape, chosen)]
        for _ in range(rounds):
            for index, (load, pace) in enumerate(kinds):
                passes += [(load, pace, index == len(kinds) - 1)] * inner
    passes = _merged(passes)
    reads = shares(Fraction(moved.memory_image + moved.memory_weight) / array.memory_bytes_per_cycle, [1] * len(passes))
    writes = shares(Fraction(moved.memory_output) / array.memory_bytes_per_cycle, [int(last) for _, _, last in passes])
    work = tuple((read, load, pace, write) for read, (load, pace, _), write in zip(reads, passes, writes, strict=True))
    return LayerPasses(
        shape.name,
        shape.macs,
        (
            StageSpec("load", "memory", 2),
            StageSpec("filters", "array", 1),
            StageSpec("arithmetic", "array", 2),
            StageSpec("store", "memory", 2),
        ),
        work,
        {
            "dram": {"input": moved.memory_image, "weight": moved.memory_weight, "output": moved.memory_output},
            "buffer": {"input": moved.buffer_image, "psum": moved.buffer_psum},
        },
        array.latency_cycles,
        chosen,
    )
