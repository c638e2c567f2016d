"""The best tilings of one layer in order, not only the first: what a slower model may put in another order.

Same map space and bounds as `mappers.search`, with the k-th best value in place of the best: what it leaves out has a
bound above that. One mapping per tile combination and dataflow, its best order and cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hw_models.accelerator import Accelerator
from mappers.image import IntArray
from mappers.mapping import TILED_DIMS, Mapping, TileLoop
from mappers.problem import TileProblem
from mappers.search_space import _USED, Best, Space, _Batch, _beats, _picked
from workloads.errors import InputError

LARGEST_COUNT = 256


@dataclass
class _Ranking:
    """The best of all tile combinations seen, ascending, at most `most`."""

    most: int
    kept: list[Best] = field(default_factory=list)

    def add(self, found: list[Best]) -> Best | None:
        """Take in `found`; return the last of a full ranking, which later ones have to reach."""
        self.kept = sorted([*self.kept, *found], key=lambda best: best.key)[: self.most]
        return self.kept[-1] if self.full else None

    @property
    def full(self) -> bool:
        """Tell whether there are as many as asked for."""
        return len(self.kept) == self.most


class _RankedSpace(Space):
    """A space whose evaluation keeps the best order and cuts of every combination."""

    ranking: _Ranking

    def _evaluate(self, group: _Batch, part: IntArray, best: Best | None) -> Best | None:
        triples = self.orders.triples
        fits = np.ones((len(triples), len(part)), dtype=bool)
        for r, table in enumerate(group.tables):
            fits &= table.fits[:, part][triples[:, r]]
        found = []
        for column in range(len(part)):
            which = np.flatnonzero(fits[:, column])
            if len(which):
                found.append(self._best_of(group, which, np.full(len(which), part[column])))
        return self.ranking.add(found)

    def _best_of(self, group: _Batch, which: IntArray, chosen: IntArray) -> Best:
        """Return the best order and cuts of one combination, ties broken as the search does."""
        i, w, o = (
            _picked(table, self.orders.triples[which, r], chosen, _USED[r]) for r, table in enumerate(group.tables)
        )
        latency = self.cost.latency(group.array[chosen], group.last_job[chosen], i, w, o)
        energy, moved = self._energy(group, which, chosen), self._moved(group, which, chosen)
        value = self.value(latency + group.charge[chosen] + self.cost.bus_charge(_beats(i, w, o)), energy)
        pick = int(np.lexsort((which, energy, moved, value))[0])
        triple, at = int(which[pick]), int(chosen[pick])
        sizes = tuple(int(self.cost.axes[d].tile[group.ix[d][at]]) for d in TILED_DIMS)
        key = (float(value[pick]), float(moved[pick]), float(energy[pick]), float(group.charge[at]), *map(float, sizes))
        order, cuts = self.orders.witness[triple]
        cycles = -(-int(latency[pick]) // self.cost.units)
        return Best(
            (*key, float(self.rank), float(triple)),
            self.cost.dataflow,
            order,
            cuts,
            sizes,
            cycles,
            float(energy[pick]),
            int(moved[pick]),
        )


def best_mappings(
    problem: TileProblem, accelerator: Accelerator, objective: str, most: int, layer: str, core: str
) -> list[tuple[float, Mapping]]:
    """Return the `most` best tilings with their objective value, best first; fewer if there are fewer.

    Raises
    ------
    InputError
        If `most` is below 1 or above 256.
    """
    if not 1 <= most <= LARGEST_COUNT:
        raise InputError(f"runners-up: {most} mappings asked for, bound is 1..{LARGEST_COUNT}; ask for fewer")
    ranking, last = _Ranking(most), None
    for rank, flow in enumerate(accelerator.core.array.dataflows):
        space = _RankedSpace(problem, accelerator, flow, objective, rank)
        space.ranking = ranking
        if not space.count:
            continue
        members = np.argsort(space.floor, kind="stable")
        start, batch = 0, 256
        while start < space.count and (last is None or space.floor[members[start]] <= last.key[0]):
            last = space.improve(np.sort(members[start : start + batch]), last)
            start, batch = start + batch, min(2 * batch, 4096)
    return [(best.key[0], _mapping(problem, best, layer, core)) for best in ranking.kept]


def _mapping(problem: TileProblem, best: Best, layer: str, core: str) -> Mapping:
    """Return `best` with loops of a single iteration left out."""
    tiles = dict(zip(TILED_DIMS, best.tiles, strict=True))
    kept = [depth for depth, dim in enumerate(best.order) if tiles[dim] < problem.size[dim]]
    loops = tuple(
        TileLoop(best.order[depth], problem.size[best.order[depth]], tiles[best.order[depth]]) for depth in kept
    )
    cuts = tuple((role, sum(depth < cut for depth in kept)) for role, cut in zip("IWO", best.cuts, strict=True))
    return Mapping(layer, core, best.dataflow, loops, cuts)
