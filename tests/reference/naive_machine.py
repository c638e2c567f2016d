"""Naive twin of the event model: steps every cycle, every burst and every fold, without an event kernel.

The rules are those of the docstrings of `sim.machine` and `sim.channel` and of docs/architecture.md §3 to §5. Times
only: slots are not tracked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from hw_models.accelerator import Accelerator, PEArray
from mappers.commands import ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand

Times = tuple[int, int, int, int, int, int]


@dataclass
class Work:
    """One command under way; times are -1 until they happen."""

    command: object
    head: int = -1
    ready: int = -1
    issue: int = -1
    begin: int = -1
    last: int = -1
    end: int = -1
    beats: int = 0
    eligible: int = 0

    def times(self) -> Times:
        return self.head, self.ready, self.issue, self.begin, self.last, self.end


def naive_beats(command: LoadCommand | StoreCommand, beat: int) -> int:
    """Enumerate every run of every descriptor."""
    total = 0
    for transfer in command.transfers:
        addresses = [transfer.address]
        for count, pitch in zip(transfer.counts, transfer.pitches_bytes, strict=True):
            addresses = [address + i * pitch for address in addresses for i in range(count)]
        for address in addresses:
            total += (address + transfer.run_bytes - 1) // beat - address // beat + 1
    return total


@dataclass
class NaiveBus:
    """One burst after the other; time is an exact rational number of cycles."""

    beat_cycles: Fraction
    burst_beats: int
    queues: tuple[list[Work], list[Work]] = field(default_factory=lambda: ([], []))
    free: Fraction = Fraction(0)
    last: int = 1

    def step(self, cycle: int) -> list[tuple[int, Work]]:
        """Take every burst that starts within `cycle`; return (stream, finished work)."""
        finished = []
        while True:
            wanted = [max(self.free, Fraction(q[0].eligible)) for q in self.queues if q]
            if not wanted or min(wanted) >= cycle + 1:
                return finished
            start = min(wanted)
            able = [s for s in (0, 1) if self.queues[s] and self.queues[s][0].eligible <= start]
            stream = able[0] if len(able) == 1 else 1 - self.last
            work = self.queues[stream][0]
            if work.begin < 0:
                work.begin = floor(start)
            beats = min(self.burst_beats, work.beats)
            work.beats -= beats
            self.free, self.last = start + beats * self.beat_cycles, stream
            if not work.beats:
                work.last = ceil(self.free)
                finished.append((stream, self.queues[stream].pop(0)))


@dataclass
class NaiveArray:
    """Folds as they happen: weights behind a shadow (ws) or result rows behind the stream (os)."""

    array: PEArray
    flow: str = ""
    loading: list[tuple[Work, int]] = field(default_factory=list)
    """Folds not streaming yet, as (command, fold number), in order."""
    load_done: int = 0
    stream_end: int | None = None
    drained: int = 0

    def drain(self, flow: str) -> int:
        if self.array.kind == "adder_tree":
            return self.array.tree_latency_cycles
        crossing = self.array.rows - 1 + self.array.cols - 1 + 2
        return crossing + 2 if flow == "ws" else crossing + self.array.rows - 1

    def may_take(self, flow: str, cycle: int) -> bool:
        if self.loading:
            return False
        return flow == self.flow or self.flow == "" or cycle >= self.drained

    def take(self, work: Work, cycle: int) -> None:
        assert isinstance(work.command, ComputeCommand)
        if work.command.dataflow != self.flow:
            self.flow, self.stream_end = work.command.dataflow, None
        self.loading = [(work, fold) for fold in range(work.command.job.folds)]
        self.load_done = cycle + (self.array.rows if self.flow == "ws" else 0)

    def step(self, cycle: int) -> Work | None:
        """Start the next fold's stream if it may start now; return a command whose last fold has just started."""
        if not self.loading or cycle < self.load_done or (self.stream_end is not None and cycle < self.stream_end):
            return None
        work, fold = self.loading[0]
        assert isinstance(work.command, ComputeCommand)
        stream = work.command.job.stream
        if self.flow == "os" and self.stream_end is not None and cycle + stream < self.stream_end + self.array.rows:
            return None
        self.loading.pop(0)
        if fold == 0:
            work.begin = cycle
        self.stream_end = cycle + stream
        self.load_done = cycle + (self.array.rows if self.flow == "ws" else 0)
        if self.loading:
            return None
        work.last, self.drained = self.stream_end, self.stream_end + self.drain(self.flow)
        return work


