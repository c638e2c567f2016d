"""Leave out periods: give their commands the times of the period that was seen, and let the machine go on behind them.

The machine's clock and its counts of completions stand still. What is in flight now stands for the same commands so
many periods later; what the engines take next comes from behind the periods left out; times noted from now on have the
cycles left out added (`Machine.offset`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mappers.commands import ENGINES, Engine
from sim.channel import Channel
from sim.fast_forward.periods import Region
from sim.machine import Machine
from sim.spans import Work


@dataclass(frozen=True, slots=True)
class Mark:
    """How far things had come when a state was noted: real cycle, commands taken, lengths of the logs."""

    cycle: int
    cursors: tuple[tuple[int, ...], ...]
    occupancy: tuple[int, ...]
    busy: int


def mark_of(channel: Channel, machines: Sequence[Machine], now: int) -> Mark:
    """Return the mark of the present."""
    return Mark(
        now + machines[0].offset,
        tuple(tuple(machine.cursor[engine] for engine in ENGINES) for machine in machines),
        tuple(len(machine.slots.occupancy) for machine in machines),
        len(channel.busy),
    )


@dataclass(frozen=True, slots=True)
class Stride:
    """What one machine does from one mark to the next: commands of each engine, and places in the program."""

    counts: tuple[int, ...]
    commands: int


def stride_of(machine: Machine, region: Region, before: Mark, number: int) -> Stride | None:
    """Return the stride since `before`, None if it is not a whole number of periods that the region covers."""
    counts = tuple(machine.cursor[engine] - at for engine, at in zip(ENGINES, before.cursors[number], strict=True))
    lead = ENGINES.index(region.lead)
    periods, rest = divmod(counts[lead], region.counts[ENGINES[lead]])
    if rest or periods < 1 or counts != tuple(region.counts[engine] * periods for engine in ENGINES):
        return None
    for engine, at, count in zip(ENGINES, before.cursors[number], counts, strict=True):
        if not count:
            continue
        own, flight = machine.own[engine], len(machine.flight[engine])
        oldest = machine.cursor[engine] - flight - count
        if oldest < 0 or own[min(oldest, at)] < region.low - region.period:
            return None
    return Stride(counts, periods * region.period)


def room_for(machine: Machine, region: Region, stride: Stride) -> int:
    """Return how many more strides the region and the commands that stand still leave room for."""
    room = []
    for engine, count in zip(ENGINES, stride.counts, strict=True):
        if count:
            last = machine.own[engine][machine.cursor[engine] - 1]
            room.append((region.high - 1 - last) // stride.commands)
            continue
        for work in machine.flight[engine]:
            if work.wait is not None:
                other, least, _ = work.wait
                moved = stride.counts[ENGINES.index(other)]
                if moved:
                    room.append((least - machine.done[other] - 1) // moved)
    return min(room)


def skip(
    channel: Channel,
    machines: Sequence[Machine],
    regions: Sequence[Region],
    strides: Sequence[Stride],
    mark: Mark,
    times: int,
    now: int,
) -> None:
    """Leave out `times` strides, each as long as the time from `mark` to `now`."""
    period = now + machines[0].offset - mark.cycle
    units = channel.units_per_cycle
    seen = channel.busy[mark.busy :]
    for k in range(1, times + 1):
        shift = k * period * units
        channel.busy += [(stream, start + shift, end + shift) for stream, start, end in seen]
    channel.offset += times * period * units
    for number, (machine, region, stride) in enumerate(zip(machines, regions, strides, strict=True)):
        _copy_spans(machine, stride, period, times)
        changes = machine.slots.occupancy[mark.occupancy[number] :]
        for k in range(1, times + 1):
            machine.slots.occupancy += [(cycle + k * period, memory, live) for cycle, memory, live in changes]
        _move(machine, region, stride, times, times * period)


def _copy_spans(machine: Machine, stride: Stride, period: int, times: int) -> None:
    """Give every command left out the span of its like in the last stride."""
    for engine, count in zip(ENGINES, stride.counts, strict=True):
        complete = machine.cursor[engine] - len(machine.flight[engine])
        seen = machine.own[engine][complete - count : complete]
        if seen:
            machine.spans.repeat(np.array(seen), stride.commands, period, times)
        if not machine.conflicts:
            continue
        for index in seen:
            conflict_cycles = machine.conflicts.get(index)
            if conflict_cycles:
                for k in range(1, times + 1):
                    machine.conflicts[index + k * stride.commands] = conflict_cycles


def _move(machine: Machine, region: Region, stride: Stride, times: int, cycles: int) -> None:
    """Let the machine stand `times` strides further."""
    commands = machine.program.commands
    ahead = stride.commands * times
    passed = dict(machine.passed)
    for engine, count in zip(ENGINES, stride.counts, strict=True):
        passed[engine] += count * times
        machine.cursor[engine] += count * times
    for engine, count in zip(ENGINES, stride.counts, strict=True):
        for work in machine.flight[engine]:
            if count:
                work.index += ahead
                work.command = commands[work.index]
                if not work.stage:
                    work.passed = passed
            else:
                _stand(machine, work, dict(zip(ENGINES, (n * times for n in stride.counts), strict=True)), cycles)
    machine.passed = passed
    machine.offset += cycles
    _rename(machine, region, ahead)


def _stand(machine: Machine, work: Work, gone: dict[Engine, int], cycles: int) -> None:
    """Keep `work`, whose engine stands still, where it is: the others have come nearer to what it waits for."""
    if work.stage:
        work.span.head -= cycles
    if work.wait is not None:
        other, least, event = work.wait
        if gone[other]:
            waiting = machine.waiting[other]
            waiting[least].remove(event)
            if not waiting[least]:
                del waiting[least]
            waiting.setdefault(least - gone[other], []).append(event)
            work.wait = (other, least - gone[other], event)
    work.passed = {engine: count + gone[engine] for engine, count in work.passed.items()}


def _rename(machine: Machine, region: Region, ahead: int) -> None:
    """Let every live slot that moves with the period hold the content that its like holds `ahead` commands later."""
    commands = machine.program.commands
    names, mentions = {}, {}
    for tag, (index, place) in machine.mentions.items():
        if not region.moves(index):
            mentions[tag] = (index, place)
            continue
        command = commands[index + ahead]
        slot = (command.reads + command.writes)[place]
        names[tag] = slot
        mentions[slot.tag] = (index + ahead, place)
    machine.slots.rename({tag: slot for tag, slot in names.items() if slot.tag != tag})
    machine.mentions = mentions
