"""The event model: four in-order engines, a DRAM channel and the scratchpads run a command list.

Cycles emerge from commands that compete for buffers, ports and bandwidth; nothing of the mapper's analytic cost is
read.

Rules (docs/architecture.md §3 to §5). Every engine takes its commands in order and issues one `issue_cycles` after its
waits hold and the engine is ready:

* load: ready when fewer than `outstanding` loads are in flight; the request is eligible for the bus L cycles after
  issue (one at least), and complete with its last beat;
* store: likewise; eligible one cycle after issue, complete L cycles after its last beat;
* array: ready when the last fold of the command before has started streaming; the stream then follows the fold rule
  of the array's timing object; complete `drain_latency_cycles` after the last operand. A change of dataflow waits for
  the completion of the command before;
* vector: ready when the command before is complete; complete after `VectorUnit.cycles`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from hw_models.accelerator import Accelerator, Dataflow
from hw_models.array_timing import ArrayTiming, timing_of
from hw_models.banking.passes import PassTimes
from hw_models.systolic import FoldJob
from mappers.commands import (
    ENGINES,
    AnyCommand,
    ComputeCommand,
    Engine,
    LoadCommand,
    Program,
    StoreCommand,
    VectorCommand,
)
from sim.banked import BankTiming
from sim.channel import READ, WRITE, Channel
from sim.dram.memory import TimedChannel
from sim.dram.report import DramRun
from sim.requests import RequestSequencer
from sim.slots import SlotMonitor
from workloads.errors import Infeasible, InfeasibleError, InternalError


@dataclass(slots=True)
class Span:
    """What happened to one command, in cycles.

    `head`: it was first in its engine's queue; `ready`: its waits held; `issue`: it was issued; `begin`: first beat,
    first operand or first step; `last`: last beat, last operand or last step; `end`: complete. `cause`: the engine
    whose completion was the last it waited for, or "".
    """

    head: int = -1
    ready: int = -1
    issue: int = -1
    begin: int = -1
    last: int = -1
    end: int = -1
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The raw outcome of a program.

    Parameters
    ----------
    spans : tuple of Span
        One per command, in program order.
    bus : list of (stream, start, end)
        Bus intervals in units of 1/`bus_units` cycle; stream 0 reads, 1 writes.
    dram : DramRun, optional
        What a DRAM with timing did.
    conflicts : dict of int to int
        Per array command that waited for banks, the cycles of its streams in which no operand entered for that.
    """

    cycles: int
    spans: tuple[Span, ...]
    bus: list[tuple[int, int, int]]
    bus_units: int
    peak_scratchpad_bytes: int
    occupancy: list[tuple[int, Any, int]]
    events: int = field(default=0)
    dram: DramRun | None = None
    conflicts: dict[int, int] = field(default_factory=dict)


class ArrayQueue:
    """Timing of back-to-back jobs on the array: the one place where the fold rule meets the clock."""

    def __init__(self) -> None:
        self._timing: ArrayTiming | None = None
        self._end: int | None = None
        self._stream = 0
        self._done = 0

    def earliest_issue(self, timing: ArrayTiming) -> int:
        """Return the first cycle at which the next job may be taken."""
        if self._end is None:
            return 0
        return self._end - self._stream if timing == self._timing else self._done

    def issue(
        self, timing: ArrayTiming, job: FoldJob, cycle: int, banked: PassTimes | None = None
    ) -> tuple[int, int, int]:
        """Take `job` at `cycle`; return (first operand, last operand entered, complete).

        `banked`: times of its folds where operands wait for banks.
        """
        previous = self._end if timing == self._timing else None
        stream, extra = job.stream, 0
        if banked is None:
            end = timing.stream_end_cycle(job, cycle, previous)
            begin = end - (job.folds - 1) * timing.interval_cycles(job) - job.stream
        else:
            begin, end = banked.begin_end(cycle, previous)
            stream, extra = banked.last_stream_cycles, banked.drain_extra_cycles
        self._timing, self._end, self._stream = timing, end, stream
        self._done = end + timing.drain_latency_cycles + extra
        return begin, end, self._done


