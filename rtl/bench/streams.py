"""Valid/ready source and sink that decide a cycle at its falling edge.

The cores promise that no output depends combinationally on an input. Half a cycle after a rising edge every output
therefore already has the value that the next rising edge will see, whatever the bench drives now: one wake-up per
cycle is enough, and the result is the same on simulators that order a clock edge and its callbacks differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any


class ProtocolError(Exception):
    """The core broke a rule of its interface."""


class Source:
    """Offers beats on a valid/ready port; an offer stands until it is taken."""

    def __init__(self, valid: Any, ready: Any, payload: Sequence[Any], pause: Random, pause_percent: int) -> None:
        self._valid, self._ready, self._payload = valid, ready, tuple(payload)
        self._pause, self._pause_percent = pause, pause_percent
        self._beats: list[tuple[int, ...]] = []
        self._next = 0
        self._driving: bool | None = None  # what an earlier source or sink left is unknown
        self._offered = False

    def send(self, beats: Sequence[tuple[int, ...]]) -> None:
        """Append `beats`, one value per payload signal, to what is offered."""
        self._beats.extend(beats)

    @property
    def left(self) -> int:
        """Value of the number of beats not yet taken."""
        return len(self._beats) - self._next

    def cycle(self) -> bool:
        """Drive one cycle; tell whether the coming edge takes a beat."""
        if not self._offered:
            wanted = self._next < len(self._beats) and not _hit(self._pause, self._pause_percent)
            if wanted:
                for signal, value in zip(self._payload, self._beats[self._next], strict=True):
                    signal.value = value
            if wanted != self._driving:
                self._valid.value = int(wanted)
                self._driving = wanted
            self._offered = wanted
        if self._offered and bool(self._ready.value):
            self._next += 1
            self._offered = False
            return True
        return False


class Sink:
    """Takes beats of a valid/ready port and checks that an offer does not change while it waits."""

    def __init__(self, valid: Any, ready: Any, data: Any, last: Any, pause: Random, pause_percent: int) -> None:
        self._valid, self._ready, self._data, self._last = valid, ready, data, last
        self._pause, self._pause_percent = pause, pause_percent
        self._driving: bool | None = None  # what an earlier source or sink left is unknown
        self._waiting: tuple[int, bool] | None = None

    def cycle(self) -> tuple[int, bool] | None:
        """Drive one cycle; return the beat (data, last) that the coming edge hands over, if any."""
        wanted = not _hit(self._pause, self._pause_percent)
        if wanted != self._driving:
            self._ready.value = int(wanted)
            self._driving = wanted
        beat: tuple[int, bool] | None = None
        if bool(self._valid.value):
            data = self._data.value  # a port of one bit gives a Logic, which has no to_unsigned
            beat = data.to_unsigned() if hasattr(data, "to_unsigned") else int(data), bool(self._last.value)
        if self._waiting is not None and beat != self._waiting:
            raise ProtocolError("a result changed or vanished while it waited to be taken")
        self._waiting = None if wanted else beat
        return beat if wanted else None


def _hit(pause: Random, percent: int) -> bool:
    """Draw whether this cycle pauses; no draw when pauses are off."""
    return percent > 0 and pause.randrange(100) < percent
