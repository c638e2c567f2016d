"""Disjoint intervals in ascending order, painted over one another: each paint takes what no earlier one took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sim.span_table import IntArray


@dataclass(frozen=True, slots=True)
class Intervals:
    """Disjoint intervals in ascending order, none empty, each with a label."""

    starts: IntArray
    ends: IntArray
    labels: IntArray

    @classmethod
    def of(cls, starts: IntArray, ends: IntArray, labels: IntArray) -> Self:
        """Return intervals that are disjoint and in order, the empty ones left out."""
        full = np.flatnonzero(starts < ends)
        return cls(starts[full], ends[full], labels[full])

    def where(self, chosen: Any) -> Intervals:
        """Return the intervals that `chosen` (a mask or places in order) picks."""
        return Intervals(self.starts[chosen], self.ends[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Parts that two sets of intervals have in common: their ends, and whose they are in either set."""

    starts: IntArray
    ends: IntArray
    first: IntArray
    second: IntArray


def in_order(*sets: Intervals) -> Intervals:
    """Return the intervals of several sets, which are disjoint, in order."""
    starts, ends, labels = (np.concatenate([getattr(s, name) for s in sets]) for name in ("starts", "ends", "labels"))
    order = np.argsort(starts, kind="stable")
    return Intervals(starts[order], ends[order], labels[order])


def union(starts: IntArray, ends: IntArray, label: int) -> Intervals:
    """Return the union of any intervals; what touches is one."""
    full = np.flatnonzero(starts < ends)
    order = full[np.argsort(starts[full], kind="stable")]
    starts, ends = starts[order], ends[order]
    if not len(order):
        return Intervals(starts, ends, np.zeros(0, dtype=np.int64))
    reached = np.maximum.accumulate(ends)
    first = np.flatnonzero(np.concatenate(([True], (starts[1:] > reached[:-1]).astype(bool))))
    last = np.concatenate((first[1:], [len(order)])) - 1
    return Intervals(starts[first], reached[last], np.full(len(first), label, dtype=np.int64))


def paint(pieces: Intervals, over: Intervals) -> tuple[Overlaps, Intervals]:
    """Return what `over` takes of `pieces`, and what is left of them, with their labels."""
    count = len(pieces.starts)
    low = np.searchsorted(over.ends, pieces.starts, side="right")
    high = np.searchsorted(over.starts, pieces.ends, side="left")
    each = np.maximum(high - low, 0)
    whose = np.repeat(np.arange(count), each)
    before = np.cumsum(each) - each
    under = np.arange(len(whose)) - np.repeat(before - low, each)
    starts = np.maximum(pieces.starts[whose], over.starts[under])
    ends = np.minimum(pieces.ends[whose], over.ends[under])
    # a piece with n parts taken out leaves n + 1, some of them empty
    left_starts = np.empty(len(whose) + count, dtype=pieces.starts.dtype)
    left_ends = np.empty(len(whose) + count, dtype=pieces.starts.dtype)
    left_starts[before + np.arange(count)] = pieces.starts
    left_starts[np.arange(len(whose)) + whose + 1] = ends
    left_ends[before + each + np.arange(count)] = pieces.ends
    left_ends[np.arange(len(whose)) + whose] = starts
    left = Intervals.of(left_starts, left_ends, np.repeat(pieces.labels, each + 1))
    return Overlaps(starts, ends, whose, under), left
