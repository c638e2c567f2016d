"""Rolling horizon for graphs whose exact search is too wide: a reconstruction, labelled ours.

COSMA's abstract says that large graphs are divided and conquered; how was not found. Here: an order in hand is cut
where the fewest bytes are live into windows of so many operators. In each window, from the state that the plan has
there, the operators are ordered anew by the search of `spill_search`, judged by what it costs to be no worse off than
the plan at the window's end. An order that is cheaper as a whole (`least_traffic` of that order) is kept. A second
sweep takes windows that overlap the first ones by half.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import live_bytes
from mappers.placement.spill_search import SpillPlan, least_traffic, reorder_window

WINDOW = 40
"""Operators of a window."""


def roll(
    graph: TensorGraph,
    capacity_bytes: int,
    order: Sequence[int],
    budget: Budget,
    window: int = WINDOW,
    sweeps: int = 2,
    width: int = 300,
) -> SpillPlan:
    """Return the plan of the best order found from `order`, window by window; its bound is of that order only."""
    best = least_traffic(graph, capacity_bytes, budget, order)
    for sweep in range(sweeps):
        before = best.traffic_bytes
        for start, stop in _windows(graph, best.order, window, sweep % 2 * window // 2):
            if budget.spent() or not best.traffic_bytes:
                return best
            inner = reorder_window(graph, capacity_bytes, best, start, stop, width, budget)
            if inner == best.order[start:stop]:
                continue
            trial = least_traffic(graph, capacity_bytes, budget, (*best.order[:start], *inner, *best.order[stop:]))
            if trial.traffic_bytes < best.traffic_bytes:
                best = trial
        if sweep and best.traffic_bytes == before:
            break
    return best


def _windows(graph: TensorGraph, order: Sequence[int], window: int, shift: int) -> list[tuple[int, int]]:
    """Return ranges of steps of about `window` operators, cut where the fewest bytes are live nearby."""
    live = live_bytes(graph, order)
    at = shift if shift < len(order) else 0  # no second cut where the order ends before it
    cuts = [0, at] if at else [0]
    while len(order) - at > window:
        choice = range(at + window // 2, at + window + 1)
        at = min(choice, key=lambda t: (live[t], -t))
        cuts.append(at)
    cuts.append(len(order))
    return [(a, b) for a, b in itertools.pairwise(cuts) if b - a > 1]
