"""Commands of a kind: what is the same for all of them is worked out once and multiplied.

A network lowers to hundreds of thousands of commands of a few thousand kinds. Two commands are of one kind if they
agree in everything but when they wait, which slots of their memories they touch, which part of their tensors they work
on, and where in DRAM their transfers lie beyond the alignment to a beat. A sum over commands of whatever follows from
the rest is a sum over kinds, each times how often it stands in the program: the same integer.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from hw_models.systolic import FoldJob
from mappers.commands import (
    ENGINES,
    AnyCommand,
    ComputeCommand,
    Engine,
    LoadCommand,
    Program,
    Slot,
    StoreCommand,
    VectorCommand,
)

IntArray = npt.NDArray[np.int64]
READ, WRITTEN, RELEASED = range(3)
_APART = frozenset(("waits", "reads", "writes", "releases", "transfers", "part", "job", "walk"))
_JOB = tuple(f"job.{field.name}" for field in fields(FoldJob))
_WALK = tuple(f"walk.{name}" for name in ("groups", "depth", "planes", "channels", "outputs", "pixels", "taps"))
"""What a walk computes; the rest of it says where."""
_NUMBER = {engine: number for number, engine in enumerate(ENGINES)}


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of commands of a program, in the order in which it meets them.

    Parameters
    ----------
    of : array
        Kind of every command.
    samples : tuple of AnyCommand
        First command of every kind.
    times : tuple of int
        Commands of every kind.
    """

    of: IntArray
    samples: tuple[AnyCommand, ...]
    times: tuple[int, ...]

    def each(self, compute: Callable[[AnyCommand], Any]) -> npt.NDArray[Any]:
        """Return what `compute` gives for every command, worked out once per kind; integers."""
        return np.array([compute(sample) for sample in self.samples], dtype=np.int64)[self.of]

    def total(self, compute: Callable[[AnyCommand], int]) -> int:
        """Return the sum over all commands of what `compute` gives, worked out once per kind; exact."""
        return sum(times * compute(sample) for sample, times in zip(self.samples, self.times, strict=True))

    @property
    def layer(self) -> IntArray:
        """Value of the layer of every command."""
        return np.array([sample.layer for sample in self.samples], dtype=np.int64)[self.of]

    @property
    def engine(self) -> IntArray:
        """Value of the engine of every command, as its place in `ENGINES`."""
        return np.array([_NUMBER[sample.engine] for sample in self.samples], dtype=np.int64)[self.of]

    def on(self, engine: Engine) -> IntArray:
        """Return the places of the commands on `engine` in the program."""
        return np.flatnonzero(self.engine == _NUMBER[engine])


@dataclass(frozen=True, slots=True)
class Touches:
    """Every mention of a slot in a program, in order.

    Parameters
    ----------
    lengths : tuple of array
        Per command, slots read, written and released.
    whose, part : array
        Command of every mention; what it does to the slot: `READ`, `WRITTEN` or `RELEASED`.
    place, tag : array
        A number of the place (memory, half, offset, size), and the tag.
    """

    lengths: tuple[IntArray, IntArray, IntArray]
    whose: IntArray
    part: IntArray
    place: IntArray
    tag: IntArray


def _getter(kind: type, *instead: str) -> attrgetter[tuple[Hashable, ...]]:
    """Return what reads every field of commands of `kind` but those of `_APART`, and `instead`."""
    return attrgetter(*(field.name for field in fields(kind) if field.name not in _APART), *instead)


_LOAD, _STORE = _getter(LoadCommand), _getter(StoreCommand)
_VECTOR = _getter(VectorCommand)
_COMPUTE = {True: _getter(ComputeCommand, *_JOB, *_WALK), False: _getter(ComputeCommand, *_JOB)}
"""With a walk and without."""


def _keys(program: Program, beat_bytes: int) -> Iterator[Hashable]:
    """Yield a value per command, equal for commands of one kind."""
    for command in program.commands:
        if isinstance(command, ComputeCommand):
            yield _COMPUTE[command.walk is not None](command)
        elif isinstance(command, VectorCommand):
            yield _VECTOR(command), tuple([slot.memory for slot in command.reads + command.writes])
        else:
            moves = [(t.address % beat_bytes, t.run_bytes, t.counts, t.pitches_bytes) for t in command.transfers]
            fixed = _LOAD(command) if isinstance(command, LoadCommand) else _STORE(command)
            yield fixed, (command.reads or command.writes)[0].memory, *moves


def _made(program: Program, beat_bytes: int) -> Kinds:
    count = len(program.commands)
    known: defaultdict[Hashable, int] = defaultdict(itertools.count().__next__)
    of = np.fromiter(map(known.__getitem__, _keys(program, beat_bytes)), dtype=np.int64, count=count)
    times = np.bincount(of, minlength=len(known))
    first = np.zeros(len(known), dtype=np.int64)
    first[of[::-1]] = np.arange(count)[::-1]
    return Kinds(of, tuple(program.commands[place] for place in first.tolist()), tuple(times.tolist()))


def _place(slot: Slot, known: dict[Hashable, int]) -> int:
    """Return the number of the place of `slot`."""
    return known.setdefault((slot.memory, slot.half, slot.offset_bytes, slot.size_bytes), len(known))


def _touched(program: Program) -> Touches:
    parts = [list(map(attrgetter(name), program.commands)) for name in ("reads", "writes", "releases")]
    count = len(program.commands)
    lengths = [np.fromiter(map(len, part), dtype=np.int64, count=count) for part in parts]
    flat = list(chain.from_iterable(chain.from_iterable(zip(*parts, strict=True))))
    each = np.stack(lengths, axis=1).ravel()
    whose = np.repeat(np.repeat(np.arange(count), 3), each)
    part = np.repeat(np.tile(np.arange(3), count), each)
    tag = np.fromiter(map(attrgetter("tag"), flat), dtype=np.int64, count=len(flat))
    # who touches a slot mostly mentions the same object: its place is asked for once
    identity = np.fromiter(map(id, flat), dtype=np.int64, count=len(flat))
    _, first, again = np.unique(tag, return_index=True, return_inverse=True)
    known: dict[Hashable, int] = {}
    place = np.array([_place(flat[at], known) for at in first.tolist()], dtype=np.int64)[again]
    for at in np.flatnonzero(identity != identity[first][again]).tolist():
        place[at] = _place(flat[at], known)
    return Touches((lengths[0], lengths[1], lengths[2]), whose, part, place, tag)


_KEPT: dict[tuple[int, int], tuple[ref[Program], Any]] = {}


def _kept(program: Program, which: int, make: Callable[[], Any]) -> Any:
    """Return what `make` gives for `program`, made once as long as it lives."""
    key = (id(program), which)
    found = _KEPT.get(key)
    if found is None or found[0]() is not program:
        found = _KEPT[key] = ref(program, lambda _: _KEPT.pop(key, None)), make()
    return found[1]


def forget() -> None:
    """Forget what is kept of every program, for measurements."""
    _KEPT.clear()


def kinds_of(program: Program, beat_bytes: int) -> Kinds:
    """Return the kinds of the commands of `program` on a bus of `beat_bytes`."""
    kinds: Kinds = _kept(program, beat_bytes, lambda: _made(program, beat_bytes))
    return kinds


def touches_of(program: Program) -> Touches:
    """Return every mention of a slot in `program`."""
    touches: Touches = _kept(program, 0, lambda: _touched(program))
    return touches
