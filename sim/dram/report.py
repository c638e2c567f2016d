"""What one DRAM channel did: commands, row hits, where the time of its data bus went, and the energy of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

GAPS = ("no_request", "row", "refresh", "turnaround", "bank_group", "rank", "command")
"""Why the data bus was idle before a burst: nothing queued; its row was not open; it was closed for a refresh; the
direction changed; the bank group was busy; another rank drives the bus; the command could not be sent earlier."""

MERGE_GAP_TICKS = 64
"""Data of one direction with smaller gaps is one interval of the timeline."""


@dataclass(slots=True)
class ChannelCounts:
    """Counts of one channel; ticks are of its command clock."""

    reads: int = 0
    writes: int = 0
    activates: int = 0
    precharges: int = 0
    refreshes: int = 0
    row_hits: int = 0
    busy_ticks: int = 0
    active_rank_ticks: int = 0
    """Ticks with an open bank, summed over ranks."""
    gap_ticks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GAPS, 0))

    def add(self, other: ChannelCounts) -> None:
        """Add the counts of another channel."""
        for name in ("reads", "writes", "activates", "precharges", "refreshes", "row_hits", "busy_ticks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.active_rank_ticks += other.active_rank_ticks
        for cause, ticks in other.gap_ticks.items():
            self.gap_ticks[cause] += ticks


@dataclass(frozen=True, slots=True)
class DramRun:
    """What the DRAM did in a run.

    Parameters
    ----------
    ticks : int
        Length of the run in ticks of the command clock.
    channels : tuple of ChannelCounts
        One per channel.
    commands : tuple of (bursts, activates)
        Per load and store, in the order in which they were submitted per stream: reads of an engine, then its writes.
    """

    ticks: int
    ranks: int
    channels: tuple[ChannelCounts, ...]
    commands: tuple[tuple[tuple[int, int], ...], ...]

    def joined(self, stream: int, counts: Sequence[int]) -> DramRun:
        """Return the same with the requests of `stream` put together, so many in a row for each command."""
        left = iter(self.commands[stream])
        whole = []
        for count in counts:
            parts = [next(left) for _ in range(count)]
            whole.append((sum(bursts for bursts, _ in parts), sum(activates for _, activates in parts)))
        return replace(self, commands=(*self.commands[:stream], tuple(whole), *self.commands[stream + 1 :]))

    @property
    def total(self) -> ChannelCounts:
        """Value of the counts of all channels together."""
        total = ChannelCounts()
        for counts in self.channels:
            total.add(counts)
        return total


class Timeline:
    """Intervals of the data bus, close ones of a direction merged."""

    __slots__ = ("intervals",)

    def __init__(self) -> None:
        self.intervals: list[tuple[int, int, int]] = []

    def add(self, direction: int, start: int, end: int) -> None:
        """Note data from tick `start` to `end`, no earlier than what was noted before."""
        if self.intervals:
            last, began, ended = self.intervals[-1]
            if last == direction and start - ended < MERGE_GAP_TICKS:
                self.intervals[-1] = (direction, began, end)
                return
        self.intervals.append((direction, start, end))
