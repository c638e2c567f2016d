"""Closed-form cycles of a program: a lower bound of the event model, without simulated time.

A group is *tight* when its input waits for the last store of the group before it: nothing of it but its first weight
tile can then have moved earlier, and everything before it has ended. Tight groups cut the program into segments, and a
segment takes at least as long as its array, its DRAM bus (the first weight tile left out) and its vector unit are busy;
an array segment also pays its first input tile, the drain and its last tile's way out. Segments do not overlap, so
their bounds add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from hw_models.accelerator import Accelerator
from hw_models.array_timing import ArrayTiming, timing_of
from mappers.commands import ComputeCommand, Engine, LoadCommand, Program, StoreCommand, VectorCommand


@dataclass(frozen=True, slots=True)
class GroupBound:
    """Busy times of one group and its share of the program's analytic cycles, all in cycles."""

    array_cycles: int
    dram_cycles: Fraction
    vector_cycles: int
    analytic_cycles: int


@dataclass(slots=True)
class _Work:
    array: int = 0
    beats: int = 0
    vector: int = 0
    first_weight_beats: int = 0
    head_cycles: Fraction = Fraction(0)
    tail_cycles: Fraction = Fraction(0)
    store_cycles: Fraction = Fraction(0)
    drain: int = 0
    tight: bool = False


def bounds(program: Program, accelerator: Accelerator) -> tuple[GroupBound, ...]:
    """Return the busy times and analytic cycles of every group of `program`."""
    work = _busy(program, accelerator)
    per_beat = accelerator.dram.beats_cycles(1)
    shares: list[int] = []
    start = 0
    while start < len(work):
        stop = start + 1
        while stop < len(work) and not work[stop].tight:
            stop += 1
        shares += _segment(work[start:stop], per_beat)
        start = stop
    return tuple(
        GroupBound(item.array, item.beats * per_beat, item.vector, share)
        for item, share in zip(work, shares, strict=True)
    )


def _segment(work: Sequence[_Work], per_beat: Fraction) -> list[int]:
    """Return the bound of a segment, divided among its groups by the time that each would need alone."""
    first, last = work[0], work[-1]
    array = sum(item.array for item in work)
    vector = sum(item.vector for item in work)
    dram = (sum(item.beats for item in work) - first.first_weight_beats) * per_beat
    ends = (
        first.head_cycles + last.tail_cycles + last.store_cycles
        if first.array and last.array and first.tight
        else Fraction(0)
    )
    total = ceil(max(array + ends if array else Fraction(0), dram, Fraction(vector)))
    alone = [max(Fraction(item.array), item.beats * per_beat, Fraction(item.vector)) for item in work]
    return _divide(total, alone)


def _divide(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Split `total` into integers in proportion to `weights`; they sum to it exactly."""
    whole = sum(weights, Fraction(0))
    if not whole:
        return [total, *[0] * (len(weights) - 1)]
    shares, used, running = [], 0, Fraction(0)
    for weight in weights:
        running += weight
        upto = int(total * running / whole)
        shares.append(upto - used)
        used = upto
    return shares


def _busy(program: Program, accelerator: Accelerator) -> list[_Work]:
    core, dram = accelerator.core, accelerator.dram
    depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
    timings: dict[str, ArrayTiming] = {}
    work = [_Work() for _ in program.layers]
    counts: dict[Engine, int] = {"load": 0, "array": 0, "vector": 0, "store": 0}
    stores_before: dict[int, int] = {}
    previous: tuple[int, int] | None = None  # group and stream length of the last compute command
    in_order = core.dma.load_engines == 1  # else tiles of a group may overtake the input that it waits for
    for command in program.commands:
        item = work[command.layer]
        stores_before.setdefault(command.layer, counts["store"])
        counts[command.engine] += 1
        if isinstance(command, LoadCommand):
            beats = sum(t.beats(dram.beat_bytes) for t in command.transfers)
            memory = command.writes[0].memory
            if memory == "weight" and not item.beats:
                item.first_weight_beats = beats
            if memory != "weight" and not item.head_cycles:
                item.head_cycles = dram.latency_cycles + dram.beats_cycles(beats)
                needed = stores_before[command.layer]
                item.tight = in_order and bool(needed) and dict(command.waits).get("store", 0) >= needed
            item.beats += beats
        elif isinstance(command, StoreCommand):
            beats = sum(t.beats(dram.beat_bytes) for t in command.transfers)
            item.beats += beats
            item.store_cycles = dram.latency_cycles + dram.beats_cycles(beats)
        elif isinstance(command, VectorCommand):
            cycles = core.vector.cycles(
                command.rows, command.row_elements, command.simple_passes, command.special_passes
            )
            item.vector += cycles
            item.tail_cycles = Fraction(item.drain + cycles)
        else:
            assert isinstance(command, ComputeCommand)
            if command.dataflow not in timings:
                timings[command.dataflow] = timing_of(core.array, command.dataflow, depth)
            timing, job = timings[command.dataflow], command.job
            item.array += (job.folds - 1) * timing.interval_cycles(job) + job.stream
            if previous is not None and previous[0] == command.layer:
                item.array += max(0, timing.load_cycles + core.dma.issue_cycles - previous[1])
            previous = command.layer, job.stream
            item.drain = timing.drain_latency_cycles
    return work
