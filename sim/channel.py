"""The DRAM channel: one data bus, a read and a write stream per core, bursts as the arbitration quantum.

Within a stream requests are served in order. When several streams have an eligible request the bus goes round them,
burst by burst, the first core's reads first; otherwise the one that wants the bus keeps it. With arbitration by
priority the first of them has it, at every burst anew. A request becomes eligible
a cycle or more after it is submitted, so that a decision at time t depends on nothing that happens at t.

Bus time is exact: with a bandwidth that gives a/q cycles per beat it is counted in units of 1/q cycle, and a transfer
that ends inside a cycle is complete at the end of that cycle. With a clock of its own a request's first beat, and the
first after a turn of the bus, begin at the edge of that clock that comes next. A run of bursts of one stream is one
event; it is cut short at the first burst boundary at which the other stream has become eligible, which gives the same
times as stepping every burst.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

import simpy

from hw_models.accelerator import DramChannel
from mappers.commands import Transfer

READ, WRITE = 0, 1


@dataclass(slots=True)
class _Request:
    eligible: int
    beats: int
    begun: Callable[[int], None]
    done: Callable[[int], None]
    started: bool = False
    transfers: tuple[Transfer, ...] = ()


@dataclass(slots=True)
class _Run:
    """Bursts of one request on the bus; `start` and `end` in units of 1/q cycle."""

    stream: int
    beats: int
    start: int
    end: int
    version: int


_Ask = tuple[int, tuple[Transfer, ...], Callable[[int], None], Callable[[int], None]]


@dataclass(slots=True)
class _Rides:
    """Reads of a stream that ride with reads of stream `host`, and those that stand behind them."""

    host: int
    count: int = 0
    held: list[_Ask] = field(default_factory=list)


def _both(first: Callable[[int], None], second: Callable[[int], None]) -> Callable[[int], None]:
    def told(cycle: int) -> None:
        first(cycle)
        second(cycle)

    return told


class Channel:
    """Serves beats of two streams per core, or per load engine; stream numbers are 2 engine + direction."""

    def __init__(self, env: simpy.Environment, dram: DramChannel, cores: int = 1) -> None:
        self._env = env
        per_beat = dram.beats_cycles(1)
        ratio = Fraction(1) if dram.clock is None else dram.clock.ratio
        self._q = lcm(per_beat.denominator, ratio.numerator)
        self._beat = int(per_beat * self._q)
        self._edge = 1 if dram.clock is None else int(self._q / ratio)
        self.beat_bytes = dram.beat_bytes
        self._burst_beats = dram.burst_bytes // dram.beat_bytes
        self._queues: tuple[deque[_Request], ...] = tuple(deque() for _ in range(2 * cores))
        self._run: _Run | None = None
        self._version = 0
        self._priority = dram.arbitration == "priority"
        self._free = 0
        self._last = 2 * cores - 1
        self.multicast = False
        """Whether a read joins an equal one of another stream that has not begun: one transfer serves both."""
        self._rides: dict[int, _Rides] = {}
        """Per stream whose reads ride with another one's."""
        self.joined_beats = 0
        """Beats that were not moved again for that."""
        self.offset = 0
        """Time that a fast-forward left out, in units of 1/q cycle; the times in `busy` have it in them."""
        self.busy: list[tuple[int, int, int]] = []
        """Intervals (stream, start, end) of the bus, in units of 1/q cycle."""

    @property
    def progress(self) -> int:
        """Value of a number that grows whenever data has moved."""
        return len(self.busy)

    @property
    def units_per_cycle(self) -> int:
        """Value of q: bus time units in one cycle."""
        return self._q

    def state(self, cycle: int) -> tuple[object, ...]:
        """Return everything that what happens after `cycle` depends on, times relative to it."""
        now = cycle * self._q
        queues = tuple(
            tuple((request.eligible - cycle, request.beats, request.started) for request in queue)
            for queue in self._queues
        )
        run = self._run
        planned = None if run is None else (run.stream, run.beats, run.start - now, run.end - now)
        return queues, planned, max(0, self._free - now), self._last, now % self._edge

    def is_planned(self, run: object) -> bool:
        """Tell whether `run`, the value of a timer of this channel, is the one it waits for."""
        return run is self._run

    def submit(
        self,
        stream: int,
        eligible: int,
        transfers: Sequence[Transfer],
        begun: Callable[[int], None],
        done: Callable[[int], None],
    ) -> None:
        """Ask for `transfers` no earlier than cycle `eligible` (> now); `begun` and `done` are told the cycle."""
        if self.multicast and stream % 2 == READ:
            ask = (eligible, tuple(transfers), begun, done)
            if self._joins(stream, ask):
                return
            if stream in self._rides:
                self._rides[stream].held.append(ask)
                return
        beats = sum(transfer.beats(self.beat_bytes) for transfer in transfers)
        self._queues[stream].append(_Request(eligible, beats, begun, done, transfers=tuple(transfers)))
        run = self._run
        if run is None or run.start > self._env.now * self._q:
            self._plan()
        elif run.stream != stream and len(self._queues[stream]) == 1:
            self._schedule(self._cut(run.stream, run.start, self._queues[run.stream][0].beats))

    def _joins(self, stream: int, ask: _Ask) -> bool:
        """Let a read ride with an equal one that waits; return whether there was one. A stream stays in order."""
        rides = self._rides.get(stream)
        if self._queues[stream] or (rides is not None and rides.held):
            return False
        under_way = self._run if self._run is not None and self._run.start <= self._env.now * self._q else None
        hosts = range(0, len(self._queues), 2) if rides is None else (rides.host,)
        for host in hosts:
            for place, request in enumerate(self._queues[host]):
                moving = request.started or (place == 0 and under_way is not None and under_way.stream == host)
                if moving or request.transfers != ask[1]:
                    continue
                self._board(stream, host, request, ask)
                if under_way is None:
                    self._plan()
                return True
        return False

    def _board(self, stream: int, host: int, request: _Request, ask: _Ask) -> None:
        """Let the read `ask` of `stream` ride with `request` of `host`."""
        eligible, _, begun, done = ask
        rides = self._rides.setdefault(stream, _Rides(host))
        rides.count += 1
        request.eligible = max(request.eligible, eligible)
        request.begun = _both(request.begun, begun)
        request.done = _both(_both(request.done, done), lambda cycle: self._alight(stream, cycle))
        self.joined_beats += request.beats

    def _alight(self, stream: int, cycle: int) -> None:
        """End a ride of `stream`; after the last of them the reads go on that stood behind it."""
        rides = self._rides[stream]
        rides.count -= 1
        if not rides.count:
            del self._rides[stream]
            for eligible, transfers, begun, done in rides.held:
                self.submit(stream, max(eligible, cycle + 1), transfers, begun, done)

    def _cut(self, stream: int, start: int, beats: int) -> _Run:
        """Return the run of up to `beats` beats from `start`, cut where the other stream may take its turn."""
        others = [queue[0].eligible for index, queue in enumerate(self._queues) if queue and index != stream]
        if others:
            burst = self._burst_beats * self._beat
            bursts = max(1, -(-(min(others) * self._q - start) // burst))
            beats = min(beats, bursts * self._burst_beats)
        self._version += 1
        return _Run(stream, beats, start, start + beats * self._beat, self._version)

    def _plan(self) -> None:
        """Choose who has the bus next and when."""
        heads = [queue[0].eligible * self._q if queue else None for queue in self._queues]
        wanted = [head for head in heads if head is not None]
        if not wanted:
            self._run = None
            return
        start = max(self._free, min(wanted))
        eligible = [stream for stream, head in enumerate(heads) if head is not None and head <= start]
        stream = eligible[0]
        if not self._priority:
            stream = min(eligible, key=lambda index: (index - self._last - 1) % len(self._queues))
        if stream != self._last or not self._queues[stream][0].started:
            start = -(-start // self._edge) * self._edge
        self._schedule(self._cut(stream, start, self._queues[stream][0].beats))

    def _schedule(self, run: _Run) -> None:
        self._run = run
        wake = self._env.timeout(-(-run.end // self._q) - self._env.now, run)
        wake.callbacks.append(lambda _: self._finish(run))

    def _finish(self, run: _Run) -> None:
        if self._run is not run:
            return  # cut short or planned again
        request = self._queues[run.stream][0]
        if not request.started:
            request.started = True
            request.begun(run.start // self._q)
        request.beats -= run.beats
        self.busy.append((run.stream, run.start + self.offset, run.end + self.offset))
        self._free, self._last = run.end, run.stream
        finished = request.beats == 0
        if finished:
            self._queues[run.stream].popleft()
        self._plan()
        if finished:
            request.done(-(-run.end // self._q))
