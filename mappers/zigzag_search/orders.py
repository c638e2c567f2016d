"""From placed cuts to a complete mapping: the order of the loops between two cuts, chosen for the stalls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations

from mappers.zigzag_search.bounds import Key
from mappers.zigzag_search.figures import Counter, Figures, Loop, Plan, Point

MOST_GROUPS = 3
"""Dimensions of one segment are permuted in groups that all operands see alike; beyond this many only rotated."""
Ordered = tuple[Loop, ...]


class Orders:
    """Completes placed cuts of one layer."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.tables = counter, counter.tables
        roles = range(len(self.tables.roles))
        self.kind = {
            dim: tuple((dim in counter.blind[role], dim in counter.plain[role]) for role in roles)
            for dim in self.tables.model.steps
        }

    def complete(
        self, path: Sequence[tuple[Key, Point]], value: Callable[[Figures], float], enough: float
    ) -> tuple[Plan, Figures] | None:
        """Return the best plan with cuts at the points of `path`, outermost first; None if none fits.

        Parameters
        ----------
        enough : float
            Value at which to stop: no order is better.
        """
        points = [self.tables.lattice.top, *(point for _, point in path)]
        segments = [self._options(outer, inner) for outer, inner in pairwise(points)]
        segments.append(self._options(points[-1], (0,) * len(points[-1])))
        chosen = [options[0] for options in segments]
        best = self._counted(path, chosen)
        if best is None:
            return None
        for at, options in enumerate(segments):
            for option in options[1:]:
                if value(best[1]) <= enough * (1 + 1e-12):
                    return best
                other = self._counted(path, [*chosen[:at], option, *chosen[at + 1 :]])
                if other is not None and value(other[1]) < value(best[1]):
                    chosen[at], best = option, other
        return best

    def _counted(self, path: Sequence[tuple[Key, Point]], segments: Sequence[Ordered]) -> tuple[Plan, Figures] | None:
        inside = sum(map(len, segments))
        cuts = [[0] * (levels - 1) for levels in self.tables.levels]
        for ((role, k), _), segment in zip(path, segments, strict=False):
            inside -= len(segment)
            if k:
                cuts[role][k - 1] = inside
        order = tuple(loop for segment in reversed(segments) for loop in reversed(segment))
        plan = Plan(order, tuple(map(tuple, cuts)))
        figures = self.counter.count(plan)
        return None if figures is None else (plan, figures)

    def _options(self, outer: Point, inner: Point) -> list[Ordered]:
        """Return the orders worth trying of the loops between two points, outermost loop first."""
        groups: dict[object, list[Loop]] = {}
        for (dim, prime, _), high, low in zip(self.tables.lattice.axes, outer, inner, strict=True):
            groups.setdefault(self.kind.get(dim), []).extend([(dim, prime)] * (high - low))
        blocks = [block for block in groups.values() if block]
        if len(blocks) <= MOST_GROUPS:
            turns = list(permutations(blocks))
        else:
            turns = [(*blocks[at:], *blocks[:at]) for at in range(len(blocks))]
        return [tuple(loop for block in turn for loop in block) for turn in turns]
