"""Naive twin of the event model: steps every cycle, every burst and every fold, without an event kernel.

The rules are those of the docstrings of `sim.machine` and `sim.channel` and of docs/architecture.md §3 to §5. Times
only: slots are not tracked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import ceil, floor
from typing import Any

from hw_models.accelerator import Accelerator, PEArray
from hw_models.clock import OwnClock
from hw_models.dma import Dma, Host
from mappers.commands import ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand
from tests.reference.naive_clocks import naive_edge, naive_ends

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
    left: int = 0
    """Requests of the command that are not complete."""

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
class Request:
    """A contiguous part of a command that goes to memory by itself."""

    parent: Work
    beats: int
    eligible: int
    begin: int = -1
    last: int = -1


def naive_requests(command: LoadCommand | StoreCommand, dma: Dma) -> list[list[tuple[int, int]]]:
    """Return (address, bytes) of every request, descriptor by descriptor: byte after byte, cut where one must."""
    descriptors = []
    for transfer in command.transfers:
        loops = [(n, p) for n, p in zip(transfer.counts, transfer.pitches_bytes, strict=True) if n > 1]
        inside = len(loops) if dma.descriptor_dimensions is None else dma.descriptor_dimensions - 1
        starts = [(transfer.address, ())]
        for depth, (count, pitch) in enumerate(loops):
            outer = depth < len(loops) - inside
            starts = [(a + i * pitch, (*key, i) if outer else key) for a, key in starts for i in range(count)]
        by_descriptor: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for address, key in starts:
            requests = by_descriptor.setdefault(key, [])
            low = address
            for byte in range(address, address + transfer.run_bytes):
                last = byte + 1 == address + transfer.run_bytes
                if last or (dma.max_burst_bytes is not None and (byte + 1) % dma.max_burst_bytes == 0):
                    requests.append((low, byte + 1 - low))
                    low = byte + 1
        descriptors += list(by_descriptor.values())
    return descriptors


@dataclass
class NaiveSender:
    """One engine that sends requests: at most one per cycle, so many in flight."""

    dma: Dma
    beat: int
    delay: Any
    response: Any
    put: Any
    """Takes (request, eligible)."""
    waiting: list[tuple[Work, int, int, int]] = field(default_factory=list)
    """(command, cycle at which its descriptor is ready, address, bytes)."""
    ready: int = 0
    next_send: int = 0
    flying: list[Request] = field(default_factory=list)

    def take(self, work: Work, cycle: int) -> None:
        assert isinstance(work.command, LoadCommand | StoreCommand)
        for descriptor in naive_requests(work.command, self.dma):
            self.ready = max(self.ready, cycle) + self.dma.descriptor_cycles
            self.waiting += [(work, self.ready, address, size) for address, size in descriptor]
            work.left += len(descriptor)

    def step(self, cycle: int) -> bool:
        self.flying = [r for r in self.flying if r.last < 0 or r.last + self.response(r.last) > cycle]
        if not self.waiting or cycle < self.next_send or cycle < self.waiting[0][1]:
            return False
        if self.dma.requests is not None and len(self.flying) >= self.dma.requests:
            return False
        work, _, address, size = self.waiting.pop(0)
        beats = (address + size - 1) // self.beat - address // self.beat + 1
        self.flying.append(Request(work, beats, cycle + self.delay(cycle)))
        self.put(self.flying[-1], cycle + self.delay(cycle))
        self.next_send = cycle + 1
        return True


@dataclass
class NaiveBus:
    """One burst after the other; time is an exact rational number of cycles."""

    beat_cycles: Fraction
    burst_beats: int
    queues: tuple[list[Any], ...]
    """Reads and writes of every engine in turn."""
    priority: bool = False
    clock: OwnClock | None = None
    free: Fraction = Fraction(0)
    last: int = -1

    def step(self, cycle: int) -> list[tuple[int, Any]]:
        """Take every burst that starts within `cycle`; return (stream, finished work)."""
        finished = []
        while True:
            wanted = [max(self.free, Fraction(q[0].eligible)) for q in self.queues if q]
            if not wanted or min(wanted) >= cycle + 1:
                return finished
            start = min(wanted)
            first = 0 if self.priority else self.last + 1
            turns = [(first + k) % len(self.queues) for k in range(len(self.queues))]
            stream = next(s for s in turns if self.queues[s] and self.queues[s][0].eligible <= start)
            work = self.queues[stream][0]
            if work.begin < 0 or stream != self.last:
                start = naive_edge(self.clock, start)
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
        dma = self.dma = accelerator.core.dma
        self.handed: list[int] = []
        """Cycle at which the host handed out each command."""
        self.next_hand: int | None = None
        self.queues = {
            f"load {n}": [w for w in self.works if isinstance(w.command, LoadCommand) and w.command.dma == n]
            for n in range(dma.load_engines)
        } | {engine: [w for w in self.works if w.command.engine == engine] for engine in ("array", "vector")}
        for n in range(dma.store_engines):
            self.queues[f"store {n}"] = [
                w for w in self.works if isinstance(w.command, StoreCommand) and w.command.dma == n
            ]
        self.done = dict.fromkeys(self.queues, 0)
        self.next = dict.fromkeys(self.queues, 0)
        self.due: list[tuple[int, str, Work]] = []
        dram = accelerator.dram
        queues: tuple[list[Any], ...] = tuple([] for _ in range(2 * max(dma.load_engines, dma.store_engines)))
        beat = Fraction(dram.beat_bytes) / dram.bytes_per_cycle
        self.bus = NaiveBus(
            beat, dram.burst_bytes // dram.beat_bytes, queues, dram.arbitration == "priority", dram.clock
        )
        self.stream = {f"load {n}": 2 * n for n in range(dma.load_engines)}
        self.stream |= {f"store {n}": 2 * n + 1 for n in range(dma.store_engines)}
        self.link_free = [0, 0]
        self.sizes: dict[int, int] = {}
        self.senders: dict[str, NaiveSender] = {}
        if dma.sends_requests:
            for name, stream in self.stream.items():
                ways = (partial(self.delay, name), partial(self.response, name), partial(self.to_channel, stream))
                self.senders[name] = NaiveSender(dma, dram.beat_bytes, *ways)
        self.array = NaiveArray(accelerator.core.array)

    def latency(self, cycle: int) -> int:
        """Return the cycles of the memory's latency from `cycle` on."""
        dram = self.accelerator.dram
        own = dram.latency_cycles if dram.clock is None else dram.own_latency_cycles
        return naive_ends(dram.clock, cycle, own) - cycle

    def delay(self, engine: str, cycle: int) -> int:
        return 1 if engine.startswith("store") else max(1, self.latency(cycle))

    def response(self, engine: str, cycle: int) -> int:
        return self.latency(cycle) if engine.startswith("store") else 0

    def run(self, limit: int = 200_000) -> list[Times]:
        cycle = 0
        while any(work.end < 0 for work in self.works):
            while self.settle(cycle):
                pass
            for stream, moved in self.bus.step(cycle):
                work = moved
                if stream % 2 == 0:
                    self.over_link(moved)
                if isinstance(moved, Request):
                    work = moved.parent
                    work.begin, work.left = moved.begin if work.begin < 0 else work.begin, work.left - 1
                    if work.left:
                        continue
                    work.last = moved.last
                name = next(n for n, s in self.stream.items() if s == stream)
                self.due.append((work.last + self.response(name, work.last), name, work))
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
        if self.dma.host is not None and self.hand(self.dma.host, cycle):
            return True
        if any(sender.step(cycle) for sender in self.senders.values()):
            return True
        return any(self.advance(engine, cycle) for engine in self.queues)

    def over_link(self, read: Any) -> None:
        """Let a read that has left the channel pass the link: a beat's worth of it at most per piece of a cycle."""
        link = self.accelerator.core.link
        if link is None:
            return
        start, left, cycle = (
            max(read.begin, self.link_free[0]),
            self.sizes[id(read)],
            max(read.begin, self.link_free[0]),
        )
        own = 0
        while left > 0:
            left -= link.bytes_per_cycle
            own += 1
        cycle = max(naive_ends(link.clock, cycle, own), read.last)
        self.link_free[0] = cycle
        read.begin = naive_ends(link.clock, start, link.latency_cycles)
        read.last = naive_ends(link.clock, cycle, link.latency_cycles)

    def to_channel(self, stream: int, item: Any, eligible: int) -> None:
        """Put a read or write in its queue, a write behind its link."""
        link = self.accelerator.core.link
        size = item.beats * self.accelerator.dram.beat_bytes
        self.sizes[id(item)] = size
        if link is not None and stream % 2:
            own = 0
            while size > 0:
                size -= link.bytes_per_cycle
                own += 1
            self.link_free[1] = naive_ends(link.clock, max(eligible, self.link_free[1]), own)
            eligible = naive_ends(link.clock, self.link_free[1], link.latency_cycles)
        item.eligible = eligible
        self.bus.queues[stream].append(item)

    def hand(self, host: Host, cycle: int) -> bool:
        """Hand out the next command if its time has come; return whether something happened."""
        if len(self.handed) == len(self.works):
            return False
        work = self.works[len(self.handed)]
        name = next(name for name, queue in self.queues.items() if any(w is work for w in queue))
        if self.next_hand is None:
            waiting = sum(w.issue < 0 for w in self.works[: len(self.handed)] if any(w is q for q in self.queues[name]))
            if waiting >= host.depth:
                return False
            self.next_hand = cycle + host.interval_cycles
        if cycle < self.next_hand:
            return False
        self.handed.append(cycle)
        self.next_hand = None
        return True

    def completed(self, engine: str) -> int:
        """Return how many commands of `engine` have completed; of loads and stores, before the first that has not."""
        if engine not in ("load", "store"):
            return self.done[engine]
        own = [work for work in self.works if work.command.engine == engine]
        return next((n for n, work in enumerate(own) if work.end < 0), len(own))

    def advance(self, engine: str, cycle: int) -> bool:
        """Bring the first command of `engine` that is not issued one step further, if it can go."""
        position = self.next[engine]
        if position == len(self.queues[engine]):
            return False
        work = self.queues[engine][position]
        if self.dma.host is not None and all(work is not w for w in self.works[: len(self.handed)]):
            return False
        if work.head < 0:
            if self.free(engine, position, work, cycle):
                work.head = cycle
                return True
            return False
        if work.ready < 0:
            if all(self.completed(other) >= count for other, count in work.command.waits):
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
        dma = self.accelerator.core.dma
        if engine in self.stream:
            slots = dma.outstanding if engine.startswith("store") else dma.engine_slots(self.stream[engine] // 2)
            return position - self.done[engine] < slots
        if engine == "vector":
            return self.done[engine] == position
        return self.array.may_take(work.command.dataflow, cycle)

    def start(self, engine: str, work: Work, cycle: int) -> None:
        command, dram = work.command, self.accelerator.dram
        if engine in self.senders:
            self.senders[engine].take(work, cycle)
        elif isinstance(command, LoadCommand | StoreCommand):
            work.beats = naive_beats(command, dram.beat_bytes)
            eligible = cycle + self.delay(engine, cycle)
            self.to_channel(self.stream[engine], work, eligible)
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
            work.last = naive_ends(unit.clock, cycle, steps * one + unit.latency_cycles)
            self.due.append((work.last, "vector", work))


def naive_times(program: Program, accelerator: Accelerator) -> list[Times]:
    """Return (head, ready, issue, begin, last, end) of every command."""
    return NaiveMachine(program, accelerator).run()
