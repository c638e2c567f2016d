"""The raw outcome of a program: times of every command, bus intervals, occupancy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.dram.report import DramRun
from sim.spans import Span


@dataclass(frozen=True, slots=True)
class Run:
    """The raw outcome of a program.

    Parameters
    ----------
    spans : sequence of Span
        One per command, in program order.
    bus : list of (stream, start, end)
        Bus intervals in units of 1/`bus_units` cycle; stream 0 reads, 1 writes.
    dram : DramRun, optional
        What a DRAM with timing did.
    skipped : int
        Commands that a fast-forward left out; their spans are those of the period it saw, moved.
    conflicts : dict of int to int
        Per array command that waited for banks, the cycles of its streams in which no operand entered for that.
    """

    cycles: int
    spans: Sequence[Span]
    bus: list[tuple[int, int, int]]
    bus_units: int
    peak_scratchpad_bytes: int
    occupancy: list[tuple[int, Any, int]]
    events: int = field(default=0)
    dram: DramRun | None = None
    skipped: int = 0
    conflicts: dict[int, int] = field(default_factory=dict)
