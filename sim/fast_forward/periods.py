"""Where a command list repeats itself: stretches whose numbers (`sim.fast_forward.codes`) come again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mappers.commands import ENGINES, Engine, Program

LEAST_PERIODS = 4
LEAST_COMMANDS = 48
MOST_PERIODS_TRIED = 96
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Region:
    """Commands `low` .. `high` - 1 each equal the one `period` before.

    Parameters
    ----------
    anchor : int
        A command of the first period; its completions, every `period` commands, are where states are compared.
    counts : dict of Engine to int
        Commands of each engine in a period.
    """

    low: int
    high: int
    period: int
    anchor: int
    counts: dict[Engine, int]

    @property
    def lead(self) -> Engine:
        """Value of an engine that has commands in a period."""
        return next(engine for engine in ENGINES if self.counts[engine])

    def moves(self, index: int) -> bool:
        """Tell whether command `index` has one like it in the next period."""
        return index + self.period >= self.low


def regions_of(program: Program, codes: IntArray) -> list[Region]:
    """Return where the program repeats, by place; regions of different periods may overlap.

    Candidates are the distances between neighbours of one number that occur most often. A region has at least
    `LEAST_PERIODS` periods and `LEAST_COMMANDS` commands.
    """
    found: list[tuple[int, int, int]] = []
    for period in _candidates(codes):
        equal = np.concatenate(([False], codes[period:] == codes[:-period], [False]))
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        for start, stop in edges.reshape(-1, 2).tolist():
            low, high = start + period, stop + period
            if high - low < max(LEAST_COMMANDS, (LEAST_PERIODS - 1) * period):
                continue
            if any(period % p == 0 and a <= low and high <= b for a, b, p in found):
                continue
            found.append((low, high, period))
    rarity = np.bincount(codes)[codes] if len(codes) else codes
    return [_region(program, rarity, *place) for place in sorted(found)]


def _candidates(codes: IntArray) -> list[int]:
    order = np.argsort(codes, kind="stable")
    near = codes[order][1:] == codes[order][:-1]
    distances, times = np.unique((order[1:] - order[:-1])[near], return_counts=True)
    usual = np.lexsort((distances, -times))[:MOST_PERIODS_TRIED]
    return sorted(int(p) for p in distances[usual] if p * LEAST_PERIODS <= len(codes))


def _region(program: Program, rarity: IntArray, low: int, high: int, period: int) -> Region:
    """Return the region with its anchor: the rarest command of a period, the last of equals, no load if that may be."""
    counts: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
    for index in range(low, low + period):
        counts[program.commands[index].engine] += 1
    behind = [i for i in range(low, low + period) if program.commands[i].engine != "load"]
    anchor = min(behind or range(low, low + period), key=lambda index: (rarity[index], -index))
    return Region(low, high, period, anchor, counts)
