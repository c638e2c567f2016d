"""The engines of a machine as processes: loads and stores, the array, the vector unit (rules in `sim.machine`)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from mappers.commands import ComputeCommand, LoadCommand, StoreCommand, VectorCommand
from sim.channel import READ, WRITE
from sim.requests import RequestSequencer
from sim.spans import Span, Work

if TYPE_CHECKING:
    from sim.machine import Machine

Process = Generator[simpy.Event, None, None]


def transfers(machine: Machine, lane: str, direction: int, engine: int) -> Process:
    """Run load or store engine `engine`, which takes the commands of `lane`."""
    dram, dma = machine.accelerator.dram, machine.dma
    stream = machine.stream(engine, direction)
    delay = dram.read_delay if direction == READ else lambda _: 1
    response = dram.response_delay if direction == WRITE else lambda _: 0
    outstanding = dma.engine_slots(engine) if direction == READ else dma.outstanding
    sequencer = None
    if dma.sends_requests:
        sequencer = RequestSequencer(machine.env, machine.port, dma, stream, delay, response)
        machine.sequencers[stream] = sequencer
    number = 0
    while (work := machine.take(lane)) is not None:
        number += 1
        room = machine.until(lane, number - outstanding)
        if room is not None:
            yield room
        yield from machine.wait(work)
        if machine.issue:
            yield machine.timer(machine.issue, work)
        machine.open(work)
        command = work.command
        assert isinstance(command, LoadCommand | StoreCommand)

        def begun(cycle: int, span: Span = work.span) -> None:
            span.begin = cycle

        def done(cycle: int, work: Work = work) -> None:
            work.span.last = cycle
            after = response(cycle)
            if after:
                machine.complete_at(work, cycle + after)
            else:
                machine.complete(work)

        if sequencer is not None:
            sequencer.submit(command.transfers, begun, done)
        else:
            machine.port.submit(stream, machine.now + delay(machine.now), command.transfers, begun, done)


def array(machine: Machine) -> Process:
    """Run the array."""
    while (work := machine.take("array")) is not None:
        assert isinstance(work.command, ComputeCommand)
        timing = machine.timings[work.command.dataflow]
        ready = machine.queue.earliest_issue(timing)
        if ready > machine.now:
            yield machine.timer(ready - machine.now, work)
        yield from machine.wait(work)
        if machine.issue:
            yield machine.timer(machine.issue, work)
        machine.open(work)
        command, span = work.command, work.span
        assert isinstance(command, ComputeCommand)
        banked = None if machine.banks is None else machine.banks.pass_times(command)
        if banked is not None:
            work.conflict_cycles = banked.conflict_cycles
        span.begin, span.last, end = machine.queue.issue(timing, command.job, machine.now, banked)
        machine.complete_at(work, end)


def vector(machine: Machine) -> Process:
    """Run the vector unit."""
    unit = machine.accelerator.core.vector
    while (work := machine.take("vector")) is not None:
        yield from machine.wait(work)
        if machine.issue:
            yield machine.timer(machine.issue, work)
        machine.open(work)
        command, span = work.command, work.span
        assert isinstance(command, VectorCommand)
        span.begin = machine.now
        own = unit.own_cycles(command.rows, command.row_elements, command.simple_passes, command.special_passes)
        if machine.banks is not None:
            own += machine.banks.vector_extra_cycles(command)
        yield machine.timer(unit.ends(machine.now, own) - machine.now, work)
        span.last = machine.now
        machine.complete(work)
