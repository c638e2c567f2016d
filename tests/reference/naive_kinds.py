"""Naive twins of what `sim` works out once per kind of command: command by command, slot by slot."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hw_models.accelerator import Accelerator
from hw_models.array_timing import ArrayTiming, timing_of, timings_of
from mappers.commands import ENGINES, ComputeCommand, Engine, LoadCommand, Program, StoreCommand, VectorCommand
from sim.energy import Ledger, count_command
from sim.result import Bounds

START = {
    "array": 0, "beats": 0, "vector": 0, "first_weight_beats": 0, "head_cycles": Fraction(0),
    "tail_cycles": Fraction(0), "store_cycles": Fraction(0), "drain": 0, "tight": False,
}  # fmt: skip
TIMELESS = ("layer", "waits", "reads", "writes", "releases", "macs", "input_tensor", "weight_tensor", "output_tensor")


def naive_count(program: Program, accelerator: Accelerator) -> list[Ledger]:
    """Return one ledger per layer."""
    ledgers = [Ledger() for _ in program.layers]
    for command in program.commands:
        count_command(ledgers[command.layer], command, accelerator)
    return ledgers


def naive_bounds(program: Program, accelerator: Accelerator) -> Bounds:
    """Return the lower bounds of a run."""
    core, dram, timings = accelerator.core, accelerator.dram, timings_of(accelerator.core.array)
    macs = streaming = beats = vector = 0
    for c in program.commands:
        if isinstance(c, LoadCommand | StoreCommand):
            beats += sum(t.beats(dram.beat_bytes) for t in c.transfers)
        elif isinstance(c, ComputeCommand):
            macs += c.macs
            streaming += (c.job.folds - 1) * timings[c.dataflow].interval_cycles(c.job) + c.job.stream
        else:
            vector += core.vector.cycles(c.rows, c.row_elements, c.simple_passes, c.special_passes)
    least = -(-macs // core.array.multipliers)
    compute, bus = max(least, streaming), int(-(-dram.beats_cycles(beats) // 1))
    return Bounds(least, compute, bus, vector, max(compute, bus, vector))


def naive_codes(program: Program, beat_bytes: int) -> list[Hashable]:
    """Return a key per command: equal where the event model cannot tell two apart."""
    before: dict[str, int] = dict.fromkeys(ENGINES, 0)
    waited: dict[str, dict[str, int]] = {engine: {} for engine in ENGINES}
    last: dict[int, int] = {}
    keys: list[Hashable] = []
    for index, c in enumerate(program.commands):
        known, waits = waited[c.engine], []
        for other, count in c.waits:
            if count > known.get(other, 0):
                known[other] = count
                waits.append((other, before[other] - count))
        slots = []
        for slot in (*c.reads, *c.writes, *c.releases):
            since = index - last[slot.tag] if slot.tag in last else -1
            last[slot.tag] = index
            slots.append((slot.memory, slot.half, slot.offset_bytes, slot.size_bytes, since))
        keys.append((c.engine, tuple(waits), len(c.reads), len(c.writes), tuple(slots), _work(c, beat_bytes)))
        before[c.engine] += 1
    return keys


def _work(c: Any, beat_bytes: int) -> Hashable:
    if isinstance(c, LoadCommand | StoreCommand):
        return sum(t.beats(beat_bytes) for t in c.transfers)
    if isinstance(c, VectorCommand):
        return c.rows, c.row_elements, c.simple_passes, c.special_passes
    return tuple(getattr(c, f.name) for f in fields(c) if f.name not in (*TIMELESS, "walk"))


def naive_paint(
    pieces: list[tuple[int, int]], over: list[tuple[int, int]]
) -> tuple[list[tuple[int, int, int]], set[int]]:
    """Return (tick, piece, paint) of every tick that `over` takes, and the ticks of `pieces` that are left."""
    taken = [
        (tick, i, j)
        for i, (start, end) in enumerate(pieces)
        for j, (low, high) in enumerate(over)
        for tick in range(max(start, low), min(end, high))
    ]
    left = {tick for start, end in pieces for tick in range(start, end)} - {tick for tick, _, _ in taken}
    return taken, left


def naive_busy(program: Program, accelerator: Accelerator) -> list[dict[str, Any]]:
    """Return the work of every group of `mappers.analytic`, command by command."""
    core, dram = accelerator.core, accelerator.dram
    depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
    timings: dict[str, ArrayTiming] = {}
    work: list[Any] = [SimpleNamespace(**START) for _ in program.layers]
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
    return [{key: value for key, value in vars(item).items() if key != "drain"} for item in work]
