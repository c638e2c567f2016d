"""Commands as numbers, equal where the event model cannot tell two commands apart.

Two commands get one number when they take the same time on the same engine, wait for completions equally far back, and
touch slots of the same place that were last touched equally many commands ago (the previous-occurrence code that
parameterised matching uses for renamed symbols: Baker, 1996). Tags, tensors, DRAM addresses beyond their alignment to a
beat, and layers are left out: the event model's times do not depend on them. A wait is left out where a command before
it on the same engine has waited for as much.

Every command becomes a row of integers, and equal rows get one number: rows are compared whole, not by a hash of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from itertools import chain, count, pairwise
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from mappers.commands import ENGINES, AnyCommand, ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand
from mappers.kinds import Touches, kinds_of, touches_of

IntArray = npt.NDArray[np.int64]

_NO_TIME = frozenset(
    ("layer", "waits", "reads", "writes", "releases", "macs", "input_tensor", "weight_tensor", "output_tensor", "walk")
)
_TIMED = attrgetter(*(field.name for field in fields(ComputeCommand) if field.name not in _NO_TIME))
"""Every field of an array command that may have to do with time; a field added later is among them."""
_PASSES = attrgetter("rows", "row_elements", "simple_passes", "special_passes")
_NUMBER = {engine: number for number, engine in enumerate(ENGINES)}


@dataclass(frozen=True, slots=True)
class _Cells:
    """Numbers that belong to commands: the command of each, in order, and one or more columns."""

    whose: IntArray
    columns: tuple[IntArray, ...]


def codes_of(program: Program, beat_bytes: int) -> IntArray:
    """Return one number per command; see the module docstring."""
    if not program.commands:
        return np.empty(0, dtype=np.int64)
    kinds, touches = kinds_of(program, beat_bytes), touches_of(program)
    engine = kinds.engine
    work = np.array(_numbers([_work(sample, beat_bytes) for sample in kinds.samples]), dtype=np.int64)[kinds.of]
    fixed = np.stack((engine, work, *touches.lengths), axis=1)
    return _numbered(fixed, [_waits(program, engine), _since(touches)])


def _numbers(keys: Sequence[Hashable]) -> list[int]:
    """Return a number per key, equal for equal ones."""
    known: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return list(map(known.__getitem__, keys))


def _work(command: AnyCommand, beat_bytes: int) -> Hashable:
    """Return what the time of `command` depends on, but for its waits and its engine."""
    if isinstance(command, LoadCommand | StoreCommand):
        return sum(transfer.beats(beat_bytes) for transfer in command.transfers)
    if isinstance(command, ComputeCommand):
        return _TIMED(command)
    assert isinstance(command, VectorCommand)
    return _PASSES(command)


def _waits(program: Program, engine: IntArray) -> _Cells:
    """Return what each command waits for that none before it on its engine waited for: engine and how far back."""
    waits = list(map(attrgetter("waits"), program.commands))
    lengths = np.fromiter(map(len, waits), dtype=np.int64, count=len(waits))
    whose = np.repeat(np.arange(len(waits)), lengths)
    flat = list(chain.from_iterable(waits))
    names, counts = zip(*flat, strict=True) if flat else ((), ())
    other = np.fromiter(map(_NUMBER.__getitem__, names), dtype=np.int64, count=len(flat))
    least = np.array(counts, dtype=np.int64)
    new = np.zeros(len(flat), dtype=bool)
    back = np.empty(len(flat), dtype=np.int64)
    for awaited in range(len(ENGINES)):
        before = np.cumsum(engine == awaited) - (engine == awaited)
        for own in range(len(ENGINES)):
            at = np.flatnonzero((other == awaited) & (engine[whose] == own))
            known = np.maximum.accumulate(np.concatenate(([0], least[at])))[:-1]
            new[at] = least[at] > known
            back[at] = before[whose[at]] - least[at]
    return _Cells(whose[new], (other[new], back[new]))


def _since(touches: Touches) -> _Cells:
    """Return the slots that each command reads, writes and releases: place, and commands since it was touched."""
    order = np.argsort(touches.tag, kind="stable")
    tag, whose = touches.tag[order], touches.whose[order]
    since = np.full(len(tag), -1, dtype=np.int64)
    again = np.flatnonzero(tag[1:] == tag[:-1]) + 1
    since[order[again]] = whose[again] - whose[again - 1]
    return _Cells(touches.whose, (touches.place, since))


def _numbered(fixed: IntArray, ragged: Sequence[_Cells]) -> IntArray:
    """Return one number per command, equal where its fixed numbers and all of its cells are equal."""
    rows = len(fixed)
    lengths = [np.bincount(cells.whose, minlength=rows) for cells in ragged]
    widths = [len(cells.columns) * length for cells, length in zip(ragged, lengths, strict=True)]
    size = fixed.shape[1] + len(ragged) + sum(widths, np.zeros(rows, dtype=np.int64))
    starts = np.concatenate(([0], np.cumsum(size)))
    flat = np.empty(starts[-1], dtype=np.int64)
    at = starts[:-1].copy()
    for column in (*fixed.T, *lengths):
        flat[at] = column
        at += 1
    for cells, length, width in zip(ragged, lengths, widths, strict=True):
        nth = np.arange(len(cells.whose)) - np.repeat(np.cumsum(length) - length, length)
        for number, column in enumerate(cells.columns):
            flat[at[cells.whose] + len(cells.columns) * nth + number] = column
        at += width
    data, ends = flat.tobytes(), (starts * flat.itemsize).tolist()
    return np.array(_numbers([data[a:b] for a, b in pairwise(ends)]), dtype=np.int64)
