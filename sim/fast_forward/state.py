"""Everything that a machine's future depends on, relative to a time and a command: equal states have equal futures.

Taken when everything of the current cycle has happened: all that is pending are timers in the future. They are listed
in the order in which the kernel will take them, so that even what happens in one cycle happens in the same order.
Engines without commands in the period stand still at one command, which is named absolutely.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import simpy

from mappers.commands import ENGINES
from sim.channel import Channel
from sim.fast_forward.periods import IntArray, Region
from sim.machine import Machine
from sim.spans import Work

Place = tuple[Region, int]
"""Region of a machine and the command that times and commands are counted from."""


def state_of(
    env: simpy.Environment,
    channel: Channel,
    machines: Sequence[Machine],
    codes: Sequence[IntArray],
    places: Sequence[Place],
) -> Hashable:
    """Return the state of `machines` on `channel` now."""
    now = int(env.now)
    parts = [_machine(machine, code, place, now) for machine, code, place in zip(machines, codes, places, strict=True)]
    return channel.state(now), tuple(parts), _timers(env, channel, places, now)


def _machine(machine: Machine, codes: IntArray, place: Place, now: int) -> Hashable:
    region, origin = place
    flight = []
    for engine in ENGINES:
        moves = region.counts[engine] > 0
        at, own = machine.cursor[engine], machine.own[engine]
        frontier = (own[at] - origin if moves else own[at]) if at < len(own) else None
        works = tuple(
            [_moving(work, codes, origin, now) if moves else _still(work, now) for work in machine.flight[engine]]
        )
        flight.append((frontier, works))
    queue = machine.queue.state(now, machine.idle_cycles)
    phase = 0 if machine.vector_clock is None else machine.vector_clock.phase(now)
    return tuple(flight), queue, _slots(machine, region, origin), phase


def _moving(work: Work, codes: IntArray, origin: int, now: int) -> Hashable:
    span, stage = work.span, work.stage
    times = (
        span.head - now if stage else 0,
        span.ready - now if stage > 1 else 0,
        span.issue - now if stage > 2 else 0,
    )
    began = (span.begin - now if span.begin >= 0 else None, span.last - now if span.last >= 0 else None)
    return work.index - origin, int(codes[work.index]), stage, times, began, span.cause


def _still(work: Work, now: int) -> Hashable:
    """Return the state of a command whose engine has none in the period: it may wait, and has not been issued."""
    if work.stage > 1:
        return work.index, work.stage, work.span.head - now
    wait = None if work.wait is None else work.wait[0]
    return work.index, work.stage, wait, work.span.cause


def _slots(machine: Machine, region: Region, origin: int) -> Hashable:
    """Return the live slots; the content is named by the command that touched it last, older ones by their tag."""
    result = []
    for slot, writers, was_read in machine.slots.live():
        index, place = machine.mentions[slot.tag]
        name = (index - origin, place) if region.moves(index) else (slot.tag,)
        result.append((slot.memory, slot.half, slot.offset_bytes, slot.size_bytes, writers, was_read, name))
    return tuple(sorted(result))


def _timers(env: simpy.Environment, channel: Channel, places: Sequence[Place], now: int) -> Hashable:
    result: list[Hashable] = []
    for time, priority, _, event in sorted(env._queue, key=lambda entry: entry[:3]):
        value = event.value
        if isinstance(value, tuple):
            number, work = value
            region, origin = places[number]
            engine = work.command.engine
            index = work.index - origin if region.counts[engine] else work.index
            result.append((int(time) - now, priority, number, engine, index))
        elif channel.is_planned(value):
            result.append((int(time) - now, priority))
    return tuple(result)
