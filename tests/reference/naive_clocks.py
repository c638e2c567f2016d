"""Clock edges by walking them one after the other; edges that were walked are remembered."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from math import ceil

from hw_models.clock import OwnClock

_WALKED: dict[Fraction, list[Fraction]] = {}


def _walk(clock: OwnClock, time: Fraction, beyond: int = 0) -> tuple[list[Fraction], int]:
    """Return the edges of `clock` and which of them is the first at or after `time`, with `beyond` more behind it."""
    edges = _WALKED.setdefault(clock.ratio, [Fraction(0)])
    while edges[-1] < time:
        edges.append(edges[-1] + 1 / clock.ratio)
    first = bisect_left(edges, time)
    while len(edges) <= first + beyond:
        edges.append(edges[-1] + 1 / clock.ratio)
    return edges, first


def naive_edge(clock: OwnClock | None, time: Fraction) -> Fraction:
    """Return the first edge of `clock` at or after `time`; any time is one of none."""
    if clock is None:
        return time
    edges, first = _walk(clock, time)
    return edges[first]


def naive_ends(clock: OwnClock | None, cycle: int, own_cycles: int) -> int:
    """Return the first reference cycle at or after the end of `own_cycles` that begin at an edge of `clock`."""
    if clock is None:
        return cycle + own_cycles
    edges, first = _walk(clock, Fraction(cycle), own_cycles)
    return max(cycle, ceil(edges[first + own_cycles]))