class NaiveMachine:
    """Cycle by cycle until every command is complete."""

    def __init__(self, program: Program, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.works = [Work(command) for command in program.commands]
        self.queues = {
            engine: [w for w in self.works if w.command.engine == engine]
            for engine in ("load", "array", "vector", "store")
        }
        self.done = dict.fromkeys(self.queues, 0)
        self.next = dict.fromkeys(self.queues, 0)
        self.due: list[tuple[int, str, Work]] = []
        dram = accelerator.dram
        self.bus = NaiveBus(Fraction(dram.beat_bytes) / dram.bytes_per_cycle, dram.burst_bytes // dram.beat_bytes)
        self.array = NaiveArray(accelerator.core.array)

    def run(self, limit: int = 200_000) -> list[Times]:
        cycle = 0
        while any(work.end < 0 for work in self.works):
            while self.settle(cycle):
                pass
            for stream, work in self.bus.step(cycle):
                latency = self.accelerator.dram.latency_cycles if stream else 0
                self.due.append((work.last + latency, "store" if stream else "load", work))
            cycle += 1
            assert cycle < limit, "the naive machine does not end"
        return [work.times() for work in self.works]

    def settle(self, cycle: int) -> bool:
        """Do one thing that happens in `cycle`; return whether there was one."""
        for item in self.due:
            if item[0] == cycle:
                self.due.remove(item)
                item[2].end = cycle
                self.done[item[1]] += 1
                return True
        started = self.array.step(cycle)
        if started is not None:
            self.due.append((self.array.drained, "array", started))
            return True
        return any(self.advance(engine, cycle) for engine in self.queues)

    def advance(self, engine: str, cycle: int) -> bool:
        """Bring the first command of `engine` that is not issued one step further, if it can go."""
        position = self.next[engine]
        if position == len(self.queues[engine]):
            return False
        work = self.queues[engine][position]
        if work.head < 0:
            if self.free(engine, position, work, cycle):
                work.head = cycle
                return True
            return False
        if work.ready < 0:
            if all(self.done[other] >= count for other, count in work.command.waits):
                work.ready = cycle
                return True
            return False
        if cycle < work.ready + self.accelerator.core.dma.issue_cycles:
            return False
        work.issue = cycle
        self.next[engine] += 1
        self.start(engine, work, cycle)
        return True

    def free(self, engine: str, position: int, work: Work, cycle: int) -> bool:
        if engine in ("load", "store"):
            return position - self.done[engine] < self.accelerator.core.dma.outstanding
        if engine == "vector":
            return self.done[engine] == position
        return self.array.may_take(work.command.dataflow, cycle)

    def start(self, engine: str, work: Work, cycle: int) -> None:
        command, dram = work.command, self.accelerator.dram
        if isinstance(command, LoadCommand | StoreCommand):
            work.beats = naive_beats(command, dram.beat_bytes)
            work.eligible = cycle + (max(1, dram.latency_cycles) if engine == "load" else 1)
            self.bus.queues[engine == "store"].append(work)
        elif isinstance(command, ComputeCommand):
            self.array.take(work, cycle)
        else:
            assert isinstance(command, VectorCommand)
            unit = self.accelerator.core.vector
            steps = 0
            for _ in range(command.rows):
                left = command.row_elements
                while left > 0:
                    left -= unit.lanes
                    steps += 1
            one = command.simple_passes * unit.simple_cycles + command.special_passes * unit.special_cycles
            work.begin = cycle
            work.last = cycle + steps * one + unit.latency_cycles
            self.due.append((work.last, "vector", work))


def naive_times(program: Program, accelerator: Accelerator) -> list[Times]:
    """Return (head, ready, issue, begin, last, end) of every command."""
    return NaiveMachine(program, accelerator).run()
