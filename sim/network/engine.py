"""The network-level event model: cores, a load and a store engine, one DRAM channel, one shared scratchpad.

Cores and engines are in order. A computation whose operands stream runs in equal segments: segment j needs part j of
what streams in, at most two parts ahead (double buffering, also ahead of the computation itself while the one before
runs), and gives part j of what streams out, at most two parts behind. Whole tensors move in chunks; `outstanding`
chunks are in flight, so that a long transfer shares the channel with the streams chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from hw_models.accelerator import DramChannel
from hw_models.cluster import Cluster
from mappers.commands import Transfer
from mappers.network.program import Compute, Load, NetworkProgram, Store, Task
from sim.channel import READ, WRITE, Channel
from sim.dram.memory import TimedChannel
from sim.dram.report import DramRun
from sim.network.memory import SharedMemory
from sim.network.noc import CAUSE as NOC_CAUSE
from sim.network.noc import NocPorts, NocRun, steps_of
from sim.network.places import DramPlaces, Flow
from sim.progress import StuckError, run_watched
from workloads.errors import Infeasible, InfeasibleError, InternalError

CHUNK_BYTES = 8192
MAX_SEGMENTS = 16
Process = Generator[simpy.Event, Any, None]


@dataclass(slots=True)
class Span:
    """When a task could start, started and ended, in cycles, and what held it up.

    Parameters
    ----------
    ready : int
        When its engine was free for it.
    waits : dict of str to int
        Cycles by cause from `ready` to `end` in which it did not work.
    """

    ready: int = -1
    start: int = -1
    end: int = -1
    done: int = -1
    waits: dict[str, int] = field(default_factory=dict)

    def wait(self, cause: str, cycles: int) -> None:
        """Add `cycles` lost to `cause`."""
        if cycles:
            self.waits[cause] = self.waits.get(cause, 0) + cycles


@dataclass
class NetworkRun:
    """Raw times of an execution.

    Parameters
    ----------
    spans : list of Span
        One per task.
    bus : list of (stream, start, end)
        Intervals of the channel in units of 1/`bus_units` cycle; stream 0 reads, 1 writes.
    moved_bytes : list of int
        Bytes read from and written to DRAM.
    dram : DramRun, optional
        What a DRAM with timing did.
    noc : NocRun, optional
        What a network on chip did.
    """

    cycles: int
    spans: list[Span]
    bus: list[tuple[int, int, int]]
    bus_units: int
    moved_bytes: list[int]
    memory: SharedMemory
    dram: DramRun | None = None
    noc: NocRun | None = None


class DeadlockError(StuckError):
    """Tasks that wait for each other; the message names who waits on what."""


def run_network(program: NetworkProgram, cluster: Cluster) -> NetworkRun:
    """Execute `program` on `cluster`.

    Raises
    ------
    DeadlockError
        If some tasks can never start.
    InternalError
        If two live regions share a byte or something is read before it is complete.
    """
    return _Execution(program, cluster).run()


class _Execution:
    def __init__(self, program: NetworkProgram, cluster: Cluster) -> None:
        self.program, self.cluster = program, cluster
        self.env = simpy.Environment()
        self.timed = cluster.dram.device is not None
        self.channel = _channel(self.env, cluster)
        self.noc = None if cluster.noc is None else NocPorts(self.env, cluster, program, self._steps)
        self.places = DramPlaces(program)
        self._fits()
        self.memory = SharedMemory(program)
        self.spans = [Span() for _ in program.tasks]
        self.done = [self.env.event() for _ in program.tasks]
        self.started = [self.env.event() for _ in program.tasks]
        self.moved = [0, 0]
        self.feeds: dict[int, _Feed] = {}

    def run(self) -> NetworkRun:
        queues: dict[str, list[int]] = {name: [] for name in self.cluster.core_names}
        loads: list[int] = []
        stores: list[int] = []
        for number, task in enumerate(self.program.tasks):
            if isinstance(task, Compute):
                if task.core not in queues:
                    raise InternalError(f"network run: task '{task.name}' runs on '{task.core}', which is no core")
                queues[task.core].append(number)
                if task.stream_in:
                    self.feeds[number] = _Feed(self, task)
            else:
                (loads if isinstance(task, Load) else stores).append(number)
        for queue in queues.values():
            self.env.process(self._core(queue))
            self.env.process(self._feeder(queue))
        self.env.process(self._loads(loads))
        self.env.process(self._stores(stores))
        run_watched(self.env, self._progress, lambda: [str(self._deadlock(self._stuck()))])
        stuck = self._stuck()
        if stuck:
            raise self._deadlock(stuck)
        cycles = max((span.done for span in self.spans), default=0)
        busy = self.channel.busy
        dram = self.channel.outcome(int(self.env.now)) if isinstance(self.channel, TimedChannel) else None
        noc = None if self.noc is None else self.noc.outcome()
        units = self.channel.units_per_cycle
        return NetworkRun(cycles, self.spans, busy, units, self.moved, self.memory, dram, noc)

    def _fits(self) -> None:
        """Refuse tensors that the DRAM has no room for."""
        device = self.cluster.dram.device
        if device is not None and self.places.bytes > device.capacity_bytes:
            raise InfeasibleError(
                Infeasible(
                    subject=f"tensors of '{self.program.workload}'",
                    constraint=f"capacity[{device.standard.name}]",
                    demand=self.places.bytes,
                    bound=device.capacity_bytes,
                    unit="bytes",
                    levers=("raise dram.ranks or dram.channels",),
                )
            )

    def _progress(self) -> int:
        noc = 0 if self.noc is None else self.noc.progress
        return self.channel.progress + noc + sum(event.triggered for event in self.started + self.done)

    def _stuck(self) -> list[int]:
        return [number for number, event in enumerate(self.done) if not event.triggered]

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _after(self, number: int) -> Process:
        """Wait for what task `number` waits for; note how long and for what."""
        span, began = self.spans[number], int(self.env.now)
        span.ready = began
        waiting = [other for other in self.program.tasks[number].after if not self.done[other].triggered]
        if waiting:
            yield self.env.all_of([self.done[other] for other in waiting])
            last = max(waiting, key=lambda other: (self.spans[other].done, other))
            span.wait(_cause(self.program.tasks[last]), int(self.env.now) - began)

    def _finish(self, number: int, end: int) -> None:
        """Note that task `number` is done now."""
        span = self.spans[number]
        span.end = end if span.end < 0 else span.end
        span.done = int(self.env.now)
        self.memory.end(self.program.tasks[number], span.done)
        self.done[number].succeed()

    # --- cores ------------------------------------------------------------------------------------------------------

    def _core(self, queue: Sequence[int]) -> Process:
        """Run the computations of one core in order."""
        env = self.env
        for number in queue:
            task, span = self.program.tasks[number], self.spans[number]
            assert isinstance(task, Compute)
            yield from self._after(number)
            span.start = int(env.now)
            self.memory.start(task, span.start)
            self.started[number].succeed()
            feed, segments = self.feeds.get(number), self._segments(task)
            moved = sum(size for _, size in task.stream_out)
            written: list[simpy.Event] = []
            port: list[list[simpy.Event]] = []
            steps = self._steps(task) // segments
            for j in range(segments):
                if feed is not None and not feed.arrived[j].triggered:
                    began = env.now
                    yield feed.arrived[j]
                    span.wait("stream in", int(env.now - began))
                if moved and j >= 2 and not written[j - 2].triggered:
                    began = env.now
                    yield written[j - 2]
                    span.wait("stream out", int(env.now - began))
                for step in range(j * steps, (j + 1) * steps):
                    late = self._at_port(task, step, segments * steps, port)
                    cycles = _part(task.cycles, segments * steps, step)
                    if cycles:
                        yield env.timeout(cycles)
                    if any(not event.triggered for event in late):
                        began = env.now
                        yield env.all_of(late)
                        span.wait(NOC_CAUSE, int(env.now - began))
                if feed is not None:
                    feed.used[j].succeed()
                if moved:
                    size = _part(moved, segments, j)
                    written.append(self._move(WRITE, size, task.stream_out, moved * j // segments))
            span.end = int(env.now)
            if any(not event.triggered for event in written):
                env.process(self._drain(number, written))
            else:
                self._finish(number, span.end)

    def _at_port(self, task: Compute, j: int, parts: int, asked: list[list[simpy.Event]]) -> list[simpy.Event]:
        """Ask the network on chip for what segment j may, and return what it must not end without."""
        if self.noc is None:
            return []
        asked += [self.noc.reads(task, index, parts) for index in range(len(asked), min(j + 2, parts))]
        written = self.noc.writes(task, j, parts)
        if j + 1 < parts:
            asked[j + 1] = [*asked[j + 1], *written]
            return asked[j]
        return [*asked[j], *written]

    def _drain(self, number: int, written: Sequence[simpy.Event]) -> Process:
        """Finish a computation when its last part has reached DRAM; the core goes on meanwhile."""
        yield self.env.all_of(list(written))
        self._finish(number, self.spans[number].end)

    def _segments(self, task: Compute) -> int:
        """Return the parts in which `task` streams; 1 if it does not."""
        moved = max(sum(size for _, size in task.stream_in), sum(size for _, size in task.stream_out))
        return max(1, min(MAX_SEGMENTS, -(-moved // CHUNK_BYTES), max(task.cycles, 1)))

    def _steps(self, task: Compute) -> int:
        """Return the steps in which `task` runs: its segments, finer where its port's bytes pass a network on chip."""
        segments = self._segments(task)
        return segments * (1 if self.cluster.noc is None else steps_of(task, segments, CHUNK_BYTES))

    def _feeder(self, queue: Sequence[int]) -> Process:
        """Ask for what the computations of one core stream in, one computation ahead, two parts ahead."""
        before: int | None = None
        for number in queue:
            feed = self.feeds.get(number)
            if feed is not None:
                if before is not None and not self.started[before].triggered:
                    yield self.started[before]
                waiting = [self.done[other] for other in feed.task.after if not self.done[other].triggered]
                if waiting:
                    yield self.env.all_of(waiting)
                for j, size in enumerate(feed.parts):
                    if j >= 2 and not feed.used[j - 2].triggered:
                        yield feed.used[j - 2]
                    self._move(READ, size, feed.task.stream_in, sum(feed.parts[:j]), feed.arrived[j])
            before = number

    # --- DMA --------------------------------------------------------------------------------------------------------

    def _move(
        self, stream: int, size: int, flows: Sequence[Flow], start: int, event: simpy.Event | None = None
    ) -> simpy.Event:
        """Ask the channel for `size` bytes of `flows` from byte `start` on; return the event of their arrival."""
        event = event or self.env.event()
        self.moved[stream] += size
        if not size:
            event.succeed()
            return event
        dram: DramChannel = self.cluster.dram
        reached = event
        runs = self.places.transfers(flows, start, size) if self.timed else (Transfer(0, size),)

        def arrived(_: object) -> None:
            reached.succeed()

        if stream == READ:
            eligible = int(self.env.now) + dram.read_delay(int(self.env.now))
            self.channel.submit(READ, eligible, runs, _nothing, arrived)
        else:

            def answered(_: int) -> None:
                self.env.timeout(dram.response_delay(int(self.env.now))).callbacks.append(arrived)

            self.channel.submit(WRITE, int(self.env.now) + 1, runs, _nothing, answered)
        return event

    def _loads(self, queue: Sequence[int]) -> Process:
        yield from self._engine(queue, READ)

    def _stores(self, queue: Sequence[int]) -> Process:
        yield from self._engine(queue, WRITE)

    def _engine(self, queue: Sequence[int], stream: int) -> Process:
        """Move whole tensors in order, chunk by chunk, with `outstanding` chunks in flight."""
        flight: list[simpy.Event] = []
        for number in queue:
            task, span = self.program.tasks[number], self.spans[number]
            assert isinstance(task, Load | Store)
            yield from self._after(number)
            span.start = int(self.env.now)
            self.memory.start(task, span.start)
            self.started[number].succeed()
            left, mine = task.size_bytes, []
            while left:
                flight = [event for event in flight if not event.triggered]
                if len(flight) >= self.cluster.outstanding:
                    yield flight[0]
                    continue
                size = min(CHUNK_BYTES, left)
                event = self._move(stream, size, ((task.tensor, task.size_bytes),), task.size_bytes - left)
                left -= size
                flight.append(event)
                mine.append(event)
            self.env.process(self._settle(number, mine))

    def _settle(self, number: int, parts: Sequence[simpy.Event]) -> Process:
        yield self.env.all_of(list(parts))
        self._finish(number, int(self.env.now))

    # --- deadlock ---------------------------------------------------------------------------------------------------

    def _deadlock(self, stuck: Sequence[int]) -> DeadlockError:
        """Return the error that says which engine waits on what."""
        tasks, seen, lines = self.program.tasks, set(), []
        for number in stuck:
            engine = _engine_of(tasks[number])
            if engine in seen:
                continue
            seen.add(engine)
            waits = [other for other in tasks[number].after if not self.done[other].triggered]
            named = ", ".join(f"'{tasks[other].name}' on {_engine_of(tasks[other])}" for other in waits[:3])
            lines.append(f"{engine} stands at '{tasks[number].name}', which waits for {named or 'its stream'}")
        head = f"network run of '{self.program.workload}': deadlock, {len(stuck)} of {len(tasks)} tasks never start"
        return DeadlockError("\n  ".join([head, *lines]))


