"""What DMA engines ask of one DRAM channel: requests made of runs of consecutive bursts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

READ, WRITE = 0, 1
Segment = tuple[int, int]
"""(first burst, number of consecutive bursts), burst numbers of the channel."""


@dataclass(slots=True)
class Request:
    """Bursts of one command on one channel.

    Parameters
    ----------
    arrival_tick : int
        First tick at which the controller may take one of its bursts.
    segments : sequence of (first, count)
        Taken in order.
    tag : int
        What the caller knows it by.
    """

    arrival_tick: int
    segments: Sequence[Segment]
    tag: int = 0
    columns_left: int = field(init=False)
    begin_tick: int = -1
    """First tick of its first data; -1 until known."""
    end_tick: int = -1
    """End of its last data; -1 until its last column command is issued."""
    activates: int = 0

    def __post_init__(self) -> None:
        self.columns_left = sum(count for _, count in self.segments)


class Port:
    """One stream of requests in one direction; its bursts enter the controller in order."""

    __slots__ = ("_at", "_segment", "direction", "left", "next", "request", "waiting")

    def __init__(self, direction: int) -> None:
        self.direction = direction
        self.waiting: deque[Request] = deque()
        self.request: Request | None = None
        """Whose bursts enter now."""
        self.next = 0
        """Next burst to enter."""
        self.left = 0
        """Bursts of the run of `next` that have not entered; 0 when there is nothing to enter."""
        self._segment: Sequence[Segment] = ()
        self._at = 0

    def submit(self, request: Request) -> None:
        """Queue `request`, which has at least one burst."""
        self.waiting.append(request)
        if not self.left:
            self._take()

    def _take(self) -> None:
        if not self.waiting:
            self.request = None
            return
        self.request = self.waiting.popleft()
        self._segment, self._at = self.request.segments, 0
        self.next, self.left = self._segment[0]

    def following(self) -> int | None:
        """Return when what follows the current run arrives (0: it has), None if nothing is known to follow."""
        if self._at + 1 < len(self._segment):
            return 0
        return self.waiting[0].arrival_tick if self.waiting else None

    def step(self, bursts: int) -> None:
        """Note that `bursts` bursts of the current run, at most `left`, have entered."""
        self.next += bursts
        self.left -= bursts
        if not self.left:
            self._at += 1
            if self._at < len(self._segment):
                self.next, self.left = self._segment[self._at]
            else:
                self._take()


@dataclass(slots=True)
class Entry:
    """One burst in the controller's queue."""

    seq: int
    burst: int
    bank: int
    row: int
    arrival_tick: int
    request: Request
    port: Port
