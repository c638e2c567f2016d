"""Building a command list: queues that count, slots that remember their readers, DRAM bytes that remember their stores.

The order of calls is the order of the program. A tile that is opened waits for the readers of what lay in its bytes
before; a tile that is closed is released by its last reader, which then waits for the readers on other engines. A
load waits for the last store that wrote one of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hw_models.accelerator import Core
from mappers.commands import ENGINES, AnyCommand, Engine, Memory, Slot, Transfer
from workloads.errors import InternalError

Waits = dict[Engine, int]
Places = tuple[tuple[int, int], ...]
"""Places, (half, offset), of which the tiles of a memory take turns."""


def turns(buffers: int, offset_bytes: int = 0) -> Places:
    """Return the places of a memory whose tiles take turns between its buffers, `offset_bytes` into each."""
    return tuple((half, offset_bytes) for half in range(buffers))


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
    def done(self) -> Waits:
        """Value of the wait that holds when this command has completed."""
        return {self.engine: self.number}


@dataclass(slots=True)
class Tile:
    """A live slot: who wrote it last, and who read it last on each engine."""

    slot: Slot
    writer: Draft | None = None
    readers: dict[Engine, Draft] = field(default_factory=dict)
    last: Draft | None = None


@dataclass(slots=True)
class _Region:
    """Bytes that are free once `waits` hold."""

    start: int
    stop: int
    waits: Waits


class ProgramDraft:
    """Commands in order, per-engine counts, the state of every memory half and of DRAM."""

    def __init__(self, core: Core) -> None:
        self._buffers, self._dma = core.buffers, core.dma
        self._drafts: list[Draft] = []
        self._counts: dict[Engine, int] = dict.fromkeys(ENGINES, 0)
        self._tags = 0
        self._channels = 0
        self._turn: dict[Memory, int] = {}
        self._free: dict[tuple[Memory, int], list[_Region]] = {}
        self._stored: dict[str, list[tuple[int, int, int]]] = {}

    def add(self, engine: Engine, layer: int, make: Callable[..., AnyCommand], waits: Waits, **fields: Any) -> Draft:
        """Append a command."""
        self._counts[engine] += 1
        draft = Draft(make, layer, engine, dict(waits), self._counts[engine], fields)
        self._drafts.append(draft)
        return draft

    def channels(self, count: int) -> int:
        """Return the first of `count` new entries of the program's table of channel terms."""
        first = self._channels
        self._channels += count
        return first

    # --- scratchpads ------------------------------------------------------------------------------------------------

    def places(self, memory: Memory, offset_bytes: int = 0) -> Places:
        """Return one place in every buffer of `memory`."""
        return turns(self._buffers[memory], offset_bytes)

    def open(self, memory: Memory, size_bytes: int, places: Places = ()) -> tuple[Tile, Waits]:
        """Open a tile in the next of its `places` (of the buffers); return it and what its writer must wait for."""
        places = places or self.places(memory)
        turn = self._turn.get(memory, 0) % len(places)
        self._turn[memory] = turn + 1
        return self.open_at(memory, *places[turn], size_bytes)

    def open_at(self, memory: Memory, half: int, offset_bytes: int, size_bytes: int) -> tuple[Tile, Waits]:
        """Open a tile at a place; return it and what its writer must wait for."""
        self._tags += 1
        stop = offset_bytes + size_bytes
        waits: Waits = {}
        kept = []
        for region in self._free.get((memory, half), ()):
            if region.start < stop and offset_bytes < region.stop:
                merge(waits, region.waits)
                # what the new tile covers is forgotten: its own readers come later than those of the old one
                for low, high in ((region.start, offset_bytes), (stop, region.stop)):
                    if low < high:
                        kept.append(_Region(low, high, region.waits))
            else:
                kept.append(region)
        self._free[memory, half] = kept
        return Tile(Slot(memory, half, offset_bytes, size_bytes, self._tags)), waits

    def write(self, tile: Tile, draft: Draft) -> None:
        """Note that `draft` writes `tile`."""
        draft.writes.append(tile.slot)
        tile.writer = draft

    def read(self, tile: Tile, draft: Draft) -> None:
        """Note that `draft` reads `tile`, after its last writer."""
        if tile.writer is not None:
            merge(draft.waits, tile.writer.done)
        draft.reads.append(tile.slot)
        tile.readers[draft.engine] = draft
        tile.last = draft

    def close(self, tile: Tile | None) -> None:
        """Let the last reader of `tile` release it."""
        if tile is None:
            return
        last, done = tile.last, Waits()
        if last is None:
            raise InternalError(f"lowering: {tile.slot} is written and never read")
        for reader in tile.readers.values():
            merge(done, reader.done)
            if reader is not last:
                merge(last.waits, reader.done)
        last.releases.append(tile.slot)
        start = tile.slot.offset_bytes
        regions = self._free.setdefault((tile.slot.memory, tile.slot.half), [])
        regions.append(_Region(start, start + tile.slot.size_bytes, done))

    # --- DRAM -------------------------------------------------------------------------------------------------------

    def note_store(self, storage: str, transfers: Sequence[Transfer], draft: Draft) -> None:
        """Note that `draft` stores `transfers` into block `storage`."""
        low, high = extent(transfers)
        self._stored.setdefault(storage, []).append((low, high, draft.number))

    def stored(self, storage: str, transfers: Sequence[Transfer]) -> Waits:
        """Return the wait after which the bytes of `transfers` in block `storage` are complete."""
        low, high = extent(transfers)
        for start, stop, number in reversed(self._stored.get(storage, ())):
            if start < high and low < stop:
                return {"store": number}
        return {}

    # --- end --------------------------------------------------------------------------------------------------------

    def finish(self) -> tuple[AnyCommand, ...]:
        """Return the commands; a wait that an earlier command of the same engine already made is left out.

        Each of several load or store engines is one by itself: it is in order, the engines among each other are not.
        """
        made: list[AnyCommand] = []
        known: dict[tuple[Engine, int], Waits] = {}
        for draft in self._drafts:
            if draft.engine == "load":
                draft.fields["dma"] = self._dma.engine_of(draft.writes[0].memory)
            elif draft.engine == "store":
                draft.fields["dma"] = (draft.number - 1) % self._dma.store_engines
            passed = known.setdefault((draft.engine, draft.fields.get("dma", 0)), {})
            waits = tuple((e, draft.waits[e]) for e in ENGINES if draft.waits.get(e, 0) > passed.get(e, 0))
            merge(passed, dict(waits))
            made.append(
                draft.make(
                    layer=draft.layer,
                    waits=waits,
                    reads=tuple(draft.reads),
                    writes=tuple(draft.writes),
                    releases=tuple(draft.releases),
                    **draft.fields,
                )
            )
        return tuple(made)


def merge(into: Waits, more: Waits) -> None:
    """Make `into` wait for everything that `more` waits for."""
    for engine, count in more.items():
        if count > into.get(engine, 0):
            into[engine] = count


def extent(transfers: Sequence[Transfer]) -> tuple[int, int]:
    """Return the first byte of `transfers` and the byte after their last."""
    low = min(t.address for t in transfers)
    high = max(
        t.address + t.run_bytes + sum((n - 1) * p for n, p in zip(t.counts, t.pitches_bytes, strict=True))
        for t in transfers
    )
    return low, high
