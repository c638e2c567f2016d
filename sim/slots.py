"""What lives where in the scratchpads: the proof, at run time, that the lowering is right.

A slot is written by one or more commands, complete when none of them is under way, read while complete, and released.
Two live slots of one half never overlap, and no half holds more than it has. A violation is a fault of the program:
exit 70.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.accelerator import Accelerator
from mappers.commands import Memory, Slot
from workloads.errors import InternalError


@dataclass(slots=True)
class _Live:
    slot: Slot
    writers: int
    was_read: bool


class SlotMonitor:
    """Tracks live slots of every memory half."""

    def __init__(self, accelerator: Accelerator) -> None:
        core = accelerator.core
        self._capacity: dict[Memory, int] = {
            "input": core.input.half_bytes,
            "weight": core.weight.half_bytes,
            "accumulator": core.accumulator.half_bytes,
            "operand": core.vector.operand_half_bytes,
            "output": core.vector.output_half_bytes,
        }
        self._buffers = core.buffers
        self._live: dict[int, _Live] = {}
        self._halves: dict[tuple[Memory, int], dict[int, Slot]] = {}
        self._used: dict[Memory, int] = dict.fromkeys(self._capacity, 0)
        self._total = 0
        self.peak_bytes = 0
        self.occupancy: list[tuple[int, Memory, int]] = []
        """(cycle, memory, live bytes) at every change."""

    def begin_write(self, slot: Slot, now: int) -> None:
        """Note that a command starts writing `slot`."""
        live = self._live.get(slot.tag)
        if live is not None:
            if live.slot != slot:
                raise InternalError(f"tag {slot.tag} names two places, {live.slot} and {slot}; the lowering is wrong")
            live.writers += 1
            return
        half = self._halves.setdefault((slot.memory, slot.half), {})
        end = slot.offset_bytes + slot.size_bytes
        if (
            slot.offset_bytes < 0
            or end > self._capacity[slot.memory]
            or not 0 <= slot.half < self._buffers[slot.memory]
        ):
            has = ("one buffer", "two halves", "three buffers")[self._buffers[slot.memory] - 1]
            raise InternalError(
                f"slot {slot}: ends at byte {end} of half {slot.half}, '{slot.memory}' has {has} of "
                f"{self._capacity[slot.memory]} bytes; the lowering is wrong"
            )
        for other in half.values():
            if other.offset_bytes < end and slot.offset_bytes < other.offset_bytes + other.size_bytes:
                raise InternalError(f"cycle {now}: {slot} overwrites live {other}; the lowering is wrong")
        half[slot.tag] = slot
        self._live[slot.tag] = _Live(slot, 1, was_read=False)
        self._count(slot.memory, slot.size_bytes, now)

    def end_write(self, slot: Slot) -> None:
        """Note that a command has finished writing `slot`."""
        self._live[slot.tag].writers -= 1

    def read(self, slot: Slot, now: int) -> None:
        """Check that `slot` is live and complete."""
        live = self._live.get(slot.tag)
        if live is None or live.slot != slot:
            raise InternalError(f"cycle {now}: {slot} is read but not live; the lowering is wrong")
        if live.writers:
            raise InternalError(f"cycle {now}: {slot} is read while it is written; the lowering is wrong")
        live.was_read = True

    def release(self, slot: Slot, now: int) -> None:
        """Free `slot`."""
        live = self._live.pop(slot.tag, None)
        if live is None or live.slot != slot:
            raise InternalError(f"cycle {now}: {slot} is released but not live; the lowering is wrong")
        if live.writers or not live.was_read:
            raise InternalError(
                f"cycle {now}: {slot} is released before it was complete and read; the lowering is wrong"
            )
        del self._halves[(slot.memory, slot.half)][slot.tag]
        self._count(slot.memory, -slot.size_bytes, now)

    def leftover(self) -> list[Slot]:
        """Return the slots still live."""
        return [live.slot for live in self._live.values()]

    def _count(self, memory: Memory, change: int, now: int) -> None:
        self._used[memory] += change
        self._total += change
        self.peak_bytes = max(self.peak_bytes, self._total)
        self.occupancy.append((now, memory, self._used[memory]))

    def live(self) -> list[tuple[Slot, int, bool]]:
        """Return (slot, commands that write it now, whether it was read) of every live slot."""
        return [(live.slot, live.writers, live.was_read) for live in self._live.values()]

    def rename(self, names: dict[int, Slot]) -> None:
        """Let the live slot of each tag in `names` be the slot there: a later version of its content, in its place."""
        for old in names:
            slot = self._live[old].slot
            del self._halves[(slot.memory, slot.half)][old]
        live, self._live = self._live, {}
        for tag, entry in live.items():
            entry.slot = names.get(tag, entry.slot)
            self._live[entry.slot.tag] = entry
            self._halves[(entry.slot.memory, entry.slot.half)][entry.slot.tag] = entry.slot
