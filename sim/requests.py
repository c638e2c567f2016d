"""A DMA engine that sends a command request by request: descriptors set up in turn, bursts cut, so many in flight.

Rules, per engine and in the order of its commands:

* a transfer is cut into descriptors of `descriptor_dimensions` nested counts, a descriptor into runs, a run into
  requests at multiples of `max_burst_bytes`;
* a descriptor is ready `descriptor_cycles` after its command's issue and after the one before was;
* a request is sent when its descriptor is ready, a cycle or more after the one before, and when fewer than `requests`
  are in flight; it is in flight until its last beat (a write: until its response);
* the channel serves the requests of an engine in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import product

import simpy

from hw_models.dma import Dma
from mappers.commands import Transfer
from sim.channel import Channel
from sim.dram.memory import TimedChannel
from sim.links import LinkPort


def descriptors_of(transfer: Transfer, dimensions: int | None) -> list[Transfer]:
    """Return the descriptors of `transfer` on an engine of `dimensions` nested counts, the run included."""
    pairs = [(n, pitch) for n, pitch in zip(transfer.counts, transfer.pitches_bytes, strict=True) if n > 1]
    kept = len(pairs) if dimensions is None else min(len(pairs), dimensions - 1)
    outer, inner = pairs[: len(pairs) - kept], pairs[len(pairs) - kept :]
    counts, pitches = tuple(n for n, _ in inner), tuple(pitch for _, pitch in inner)
    starts = product(*(range(n) for n, _ in outer))
    return [
        Transfer(
            transfer.address + sum(step * pitch for step, (_, pitch) in zip(at, outer, strict=True)),
            transfer.run_bytes,
            counts,
            pitches,
        )
        for at in starts
    ]


def requests_of(descriptor: Transfer, max_burst_bytes: int | None) -> list[Transfer]:
    """Return the requests of `descriptor` in order: contiguous, none across a multiple of `max_burst_bytes`."""
    made = []
    for at in product(*(range(n) for n in descriptor.counts)):
        start = descriptor.address + sum(s * p for s, p in zip(at, descriptor.pitches_bytes, strict=True))
        end = start + descriptor.run_bytes
        while start < end:
            stop = end if max_burst_bytes is None else min(end, (start // max_burst_bytes + 1) * max_burst_bytes)
            made.append(Transfer(start, stop - start))
            start = stop
    return made


@dataclass(slots=True)
class _Command:
    issue: int
    transfers: tuple[Transfer, ...]
    begun: Callable[[int], None]
    done: Callable[[int], None]
    left: int = 0
    started: bool = False


class RequestSequencer:
    """Sends the commands of one engine to `stream` of `channel`.

    Parameters
    ----------
    delay_cycles : callable
        Cycles from sending a request, at a cycle, until the channel may serve it.
    response_cycles : callable
        Cycles from its last beat, at a cycle, until it is no longer in flight.
    """

    def __init__(
        self,
        env: simpy.Environment,
        channel: Channel | TimedChannel | LinkPort,
        dma: Dma,
        stream: int,
        delay_cycles: Callable[[int], int],
        response_cycles: Callable[[int], int],
    ) -> None:
        self._env, self._channel, self._dma, self._stream = env, channel, dma, stream
        self._delay, self._response = delay_cycles, response_cycles
        self._queue: deque[_Command] = deque()
        self._work: simpy.Event | None = None
        self._room: simpy.Event | None = None
        self._in_flight = 0
        self.counts: list[int] = []
        """Requests of every command so far."""
        env.process(self._run())

    def submit(self, transfers: Sequence[Transfer], begun: Callable[[int], None], done: Callable[[int], None]) -> None:
        """Take a command that issues now; `begun` and `done` are told the cycles of its first and last beat."""
        self._queue.append(_Command(int(self._env.now), tuple(transfers), begun, done))
        if self._work is not None:
            self._work.succeed()
            self._work = None

    def _run(self) -> Generator[simpy.Event, None, None]:
        env, dma = self._env, self._dma
        ready = next_send = 0
        while True:
            if not self._queue:
                self._work = env.event()
                yield self._work
            command = self._queue.popleft()
            parts = [
                requests_of(descriptor, dma.max_burst_bytes)
                for transfer in command.transfers
                for descriptor in descriptors_of(transfer, dma.descriptor_dimensions)
            ]
            command.left = sum(len(part) for part in parts)
            self.counts.append(command.left)
            for part in parts:
                ready = max(ready, command.issue) + dma.descriptor_cycles
                for request in part:
                    at = max(ready, next_send)
                    if at > env.now:
                        yield env.timeout(at - int(env.now))
                    while dma.requests is not None and self._in_flight >= dma.requests:
                        self._room = env.event()
                        yield self._room
                    next_send = int(env.now) + 1
                    self._send(command, request)

    def _send(self, command: _Command, request: Transfer) -> None:
        self._in_flight += 1

        def begun(cycle: int) -> None:
            if not command.started:
                command.started = True
                command.begun(cycle)

        def done(cycle: int) -> None:
            command.left -= 1
            after = self._response(cycle)
            if after:
                wake = self._env.timeout(after)
                wake.callbacks.append(lambda _: self._land())
            else:
                self._land()
            if command.left == 0:
                command.done(cycle)

        now = int(self._env.now)
        self._channel.submit(self._stream, now + self._delay(now), (request,), begun, done)

    def _land(self) -> None:
        self._in_flight -= 1
        if self._room is not None:
            self._room.succeed()
            self._room = None
