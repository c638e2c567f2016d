"""Building a command list: queues that count, tiles that remember their last reader.

A tile is opened in the next half of its memory (ping-pong), waits for whoever read the half before, and is closed when its
successor is known; closing attaches the release to its last reader. The order of calls is the order of the program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mappers.commands import ENGINES, AnyCommand, Engine, Memory, Slot
from workloads.errors import InternalError

Waits = dict[Engine, int]


@dataclass(slots=True)
class Draft:
    """A command being built: fixed when the program is finished."""

    make: Callable[..., AnyCommand]
    layer: int
    engine: Engine
    waits: Waits
    number: int
    fields: dict[str, Any]
    reads: list[Slot] = field(default_factory=list)
    writes: list[Slot] = field(default_factory=list)
    releases: list[Slot] = field(default_factory=list)

    @property
    def done(self) -> tuple[Engine, int]:
        """Value of the wait that holds when this command has completed."""
        return self.engine, self.number


@dataclass(slots=True)
class Tile:
    """A live slot: who wrote it last and who read it last."""

    slot: Slot
    writer: Draft | None = None
    reader: Draft | None = None


class ProgramDraft:
    """Commands in order, per-engine counts, and the state of every memory half."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self._counts: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        self._tags = 0
        self._next_half: dict[Memory, int] = {}
        self._free: dict[tuple[Memory, int, int], Waits] = {}

    def count(self, engine: Engine) -> int:
        """Return how many commands of `engine` there are so far."""
        return self._counts[engine]

    def add(self, engine: Engine, layer: int, make: Callable[..., AnyCommand], waits: Waits, **fields: Any) -> Draft:
        """Append a command."""
        self._counts[engine] += 1
        draft = Draft(make, layer, engine, {e: n for e, n in waits.items() if n}, self._counts[engine], fields)
        self.drafts.append(draft)
        return draft

    def open(self, memory: Memory, size_bytes: int, places: tuple[tuple[int, int], ...] = ((0, 0), (1, 0))) -> tuple[Tile, Waits]:
        """Open a tile in the next of its two `places` (half, offset); return it and what its writer must wait for."""
        turn = self._next_half.get(memory, 0)
        self._next_half[memory] = 1 - turn
        half, offset = places[turn]
        self._tags += 1
        waits: Waits = {}
        for (other, at, start), earlier in self._free.items():
            if other == memory and at == half:
                del start  # a half is given away as a whole: tiles of different sizes follow one another
                merge(waits, earlier)
        return Tile(Slot(memory, half, offset, size_bytes, self._tags)), waits

    def write(self, tile: Tile, draft: Draft) -> None:
        """Note that `draft` writes `tile`."""
        draft.writes.append(tile.slot)
        tile.writer = draft

    def read(self, tile: Tile, draft: Draft) -> None:
        """Note that `draft` reads `tile`; its waits must already cover the writer."""
        if tile.writer is not None:
            merge(draft.waits, dict([tile.writer.done]))
        draft.reads.append(tile.slot)
        tile.reader = draft

    def close(self, tile: Tile | None) -> None:
        """Release `tile` when its last reader completes."""
        if tile is None:
            return
        if tile.reader is None:
            raise InternalError(f"lowering: {tile.slot} is written and never read")
        tile.reader.releases.append(tile.slot)
        key = (tile.slot.memory, tile.slot.half, 0)
        merge(self._free.setdefault(key, {}), dict([tile.reader.done]))

    def finish(self) -> tuple[AnyCommand, ...]:
        """Return the commands."""
        return tuple(
            draft.make(
                layer=draft.layer,
                waits=tuple((engine, draft.waits[engine]) for engine in ENGINES if engine in draft.waits),
                reads=tuple(dict.fromkeys(draft.reads)),
                writes=tuple(draft.writes),
                releases=tuple(draft.releases),
                **draft.fields,
            )
            for draft in self.drafts
        )


def merge(into: Waits, more: Waits) -> None:
    """Make `into` wait for everything that `more` waits for."""
    for engine, count in more.items():
        into[engine] = max(into.get(engine, 0), count)
