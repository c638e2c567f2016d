"""When tensors are needed under an order of the operators, and how many bytes that takes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mappers.placement.graph import TensorGraph


@dataclass(frozen=True, slots=True)
class Gap:
    """The steps between two needs of a tensor.

    Parameters
    ----------
    tensor : int
    after, before : int
        Steps of the two needs; the steps strictly between them are the gap.
    number : int
        Which gap of the tensor this is, from 0.
    """

    tensor: int
    after: int
    before: int
    number: int

    @property
    def steps(self) -> range:
        """Value of the steps at which the tensor lies idle if it is kept."""
        return range(self.after + 1, self.before)


def needs(graph: TensorGraph, order: Sequence[int]) -> list[list[int]]:
    """Return, per tensor, the steps that make or read it, in order; the first is where it appears."""
    found: list[list[int]] = [[] for _ in graph.tensors]
    for t, operator in enumerate(order):
        for a in sorted({*graph.reads[operator], *graph.writes[operator]}):
            found[a].append(t)
    return found


def gaps(graph: TensorGraph, order: Sequence[int]) -> list[Gap]:
    """Return all gaps under `order`, those without idle steps included, by tensor and time."""
    return [
        Gap(a, first, second, number)
        for a, steps in enumerate(needs(graph, order))
        for number, (first, second) in enumerate(itertools.pairwise(steps))
    ]


def live_bytes(graph: TensorGraph, order: Sequence[int]) -> list[int]:
    """Return the bytes that are live at each step when nothing is spilled."""
    change = [0] * (len(order) + 1)
    for a, steps in enumerate(needs(graph, order)):
        change[steps[0]] += graph.sizes[a]
        change[steps[-1] + 1] -= graph.sizes[a]
    total, found = 0, []
    for t in range(len(order)):
        total += change[t]
        found.append(total)
    return found


def order_peak_bytes(graph: TensorGraph, order: Sequence[int]) -> int:
    """Return the most bytes that are live at once under `order`."""
    return max(live_bytes(graph, order))
