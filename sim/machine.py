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

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import simpy

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timings_of
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
from sim.array_queue import ArrayQueue
from sim.banked import BankTiming
from sim.channel import READ, WRITE, Channel
from sim.collector import paused
from sim.dram.memory import TimedChannel
from sim.dram.report import DramRun
from sim.host import hand_out, issued
from sim.links import LinkPort
from sim.progress import drive
from sim.requests import RequestSequencer
from sim.slots import SlotMonitor
from sim.span_table import Spans
from sim.spans import Span, Work
from workloads.errors import Infeasible, InfeasibleError, InternalError


@dataclass(frozen=True, slots=True)
class Run:
    """The raw outcome of a program.

    Parameters
    ----------
    spans : sequence of Span
        One per command, in program order.
    bus : list of (stream, start, end)
        Bus intervals in units of 1/`bus_units` cycle; stream 0 reads, 1 writes.
    dram : DramRun, optional
        What a DRAM with timing did.
    skipped : int
        Commands that a fast-forward left out; their spans are those of the period it saw, moved.
    conflicts : dict of int to int
        Per array command that waited for banks, the cycles of its streams in which no operand entered for that.
    """

    cycles: int
    spans: Sequence[Span]
    bus: list[tuple[int, int, int]]
    bus_units: int
    peak_scratchpad_bytes: int
    occupancy: list[tuple[int, Any, int]]
    events: int = field(default=0)
    dram: DramRun | None = None
    skipped: int = 0
    conflicts: dict[int, int] = field(default_factory=dict)


