"""A DRAM with timing as the machine's memory: descriptors to bursts, clock crossing, few wake-ups.

The controllers run on the DRAM's command clock, the machine on its own. With r ticks per cycle, exact, what is asked
for at cycle t is seen at tick ceil(t r), and what ends at tick d is seen at cycle ceil(d / r): the first edge of the
other clock that is not earlier.

Controllers are advanced to the present only, so a request never meets a future that ignored it. The next wake-up is at
a lower bound of the next completion; where the bound was too early, a new one is set. That takes few events, however
many bursts a command has. Commands of one stream complete in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import simpy

from hw_models.dram import TimedDram
from mappers.commands import Transfer
from sim.dram.controller import READ, WRITE, Controller
from sim.dram.ports import Request, Segment
from sim.dram.report import DramRun


@dataclass(slots=True)
class _Command:
    """A load or store: its part on each channel that has one, and who wants to know."""

    parts: list[tuple[Controller, int, Request]]
    begun: Callable[[int], None]
    done: Callable[[int], None]
    bursts: int


def runs_of(transfer: Transfer, burst_bytes: int) -> list[Segment]:
    """Return (first burst, bursts) of every contiguous run of `transfer`; runs that touch are joined.

    A run that starts or ends inside a burst has the whole burst. Runs that share a burst both have it.
    """
    starts = [transfer.address]
    for count, pitch in zip(transfer.counts, transfer.pitches_bytes, strict=True):
        starts = [start + step * pitch for start in starts for step in range(count)]
    runs: list[Segment] = []
    for start in starts:
        first = start // burst_bytes
        count = (start + transfer.run_bytes - 1) // burst_bytes - first + 1
        if runs and runs[-1][0] + runs[-1][1] == first:
            runs[-1] = (runs[-1][0], runs[-1][1] + count)
        else:
            runs.append((first, count))
    return runs


class TimedChannel:
    """All channels of a DRAM behind one interface; two streams (read, write) per core."""

    def __init__(
        self, env: simpy.Environment, dram: TimedDram, clock_mhz: Fraction, cores: int = 1, *, fast: bool = True
    ) -> None:
        self._env, self._dram = env, dram
        self._ratio = dram.ticks_per_cycle(clock_mhz)
        directions = (READ, WRITE) * cores
        self._controllers = [Controller(dram, directions, fast=fast) for _ in range(dram.channels)]
        self._pending: list[deque[_Command]] = [deque() for _ in directions]
        self._complete: list[list[_Command]] = [[] for _ in directions]
        self._wake_at = -1
        self.wakes = 0

    @property
    def units_per_cycle(self) -> int:
        """Value of the bus time units in one cycle."""
        return self._ratio.numerator

    def submit(
        self,
        stream: int,
        eligible: int,
        transfers: Sequence[Transfer],
        begun: Callable[[int], None],
        done: Callable[[int], None],
    ) -> None:
        """Ask for `transfers` no earlier than cycle `eligible` (> now); `begun` and `done` are told the cycle."""
        self._advance()
        arrival = -(-eligible * self._ratio.numerator // self._ratio.denominator)
        size = self._dram.standard.burst_bytes
        runs = [run for transfer in transfers for run in runs_of(transfer, size)]
        command = _Command([], begun, done, sum(count for _, count in runs))
        for channel, controller in enumerate(self._controllers):
            segments = [part for part in (self._dram.map.split(*run, channel) for run in runs) if part[1]]
            if segments:
                request = Request(arrival, segments)
                command.parts.append((controller, stream, request))
                controller.submit(stream, request)
        self._pending[stream].append(command)
        self._plan()

    @property
    def progress(self) -> int:
        """Value of a number that grows whenever data has moved."""
        return sum(controller.banks.counts.busy_ticks for controller in self._controllers)

    def _advance(self) -> None:
        limit = int(self._env.now) * self._ratio.numerator // self._ratio.denominator + 1
        for controller in self._controllers:
            controller.advance(limit)

    def _cycle(self, tick: int) -> int:
        """Return the first cycle that is not before `tick`."""
        return -(-tick * self._ratio.denominator // self._ratio.numerator)

    def _plan(self) -> None:
        """Wake at the earliest cycle at which the first command of a stream may be complete."""
        bounds = [self._bound(queue[0]) for queue in self._pending if queue]
        if not bounds:
            return
        cycle = self._cycle(min(bounds))
        if self._wake_at < 0 or cycle < self._wake_at:
            self._wake_at = cycle
            timeout = self._env.timeout(cycle - int(self._env.now))
            timeout.callbacks.append(lambda _: self._wake(cycle))

    def _bound(self, command: _Command) -> int:
        return max(controller.least_end_tick(controller.ports[port], part) for controller, port, part in command.parts)

    def _wake(self, cycle: int) -> None:
        if cycle != self._wake_at:
            return  # an earlier one took its place
        self.wakes += 1
        self._wake_at = -1
        self._advance()
        finished = []
        for stream, queue in enumerate(self._pending):
            while queue and self._is_done(queue[0], cycle):
                command = queue.popleft()
                self._complete[stream].append(command)
                finished.append(command)
        for command in finished:
            begin = min(part.begin_tick for _, _, part in command.parts)
            command.begun(begin * self._ratio.denominator // self._ratio.numerator)
            command.done(cycle)
        self._plan()

    def _is_done(self, command: _Command, cycle: int) -> bool:
        return all(not part.columns_left and self._cycle(part.end_tick) <= cycle for _, _, part in command.parts)

    @property
    def busy(self) -> list[tuple[int, int, int]]:
        """Value of the intervals (stream, start, end) in which data moves, in units of 1/`units_per_cycle` cycle.

        Where channels read and write at once, the interval is the read's.
        """
        lines = [interval for c in self._controllers for interval in c.banks.timeline.intervals]
        if len(self._controllers) > 1:
            lines = _disjoint(lines)
        scale = self._ratio.denominator
        return [(direction, start * scale, end * scale) for direction, start, end in lines]

    def outcome(self, cycles: int) -> DramRun:
        """Return what happened in `cycles` cycles, the length of the run."""
        tick = cycles * self._ratio.numerator // self._ratio.denominator
        for controller in self._controllers:
            controller.advance(tick + 1)
            controller.finished.clear()
        return DramRun(
            ticks=tick,
            ranks=self._dram.ranks,
            channels=tuple(controller.banks.finish(tick) for controller in self._controllers),
            commands=tuple(
                tuple((c.bursts, sum(part.activates for _, _, part in c.parts)) for c in stream)
                for stream in self._complete
            ),
        )


def _disjoint(lines: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the union of intervals of several channels, reads before writes where they overlap."""
    edges: list[tuple[int, int, int]] = []
    for direction, start, end in lines:
        edges += [(start, direction, 1), (end, direction, -1)]
    edges.sort()
    active, result, since, shown = [0, 0], [], 0, -1
    for tick, direction, change in edges:
        active[direction] += change
        now = 0 if active[0] else 1 if active[1] else -1
        if now != shown:
            if shown >= 0 and tick > since:
                result.append((shown, since, tick))
            since, shown = tick, now
    return result
