"""Where a command list repeats itself: commands as numbers, equal where the event model cannot tell them apart.

Two commands get one number when they take the same time on the same engine, wait for completions equally far back, and
touch slots of the same place that were last touched equally many commands ago (the previous-occurrence code that
parameterised matching uses for renamed symbols: Baker, 1996). Tags, tensors, DRAM addresses beyond their alignment to a
beat, and layers are left out: the event model's times do not depend on them. A wait is left out where a command before
it on the same engine has waited for as much.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from mappers.commands import (
    ENGINES,
    AnyCommand,
    ComputeCommand,
    Engine,
    LoadCommand,
    Program,
    StoreCommand,
    VectorCommand,
)

LEAST_PERIODS = 4
LEAST_COMMANDS = 48
MOST_PERIODS_TRIED = 96
IntArray = npt.NDArray[np.int64]

_NO_TIME = frozenset(
    ("layer", "waits", "reads", "writes", "releases", "macs", "input_tensor", "weight_tensor", "output_tensor", "walk")
)
_TIMED = tuple(field.name for field in fields(ComputeCommand) if field.name not in _NO_TIME)
"""Every field of an array command that may have to do with time; a field added later is among them."""


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


def codes_of(program: Program, beat_bytes: int) -> IntArray:
    """Return one number per command; see the module docstring."""
    return _Coder(beat_bytes).codes(program)


class _Coder:
    def __init__(self, beat_bytes: int) -> None:
        self._beat_bytes = beat_bytes
        self._numbers: dict[Hashable, int] = {}
        self._last: dict[int, int] = {}

    def codes(self, program: Program) -> IntArray:
        """Return the number of every command."""
        before: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        waited: dict[Engine, dict[Engine, int]] = {engine: {} for engine in ENGINES}
        result = np.empty(len(program.commands), dtype=np.int64)
        numbers, last = self._numbers, self._last
        for index, command in enumerate(program.commands):
            engine = command.engine
            known, waits = waited[engine], []
            for other, count in command.waits:
                if count > known.get(other, 0):
                    known[other] = count
                    waits.append((other, before[other] - count))
            slots: list[tuple[object, ...]] = []
            for part in (command.reads, command.writes, command.releases):
                for slot in part:
                    tag = slot.tag
                    since = index - last[tag] if tag in last else -1
                    last[tag] = index
                    slots.append((slot.memory, slot.half, slot.offset_bytes, slot.size_bytes, since))
            shape = (len(command.reads), len(command.writes))
            key = (engine, tuple(waits), shape, tuple(slots), self._work(command))
            result[index] = numbers.setdefault(key, len(numbers))
            before[engine] += 1
        return result

    def _work(self, command: AnyCommand) -> Hashable:
        if isinstance(command, LoadCommand | StoreCommand):
            return sum([transfer.beats(self._beat_bytes) for transfer in command.transfers])
        if isinstance(command, ComputeCommand):
            return tuple([getattr(command, name) for name in _TIMED])
        assert isinstance(command, VectorCommand)
        return command.rows, command.row_elements, command.simple_passes, command.special_passes


def regions_of(program: Program, codes: IntArray) -> list[Region]:
    """Return where the program repeats, by place; regions of different periods may overlap.

    Candidates are the distances between neighbours of one number that occur most often. A region has at least
    `LEAST_PERIODS` periods and `LEAST_COMMANDS` commands.
    """
    found: list[tuple[int, int, int]] = []
    for period in _candidates(codes):
        equal = codes[period:] == codes[:-period]
        edges = np.flatnonzero(np.diff(np.concatenate(([0], equal.view(np.int8), [0]))))
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