class Machine:
    """One run of one program; see the module docstring for the rules."""

    def __init__(
        self,
        program: Program,
        accelerator: Accelerator,
        env: simpy.Environment,
        channel: Channel | TimedChannel,
        number: int = 0,
    ) -> None:
        self._env = env
        self._number = number
        self.program, self._accelerator = program, accelerator
        self._issue = accelerator.core.dma.issue_cycles
        self._channel = channel
        link = accelerator.core.link
        beat = accelerator.dram.beat_bytes
        self._port = channel if link is None else LinkPort(env, channel, link, beat)
        self._fits(program)
        self.slots = SlotMonitor(accelerator)
        self.spans = Spans(len(program.commands))
        self._dma = accelerator.core.dma
        loads = [f"load {n + 1}" for n in range(self._dma.load_engines)] if self._dma.engines else ["load"]
        self.lanes: tuple[str, ...] = (*loads, "array", "vector", "store")
        """Engines that take commands in order; several load engines are a lane each."""
        self.own: dict[str, list[int]] = {lane: [] for lane in self.lanes}
        self._load_number: dict[int, int] = {}
        if self._dma.engines:
            for index, command in enumerate(program.commands):
                self.own[self.lane(command)].append(index)
                if command.engine == "load":
                    self._load_number[index] = len(self._load_number) + 1
        else:
            for index, engine in enumerate(map(attrgetter("engine"), program.commands)):
                self.own[engine].append(index)
        self._arrived: set[int] = set()
        self.cursor: dict[str, int] = dict.fromkeys(self.lanes, 0)
        """Per lane, commands taken or left out."""
        self.flight: dict[str, deque[Work]] = {lane: deque() for lane in self.lanes}
        self.passed: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        self.offset = 0
        """Cycles left out so far: what the machine's clock is behind."""
        self.mentions: dict[int, tuple[int, int]] = {}
        """Per live tag, the last issued command that names it, and where among its slots."""
        self.completed: int = 0
        self.watch: set[int] = set()
        """Commands whose completion `note` is told."""
        self.note: Callable[[int], None] = _ignore
        counters = (*ENGINES, *self.lanes, "host", *(issued(lane) for lane in self.lanes))
        self.done: dict[str, int] = dict.fromkeys(counters, 0)
        self.waiting: dict[str, dict[int, list[simpy.Event]]] = {name: {} for name in counters}
        self.given: dict[int, int] = {}
        """Per command, the cycle at which a host handed it out."""
        self.queue = ArrayQueue()
        core = accelerator.core
        self._banks = BankTiming(core) if core.has_banks else None
        self.conflicts: dict[int, int] = {}
        self.idle_cycles = 1 << 62 if core.has_banks else core.array.rows + core.array.cols
        """Cycles after its end in which a job still holds up the next: result rows of an OS fold leave one by one."""
        depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
        self._timings = timings_of(core.array, depth)

    def start(self) -> None:
        """Start the engines; they act when the environment runs."""
        for number, lane in enumerate(self.lanes[:-3]):
            self._env.process(self._transfers(lane, READ, number))
        self._env.process(self._array())
        self._env.process(self._vector())
        self._env.process(self._transfers("store", WRITE))
        if self._dma.host is not None:
            self._env.process(hand_out(self, self._dma.host, self._env))

    @property
    def repeats(self) -> bool:
        """Value telling whether all that the future depends on is in the state that a fast-forward compares."""
        dma = self._dma
        return not (
            dma.engines or dma.sends_requests or dma.host is not None or self._accelerator.core.link is not None
        )

    def outcome(self) -> Run:
        """Return what happened, once the environment has nothing left to do."""
        if self.spans.missing:
            raise InternalError(
                f"program '{self.program.workload}': {self.spans.missing} commands never completed; "
                f"run it with `sim.progress.drive`, which says who waits"
            )
        left = self.slots.leftover()
        if left:
            raise InternalError(
                f"program '{self.program.workload}': {left[0]} is never released; the lowering is wrong"
            )
        cycles = int(self.spans.times[:, -1].max(initial=0))
        return Run(
            cycles=cycles,
            spans=self.spans,
            bus=self._channel.busy,
            bus_units=self._channel.units_per_cycle,
            peak_scratchpad_bytes=self.slots.peak_bytes,
            occupancy=self.slots.occupancy,
            dram=self._channel.outcome(self._now) if isinstance(self._channel, TimedChannel) else None,
            conflicts=self.conflicts,
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
        now: int = self._env.now  # type: ignore[assignment]
        return now

    # --- synchronisation ------------------------------------------------------------------------------------------

    def lane(self, command: AnyCommand) -> str:
        """Return the lane that takes `command`."""
        if isinstance(command, LoadCommand) and self._dma.engines:
            return self.lanes[command.dma]
        return command.engine

    def _take(self, lane: str) -> Work | None:
        """Return the next command of `lane`, taken, or None if there is none."""
        at, own = self.cursor[lane], self.own[lane]
        if at == len(own):
            return None
        self.cursor[lane] = at + 1
        work = Work(own[at], self.program.commands[own[at]], self.passed)
        self.flight[lane].append(work)
        return work

    def until(self, counter: str, count: int) -> simpy.Event | None:
        """Return an event for `counter` reaching `count`, or None if that is past; engines count completions.

        Loads of several engines count for the others in program order: n when the first n have arrived.
        """
        if self.done[counter] >= count:
            return None
        event = self._env.event()
        self.waiting[counter].setdefault(count, []).append(event)
        return event

    def count(self, counter: str) -> None:
        """Raise `counter` by one and wake who waited for that."""
        self.done[counter] += 1
        for event in self.waiting[counter].pop(self.done[counter], ()):
            event.succeed()

    def _wait(self, work: Work) -> Generator[simpy.Event, None, None]:
        """Wait for the host and for every (engine, count) of the command; note who was last."""
        if self._dma.host is not None:
            given = self.until("host", work.index + 1)
            if given is not None:
                yield given
            work.span.given = self.given[work.index]
        work.stage, work.span.head = 1, self._now
        for engine, count in work.command.waits:
            own_count = count - work.passed[engine]
            event = self.until(engine, own_count)
            if event is not None:
                work.wait = (engine, own_count, event)
                yield event
                work.wait = None
                work.span.cause = engine
        work.stage, work.span.ready = 2, self._now

    def _complete(self, work: Work) -> None:
        """Finish `work` now: slots, counters, waiters."""
        command, now, span = work.command, self._now, work.span
        span.end = now
        for slot in command.writes:
            self.slots.end_write(slot)
        for slot in command.releases:
            self.slots.release(slot, now + self.offset)
            self.mentions.pop(slot.tag, None)
        lane = self.lane(command) if self._dma.engines else command.engine
        if self.flight[lane].popleft() is not work:
            raise InternalError(f"program '{self.program.workload}': {lane} commands complete out of order")
        self.spans.put(work.index, span, self.offset)
        if work.conflict_cycles:
            self.conflicts[work.index] = work.conflict_cycles
        self.completed += 1
        if work.index in self.watch:
            self.note(work.index)
        self.count(lane)
        if lane != command.engine:
            self._arrived.add(self._load_number[work.index])
            while self.done["load"] + 1 in self._arrived:
                self._arrived.remove(self.done["load"] + 1)
                self.count("load")

    def _complete_at(self, work: Work, cycle: int) -> None:
        timeout = self._timer(cycle - self._now, work)
        timeout.callbacks.append(lambda _: self._complete(work))

    def _timer(self, cycles: int, work: Work) -> simpy.Timeout:
        """Return an event `cycles` from now that says whose it is."""
        return self._env.timeout(cycles, (self._number, work))

    def _open(self, work: Work) -> None:
        """Issue `work` now: check what it reads and open what it writes."""
        command, now = work.command, self._now
        work.stage, work.span.issue = 3, now
        for slot in command.reads:
            self.slots.read(slot, now + self.offset)
        for slot in command.writes:
            self.slots.begin_write(slot, now + self.offset)
        for place, slot in enumerate(command.reads + command.writes):
            self.mentions[slot.tag] = (work.index, place)
        if self._dma.host is not None:
            self.count(issued(self.lane(command)))

    # --- engines --------------------------------------------------------------------------------------------------

    def _transfers(self, lane: str, direction: int, engine: int = 0) -> Generator[simpy.Event, None, None]:
        dram, dma = self._accelerator.dram, self._dma
        stream = 2 * (self._number * dma.load_engines + engine) + direction
        delay = max(1, dram.latency_cycles) if direction == READ else 1
        response = 0 if direction == READ else dram.latency_cycles
        outstanding = dma.engine_slots(engine) if direction == READ else dma.outstanding
        sequencer = None
        if dma.sends_requests:
            sequencer = RequestSequencer(self._env, self._port, dma, stream, delay, response)
        number = 0
        while (work := self._take(lane)) is not None:
            number += 1
            room = self.until(lane, number - outstanding)
            if room is not None:
                yield room
            yield from self._wait(work)
            if self._issue:
                yield self._timer(self._issue, work)
            self._open(work)
            command = work.command
            assert isinstance(command, LoadCommand | StoreCommand)

            def begun(cycle: int, span: Span = work.span) -> None:
                span.begin = cycle

            def done(cycle: int, work: Work = work) -> None:
                work.span.last = cycle
                if response:
                    self._complete_at(work, cycle + response)
                else:
                    self._complete(work)

            if sequencer is not None:
                sequencer.submit(command.transfers, begun, done)
            else:
                self._port.submit(stream, self._now + delay, command.transfers, begun, done)

    def _array(self) -> Generator[simpy.Event, None, None]:
        while (work := self._take("array")) is not None:
            assert isinstance(work.command, ComputeCommand)
            timing = self._timings[work.command.dataflow]
            ready = self.queue.earliest_issue(timing)
            if ready > self._now:
                yield self._timer(ready - self._now, work)
            yield from self._wait(work)
            if self._issue:
                yield self._timer(self._issue, work)
            self._open(work)
            command, span = work.command, work.span
            assert isinstance(command, ComputeCommand)
            banked = None if self._banks is None else self._banks.pass_times(command)
            if banked is not None:
                work.conflict_cycles = banked.conflict_cycles
            span.begin, span.last, end = self.queue.issue(timing, command.job, self._now, banked)
            self._complete_at(work, end)

    def _vector(self) -> Generator[simpy.Event, None, None]:
        unit = self._accelerator.core.vector
        while (work := self._take("vector")) is not None:
            yield from self._wait(work)
            if self._issue:
                yield self._timer(self._issue, work)
            self._open(work)
            command, span = work.command, work.span
            assert isinstance(command, VectorCommand)
            span.begin = self._now
            cycles = unit.cycles(command.rows, command.row_elements, command.simple_passes, command.special_passes)
            if self._banks is not None:
                cycles += self._banks.vector_extra_cycles(command)
            yield self._timer(cycles, work)
            span.last = self._now
            self._complete(work)


def _ignore(_: int) -> None:
    return None


def open_channel(
    env: simpy.Environment, accelerator: Accelerator, cores: int = 1, *, fast_forward: bool = True
) -> Channel | TimedChannel:
    """Return the memory of `accelerator`, for `cores` cores that share it; `fast_forward` as in `run_program`."""
    dram = accelerator.dram
    if dram.device is None:
        return Channel(env, dram, cores * accelerator.core.dma.load_engines)
    return TimedChannel(env, dram.device, accelerator.clock_mhz, cores, fast=fast_forward)


def run_program(program: Program, accelerator: Accelerator, *, fast_forward: bool = True) -> Run:
    """Run `program` on `accelerator` and return what happened.

    Parameters
    ----------
    fast_forward : bool
        Leave out periods that repeat exactly (`sim.fast_forward`), and DRAM bursts whose times are known in closed form
        (`sim.dram.stream`, `sim.dram.hits`); the outcome is the same.
    """
    env = simpy.Environment()
    channel = open_channel(env, accelerator, fast_forward=fast_forward)
    machine = Machine(program, accelerator, env, channel)
    machine.start()
    with paused():
        skipped = drive(env, channel, (machine,), fast_forward=fast_forward)
    return replace(machine.outcome(), skipped=skipped[0])
