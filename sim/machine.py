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
from typing import Any

import simpy

from hw_models.accelerator import Accelerator
from hw_models.array_timing import ArrayTiming, timings_of
from hw_models.banking.passes import PassTimes
from hw_models.systolic import FoldJob
from mappers.commands import (
    ENGINES,
    ComputeCommand,
    Engine,
    LoadCommand,
    Program,
    StoreCommand,
    VectorCommand,
)
from sim.banked import BankTiming
from sim.channel import READ, WRITE, Channel
from sim.collector import paused
from sim.dram.memory import TimedChannel
from sim.dram.report import DramRun
from sim.progress import drive
from sim.slots import SlotMonitor
from sim.spans import Span, Work
from workloads.errors import Infeasible, InfeasibleError, InternalError


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
    skipped : int
        Commands that a fast-forward left out; their spans are those of the period it saw, moved.
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
    skipped: int = 0
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

    def state(self, cycle: int, idle_cycles: int) -> tuple[object, ...] | None:
        """Return what jobs from `cycle` on depend on, relative to it; None once all is over for `idle_cycles`."""
        if self._end is None or max(self._done, self._end + idle_cycles) <= cycle:
            return None
        return self._timing, self._stream, self._end - cycle, self._done - cycle


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
        env: simpy.Environment,
        channel: Channel | TimedChannel,
        number: int = 0,
    ) -> None:
        self._env = env
        self._number = number
        self.program, self._accelerator = program, accelerator
        self._issue = accelerator.core.dma.issue_cycles
        self._channel = channel
        self._fits(program)
        self.slots = SlotMonitor(accelerator)
        self.spans: list[Span | None] = [None] * len(program.commands)
        self.own: dict[Engine, list[int]] = {engine: [] for engine in ENGINES}
        for index, command in enumerate(program.commands):
            self.own[command.engine].append(index)
        self.cursor: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        """Per engine, commands taken or left out."""
        self.flight: dict[Engine, deque[Work]] = {engine: deque() for engine in ENGINES}
        self.passed: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        self.offset = 0
        """Cycles left out so far: what the machine's clock is behind."""
        self.mentions: dict[int, tuple[int, int]] = {}
        """Per live tag, the last issued command that names it, and where among its slots."""
        self.completed: int = 0
        self.watch: set[int] = set()
        """Commands whose completion `note` is told."""
        self.note: Callable[[int], None] = _ignore
        self.done: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        self.waiting: dict[Engine, dict[int, list[simpy.Event]]] = {engine: {} for engine in ENGINES}
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
        engines = {
            "load": self._transfers("load", READ),
            "array": self._array(),
            "vector": self._vector(),
            "store": self._transfers("store", WRITE),
        }
        for engine in ENGINES:
            self._env.process(engines[engine])

    def outcome(self) -> Run:
        """Return what happened, once the environment has nothing left to do."""
        spans = tuple(span for span in self.spans if span is not None)
        if len(spans) < len(self.spans):
            raise InternalError(
                f"program '{self.program.workload}': {len(self.spans) - len(spans)} commands never completed; "
                f"run it with `sim.progress.drive`, which says who waits"
            )
        left = self.slots.leftover()
        if left:
            raise InternalError(
                f"program '{self.program.workload}': {left[0]} is never released; the lowering is wrong"
            )
        cycles = max((span.end for span in spans), default=0)
        return Run(
            cycles=cycles,
            spans=spans,
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
        return int(self._env.now)

    # --- synchronisation ------------------------------------------------------------------------------------------

    def _take(self, engine: Engine) -> Work | None:
        """Return the next command of `engine`, taken, or None if there is none."""
        at, own = self.cursor[engine], self.own[engine]
        if at == len(own):
            return None
        self.cursor[engine] = at + 1
        work = Work(own[at], self.program.commands[own[at]], self.passed)
        self.flight[engine].append(work)
        return work

    def _until(self, engine: Engine, count: int) -> simpy.Event | None:
        """Return an event for the `count`-th completion of `engine`, or None if that is past."""
        if self.done[engine] >= count:
            return None
        event = self._env.event()
        self.waiting[engine].setdefault(count, []).append(event)
        return event

    def _wait(self, work: Work) -> Generator[simpy.Event, None, None]:
        """Wait for every (engine, count) of the command; note who was last."""
        work.stage, work.span.head = 1, self._now
        for engine, count in work.command.waits:
            own_count = count - work.passed[engine]
            event = self._until(engine, own_count)
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
        engine = command.engine
        if self.flight[engine].popleft() is not work:
            raise InternalError(f"program '{self.program.workload}': {engine} commands complete out of order")
        self.spans[work.index] = span.moved(self.offset) if self.offset else span
        if work.conflict_cycles:
            self.conflicts[work.index] = work.conflict_cycles
        self.done[engine] += 1
        self.completed += 1
        if work.index in self.watch:
            self.note(work.index)
        for event in self.waiting[engine].pop(self.done[engine], ()):
            event.succeed()

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

    # --- engines --------------------------------------------------------------------------------------------------

    def _transfers(self, engine: Engine, stream: int) -> Generator[simpy.Event, None, None]:
        dram = self._accelerator.dram
        delay = max(1, dram.latency_cycles) if stream == READ else 1
        response = 0 if stream == READ else dram.latency_cycles
        outstanding = self._accelerator.core.dma.outstanding
        number = 0
        while (work := self._take(engine)) is not None:
            number += 1
            room = self._until(engine, number - outstanding)
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

            self._channel.submit(2 * self._number + stream, self._now + delay, command.transfers, begun, done)

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
        return Channel(env, dram, cores)
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
