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
* vector: ready when the command before is complete; complete at `VectorUnit.ends`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from operator import attrgetter

import simpy

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timings_of
from mappers.commands import (
    ENGINES,
    AnyCommand,
    Engine,
    LoadCommand,
    Program,
    StoreCommand,
)
from sim.array_queue import ArrayQueue
from sim.banked import BankTiming
from sim.channel import READ, WRITE, Channel
from sim.collector import paused
from sim.dram.memory import TimedChannel
from sim.dram.report import DramRun
from sim.engines import array, transfers, vector
from sim.host import hand_out, issued
from sim.links import LinkPort
from sim.progress import drive
from sim.raw_run import Run
from sim.requests import RequestSequencer
from sim.slots import SlotMonitor
from sim.span_table import Spans
from sim.spans import Work
from workloads.errors import Infeasible, InfeasibleError, InternalError


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
        self.env = env
        self.number = number
        self.program, self.accelerator = program, accelerator
        self.issue = accelerator.core.dma.issue_cycles
        self._channel = channel
        link = accelerator.core.link
        beat = accelerator.dram.beat_bytes
        self.port = channel if link is None else LinkPort(env, channel, link, beat)
        self._fits(program)
        self.slots = SlotMonitor(accelerator)
        self.spans = Spans(len(program.commands))
        self.dma = accelerator.core.dma
        self._loads, self._stores = lanes_of("load", self.dma.load_engines), lanes_of("store", self.dma.store_engines)
        self.lanes: tuple[str, ...] = (*self._loads, "array", "vector", *self._stores)
        """Engines that take commands in order; several load or store engines are a lane each."""
        self.sequencers: dict[int, RequestSequencer] = {}
        """Per stream of a DMA engine that sends requests."""
        self.own: dict[str, list[int]] = {lane: [] for lane in self.lanes}
        self._place: dict[int, int] = {}
        """Per load or store, its number among these; only where several engines share them."""
        if len(self.lanes) == len(ENGINES):
            for index, engine in enumerate(map(attrgetter("engine"), program.commands)):
                self.own[engine].append(index)
        else:
            seen: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
            for index, command in enumerate(program.commands):
                self.own[self.lane(command)].append(index)
                seen[command.engine] += 1
                self._place[index] = seen[command.engine]
        self._arrived: dict[Engine, set[int]] = {engine: set() for engine in ENGINES}
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
        self.banks = BankTiming(core) if core.has_banks else None
        self.conflicts: dict[int, int] = {}
        self.vector_clock = core.vector.clock
        self.idle_cycles = 1 << 62 if core.has_banks else core.array.rows + core.array.cols
        """Cycles after its end in which a job still holds up the next: result rows of an OS fold leave one by one."""
        depth = max(1, core.accumulator.half_bytes // (core.array.cols * core.accumulator_bytes))
        self.timings = timings_of(core.array, depth)

    def start(self) -> None:
        """Start the engines; they act when the environment runs."""
        for number, lane in enumerate(self._loads):
            self.env.process(transfers(self, lane, READ, number))
        self.env.process(array(self))
        self.env.process(vector(self))
        for number, lane in enumerate(self._stores):
            self.env.process(transfers(self, lane, WRITE, number))
        if self.dma.host is not None:
            self.env.process(hand_out(self, self.dma.host, self.env))

    @property
    def repeats(self) -> bool:
        """Value telling whether all that the future depends on is in the state that a fast-forward compares."""
        dma = self.dma
        several = dma.engines or dma.store_engines > 1
        return not (several or dma.sends_requests or dma.host is not None or self.accelerator.core.link is not None)

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
            dram=self._dram_run(),
            conflicts=self.conflicts,
        )

    def _dram_run(self) -> DramRun | None:
        """Return what a DRAM with timing did, requests of one command together again."""
        if not isinstance(self._channel, TimedChannel):
            return None
        made = self._channel.outcome(self.now)
        for stream, sequencer in self.sequencers.items():
            made = made.joined(stream, sequencer.counts)
        return made

    def _fits(self, program: Program) -> None:
        """Refuse a memory image that the DRAM has no room for."""
        device = self.accelerator.dram.device
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
    def now(self) -> int:
        """Value of the current cycle; every delay is an integer, so the kernel's clock is one."""
        now: int = self.env.now  # type: ignore[assignment]
        return now

    # --- synchronisation ------------------------------------------------------------------------------------------

    def lane(self, command: AnyCommand) -> str:
        """Return the lane that takes `command`."""
        if isinstance(command, LoadCommand):
            return self._loads[command.dma]
        if isinstance(command, StoreCommand):
            return self._stores[command.dma]
        return command.engine

    def stream(self, engine: int, direction: int) -> int:
        """Return the stream of load or store engine `engine` on the memory."""
        return 2 * (self.number * self.dma.streams + engine) + direction

    def take(self, lane: str) -> Work | None:
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

        Loads or stores of several engines count in program order: n when the first n are complete.
        """
        if self.done[counter] >= count:
            return None
        event = self.env.event()
        self.waiting[counter].setdefault(count, []).append(event)
        return event

    def count(self, counter: str) -> None:
        """Raise `counter` by one and wake who waited for that."""
        self.done[counter] += 1
        for event in self.waiting[counter].pop(self.done[counter], ()):
            event.succeed()

    def wait(self, work: Work) -> Generator[simpy.Event, None, None]:
        """Wait for the host and for every (engine, count) of the command; note who was last."""
        if self.dma.host is not None:
            given = self.until("host", work.index + 1)
            if given is not None:
                yield given
            work.span.given = self.given[work.index]
        work.stage, work.span.head = 1, self.now
        for engine, count in work.command.waits:
            own_count = count - work.passed[engine]
            event = self.until(engine, own_count)
            if event is not None:
                work.wait = (engine, own_count, event)
                yield event
                work.wait = None
                work.span.cause = engine
        work.stage, work.span.ready = 2, self.now

    def complete(self, work: Work) -> None:
        """Finish `work` now: slots, counters, waiters."""
        command, now, span = work.command, self.now, work.span
        span.end = now
        for slot in command.writes:
            self.slots.end_write(slot)
        for slot in command.releases:
            self.slots.release(slot, now + self.offset)
            self.mentions.pop(slot.tag, None)
        lane = self.lane(command) if self.dma.engines else command.engine
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
            arrived = self._arrived[command.engine]
            arrived.add(self._place[work.index])
            while self.done[command.engine] + 1 in arrived:
                arrived.remove(self.done[command.engine] + 1)
                self.count(command.engine)

    def complete_at(self, work: Work, cycle: int) -> None:
        timeout = self.timer(cycle - self.now, work)
        timeout.callbacks.append(lambda _: self.complete(work))

    def timer(self, cycles: int, work: Work) -> simpy.Timeout:
        """Return an event `cycles` from now that says whose it is."""
        return self.env.timeout(cycles, (self.number, work))

    def open(self, work: Work) -> None:
        """Issue `work` now: check what it reads and open what it writes."""
        command, now = work.command, self.now
        work.stage, work.span.issue = 3, now
        for slot in command.reads:
            self.slots.read(slot, now + self.offset)
        for slot in command.writes:
            self.slots.begin_write(slot, now + self.offset)
        for place, slot in enumerate(command.reads + command.writes):
            self.mentions[slot.tag] = (work.index, place)
        if self.dma.host is not None:
            self.count(issued(self.lane(command)))


def lanes_of(engine: Engine, count: int) -> tuple[str, ...]:
    """Return the lanes of `count` engines side by side."""
    return tuple(f"{engine} {number + 1}" for number in range(count)) if count > 1 else (engine,)


def _ignore(_: int) -> None:
    return None


def open_channel(
    env: simpy.Environment, accelerator: Accelerator, cores: int = 1, *, fast_forward: bool = True
) -> Channel | TimedChannel:
    """Return the memory of `accelerator`, for `cores` cores that share it; `fast_forward` as in `run_program`."""
    dram, engines = accelerator.dram, cores * accelerator.core.dma.streams
    if dram.device is None:
        return Channel(env, dram, engines)
    return TimedChannel(env, dram.device, accelerator.clock_mhz, engines, fast=fast_forward)


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