def simulate_jobs(
    timing: ArrayTiming, jobs: Sequence[FoldJob], earliest_issue_cycles: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Return (issue, complete) of jobs offered back to back to one array, without sequencer or memories.

    Parameters
    ----------
    earliest_issue_cycles : sequence of int, optional
        Per job, the cycle before which it is not offered.
    """
    queue, spans = ArrayQueue(), []
    for index, job in enumerate(jobs):
        offered = earliest_issue_cycles[index] if earliest_issue_cycles else 0
        issue = max(offered, queue.earliest_issue(timing))
        spans.append((issue, queue.issue(timing, job, issue)[2]))
    return spans


class Machine:
    """One run of one program; see the module docstring for the rules."""

    def __init__(
        self,
        program: Program,
        accelerator: Accelerator,
        env: simpy.Environment | None = None,
        channel: Channel | TimedChannel | None = None,
        number: int = 0,
    ) -> None:
        self._env = env or simpy.Environment()
        self._number = number
        self._program, self._accelerator = program, accelerator
        self._issue = accelerator.core.dma.issue_cycles
        self._channel = channel or open_channel(self._env, accelerator)
        self._fits(program)
        self._slots = SlotMonitor(accelerator)
        self._spans = tuple(Span() for _ in program.commands)
        names = (*ENGINES, *(_load_engine(n) for n in range(1, accelerator.core.dma.load_engines + 1)))
        self._done: dict[str, int] = dict.fromkeys(names, 0)
        self._waiting: dict[str, dict[int, list[simpy.Event]]] = {name: {} for name in names}
        self._load_number = {index: n for n, (index, _) in enumerate(self._own("load"), 1)}
        self._arrived: set[int] = set()
        self._queue = ArrayQueue()
        core = accelerator.core
        self._banks = BankTiming(core) if core.has_banks else None
        self._conflicts: dict[int, int] = {}
        depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
        self._timings: dict[Dataflow, ArrayTiming] = {
            flow: timing_of(core.array, flow, depth) for flow in core.array.dataflows if flow != "rs"
        }

    def run(self) -> Run:
        """Run every command and return what happened."""
        self.start()
        self._env.run()
        return self.outcome()

    def start(self) -> None:
        """Start the engines; they act when the environment runs."""
        dma = self._accelerator.core.dma
        for number in range(dma.load_engines):
            self._env.process(self._transfers("load", READ, number))
        self._env.process(self._array())
        self._env.process(self._vector())
        self._env.process(self._transfers("store", WRITE))

    def outcome(self) -> Run:
        """Return what happened, once the environment has nothing left to do."""
        for index, span in enumerate(self._spans):
            if span.end < 0:
                command = self._program.commands[index]
                raise InternalError(
                    f"program '{self._program.workload}': command {index} ({command.engine}) never completed, it waits "
                    f"for {list(command.waits)} and the engines have completed {self._done}; the lowering is wrong"
                )
        left = self._slots.leftover()
        if left:
            raise InternalError(
                f"program '{self._program.workload}': {left[0]} is never released; the lowering is wrong"
            )
        cycles = max((span.end for span in self._spans), default=0)
        return Run(
            cycles=cycles,
            spans=self._spans,
            bus=self._channel.busy,
            bus_units=self._channel.units_per_cycle,
            peak_scratchpad_bytes=self._slots.peak_bytes,
            occupancy=self._slots.occupancy,
            dram=self._channel.outcome(self._now) if isinstance(self._channel, TimedChannel) else None,
            conflicts=self._conflicts,
        )

    def _fits(self, program: Program) -> None:
        """Refuse a memory image that the DRAM has no room for."""
        device = self._accelerator.dram.device
        if device is not None and program.dram_bytes > device.capacity_bytes:
            raise InfeasibleError(
                Infeasible(
                    subject=f"memory image of '{program.workload}'",
                    constraint=f"capacity[{device.standard.name}]",
                    demand=program.dram_bytes,
                    bound=device.capacity_bytes,
                    unit="bytes",
                    levers=("raise dram.ranks or dram.channels",),
                )
            )

    @property
    def _now(self) -> int:
        """Value of the current cycle; every delay is an integer, so the kernel's clock is one."""
        return int(self._env.now)

    # --- synchronisation ------------------------------------------------------------------------------------------

    def _own(self, engine: Engine) -> list[tuple[int, AnyCommand]]:
        return [(i, command) for i, command in enumerate(self._program.commands) if command.engine == engine]

    def _until(self, engine: str, count: int) -> simpy.Event | None:
        """Return an event for the `count`-th completion of `engine`, or None if that is past.

        Loads of several engines count for the others in program order: the n-th when the first n have arrived.
        """
        if self._done[engine] >= count:
            return None
        event = self._env.event()
        self._waiting[engine].setdefault(count, []).append(event)
        return event

    def _wait(self, command: AnyCommand, span: Span) -> Generator[simpy.Event, None, None]:
        """Wait for every (engine, count) of `command`; note who was last."""
        span.head = self._now
        for engine, count in command.waits:
            event = self._until(engine, count)
            if event is not None:
                yield event
                span.cause = engine
        span.ready = self._now

    def _complete(self, index: int) -> None:
        """Finish command `index` now: slots, counters, waiters."""
        command, now = self._program.commands[index], self._now
        self._spans[index].end = now
        for slot in command.writes:
            self._slots.end_write(slot)
        for slot in command.releases:
            self._slots.release(slot, now)
        if isinstance(command, LoadCommand) and self._accelerator.core.dma.load_engines > 1:
            self._count(_load_engine(command.dma + 1))
            self._arrived.add(self._load_number[index])
            while self._done["load"] + 1 in self._arrived:
                self._arrived.remove(self._done["load"] + 1)
                self._count("load")
            return
        self._count(command.engine)

    def _count(self, engine: str) -> None:
        """Note one more completion of `engine` and wake who waited for it."""
        self._done[engine] += 1
        for event in self._waiting[engine].pop(self._done[engine], ()):
            event.succeed()

    def _complete_at(self, index: int, cycle: int) -> None:
        timeout = self._env.timeout(cycle - self._now)
        timeout.callbacks.append(lambda _: self._complete(index))

    def _open(self, command: AnyCommand) -> None:
        """Check what `command` reads and open what it writes, at its issue."""
        for slot in command.reads:
            self._slots.read(slot, self._now)
        for slot in command.writes:
            self._slots.begin_write(slot, self._now)

    # --- engines --------------------------------------------------------------------------------------------------

    def _transfers(self, engine: Engine, direction: int, dma_number: int = 0) -> Generator[simpy.Event, None, None]:
        dram, dma = self._accelerator.dram, self._accelerator.core.dma
        stream = 2 * (self._number * dma.load_engines + dma_number) + direction
        delay = max(1, dram.latency_cycles) if direction == READ else 1
        response = 0 if direction == READ else dram.latency_cycles
        outstanding, counter, own = dma.outstanding, str(engine), self._own(engine)
        if direction == READ and dma.load_engines > 1:
            outstanding, counter = dma.engine_slots(dma_number), _load_engine(dma_number + 1)
            own = [(i, c) for i, c in own if isinstance(c, LoadCommand) and c.dma == dma_number]
        sequencer = None
        if dma.sends_requests:
            assert isinstance(self._channel, Channel)
            sequencer = RequestSequencer(self._env, self._channel, dma, stream, delay, response)
        for number, (index, command) in enumerate(own):
            assert isinstance(command, LoadCommand | StoreCommand)
            span = self._spans[index]
            room = self._until(counter, number - outstanding + 1)
            if room is not None:
                yield room
            yield from self._wait(command, span)
            if self._issue:
                yield self._env.timeout(self._issue)
            span.issue = self._now
            self._open(command)

            def begun(cycle: int, span: Span = span) -> None:
                span.begin = cycle

            def done(cycle: int, span: Span = span, index: int = index) -> None:
                span.last = cycle
                if response:
                    self._complete_at(index, cycle + response)
                else:
                    self._complete(index)

            if sequencer is not None:
                sequencer.submit(command.transfers, begun, done)
            else:
                self._channel.submit(stream, self._now + delay, command.transfers, begun, done)

    def _array(self) -> Generator[simpy.Event, None, None]:
        for index, command in self._own("array"):
            assert isinstance(command, ComputeCommand)
            span, timing = self._spans[index], self._timings[command.dataflow]
            ready = self._queue.earliest_issue(timing)
            if ready > self._now:
                yield self._env.timeout(ready - self._now)
            yield from self._wait(command, span)
            if self._issue:
                yield self._env.timeout(self._issue)
            span.issue = self._now
            self._open(command)
            banked = None if self._banks is None else self._banks.pass_times(command)
            if banked is not None and banked.conflict_cycles:
                self._conflicts[index] = banked.conflict_cycles
            span.begin, span.last, end = self._queue.issue(timing, command.job, self._now, banked)
            self._complete_at(index, end)

    def _vector(self) -> Generator[simpy.Event, None, None]:
        unit = self._accelerator.core.vector
        for index, command in self._own("vector"):
            assert isinstance(command, VectorCommand)
            span = self._spans[index]
            yield from self._wait(command, span)
            if self._issue:
                yield self._env.timeout(self._issue)
            span.issue = span.begin = self._now
            self._open(command)
            cycles = unit.cycles(command.rows, command.row_elements, command.simple_passes, command.special_passes)
            if self._banks is not None:
                cycles += self._banks.vector_extra_cycles(command)
            yield self._env.timeout(cycles)
            span.last = self._now
            self._complete(index)


def _load_engine(number: int) -> str:
    """Return the name under which load engine `number` counts, from 1 on."""
    return f"load {number}"


def open_channel(env: simpy.Environment, accelerator: Accelerator, cores: int = 1) -> Channel | TimedChannel:
    """Return the memory of `accelerator`, for `cores` cores that share it."""
    dram = accelerator.dram
    if dram.device is None:
        return Channel(env, dram, cores * accelerator.core.dma.load_engines)
    return TimedChannel(env, dram.device, accelerator.clock_mhz, cores)


def run_program(program: Program, accelerator: Accelerator) -> Run:
    """Run `program` on `accelerator` and return what happened."""
    return Machine(program, accelerator).run()