class _Feed:
    """What one computation streams in: the parts, and the events of their arrival and use."""

    def __init__(self, execution: _Execution, task: Compute) -> None:
        env, segments = execution.env, execution._segments(task)
        total = sum(size for _, size in task.stream_in)
        self.task = task
        self.parts = [_part(total, segments, j) for j in range(segments)]
        self.arrived = [env.event() for _ in range(segments)]
        self.used = [env.event() for _ in range(segments)]


def _channel(env: simpy.Environment, cluster: Cluster) -> Channel | TimedChannel:
    """Return the memory behind the shared scratchpad."""
    if cluster.dram.device is None:
        return Channel(env, cluster.dram)
    return TimedChannel(env, cluster.dram.device, cluster.clock_mhz)


def _part(total: int, parts: int, index: int) -> int:
    """Return the size of part `index` of `total` in `parts` near-equal parts that sum to it."""
    return total * (index + 1) // parts - total * index // parts


def _cause(task: Task) -> str:
    """Return what a wait for `task` is called."""
    if isinstance(task, Compute):
        return f"operand of {task.core}"
    return task.kind


def _engine_of(task: Task) -> str:
    if isinstance(task, Compute):
        return f"core '{task.core}'"
    return "the load engine" if isinstance(task, Load) else "the store engine"


def _nothing(_: int) -> None:
    return None
