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

import numpy as np

from hw_models.accelerator import Accelerator, Core, DramChannel
from hw_models.array_timing import ArrayTiming, timing_of
from mappers.commands import AnyCommand, ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand
from mappers.kinds import IntArray, Kinds, kinds_of


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
    """Return the work of every group: sums over kinds of commands, and what the order of commands decides."""
    core, dram = accelerator.core, accelerator.dram
    kinds = kinds_of(program, dram.beat_bytes)
    timings = _timings(kinds, accelerator)
    work = [_Work() for _ in program.layers]
    for sample, times in zip(kinds.samples, kinds.times, strict=True):
        item = work[sample.layer]
        if isinstance(sample, LoadCommand | StoreCommand):
            item.beats += times * _beats(sample, dram)
        elif isinstance(sample, VectorCommand):
            item.vector += times * _vector_cycles(sample, core)
        elif isinstance(sample, ComputeCommand):
            interval = timings[sample.dataflow].interval_cycles(sample.job)
            item.array += times * ((sample.job.folds - 1) * interval + sample.job.stream)
    _transfers(program, accelerator, kinds, work)
    _passes(program, accelerator, kinds, timings, work)
    return work


def _timings(kinds: Kinds, accelerator: Accelerator) -> dict[str, ArrayTiming]:
    core = accelerator.core
    depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
    flows = dict.fromkeys(sample.dataflow for sample in kinds.samples if isinstance(sample, ComputeCommand))
    return {flow: timing_of(core.array, flow, depth) for flow in flows}


def _beats(command: AnyCommand, dram: DramChannel) -> int:
    assert isinstance(command, LoadCommand | StoreCommand)
    return sum(transfer.beats(dram.beat_bytes) for transfer in command.transfers)


def _vector_cycles(command: VectorCommand, core: Core) -> int:
    return core.vector.cycles(command.rows, command.row_elements, command.simple_passes, command.special_passes)


def _transfers(program: Program, accelerator: Accelerator, kinds: Kinds, work: list[_Work]) -> None:
    """Note the first tiles of every group, whether it is tight, and its last store."""
    dram, layer = accelerator.dram, kinds.layer
    loads, stores = kinds.on("load"), kinds.on("store")
    firsts = _firsts(layer, np.arange(len(layer)))
    stores_before = {group: int(np.searchsorted(stores, place)) for group, place in firsts}
    weight = kinds.each(lambda c: isinstance(c, LoadCommand) and c.writes[0].memory == "weight")
    for group, place in _firsts(layer, np.sort(np.concatenate((loads, stores)))):
        if weight[place]:
            work[group].first_weight_beats = _beats(program.commands[place], dram)
    in_order = accelerator.core.dma.load_engines == 1  # else tiles of a group may overtake the input that it waits for
    for group, place in _firsts(layer, loads[weight[loads] == 0]):
        command, needed = program.commands[place], stores_before[group]
        work[group].head_cycles = dram.latency_cycles + dram.beats_cycles(_beats(command, dram))
        work[group].tight = in_order and bool(needed) and dict(command.waits).get("store", 0) >= needed
    for group, place in _firsts(layer, stores[::-1]):
        beats = _beats(program.commands[place], dram)
        work[group].store_cycles = dram.latency_cycles + dram.beats_cycles(beats)


def _passes(
    program: Program, accelerator: Accelerator, kinds: Kinds, timings: dict[str, ArrayTiming], work: list[_Work]
) -> None:
    """Note what loads between jobs cost the array, and the last vector command behind its drain."""
    core, layer, array = accelerator.core, kinds.layer, kinds.on("array")
    load = kinds.each(lambda c: timings[c.dataflow].load_cycles if isinstance(c, ComputeCommand) else 0)[array]
    stream = kinds.each(lambda c: c.job.stream if isinstance(c, ComputeCommand) else 0)[array]
    exposed = np.maximum(0, load[1:] + core.dma.issue_cycles - stream[:-1]) * (layer[array][1:] == layer[array][:-1])
    extra = np.zeros(len(work), dtype=np.int64)
    np.add.at(extra, layer[array][1:], exposed)
    for item, cycles in zip(work, extra.tolist(), strict=True):
        item.array += cycles
    for group, place in _firsts(layer, kinds.on("vector")[::-1]):
        command = program.commands[place]
        assert isinstance(command, VectorCommand)
        ahead = array[(array < place) & (layer[array] == group)]
        last = program.commands[int(ahead[-1])] if len(ahead) else None
        drain = timings[last.dataflow].drain_latency_cycles if isinstance(last, ComputeCommand) else 0
        work[group].tail_cycles = Fraction(drain + _vector_cycles(command, core))


def _firsts(layer: IntArray, places: IntArray) -> list[tuple[int, int]]:
    """Return (group, the first of `places` in it) of every group that has one."""
    groups, first = np.unique(layer[places], return_index=True)
    return list(zip(groups.tolist(), places[first].tolist(), strict=True))
