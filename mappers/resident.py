"""A tensor kept whole in one half of the input scratchpad, written tile by tile and read by later groups."""

from __future__ import annotations

from mappers.draft import ProgramDraft, Tile
from mappers.mac_views import Box
from workloads.errors import InternalError


class Resident:
    """The slots of a resident tensor.

    Parameters
    ----------
    half, offset_bytes, size_bytes : int
        Its place in the input scratchpad. A slot holds as many bytes as its tile has; which bytes of the place they are
        follows from the tensor's layout and is not tracked.
    """

    def __init__(self, tensor: str, half: int, offset_bytes: int, size_bytes: int) -> None:
        self.tensor, self.half, self.offset_bytes = tensor, half, offset_bytes
        self._next, self._end = offset_bytes, offset_bytes + size_bytes
        self._parts: list[tuple[Box, Tile]] = []

    def take(self, size_bytes: int) -> tuple[int, int]:
        """Return (half, offset) of the next `size_bytes` of the place."""
        offset = self._next
        self._next += size_bytes
        if self._next > self._end:
            raise InternalError(f"resident tensor '{self.tensor}': ends at byte {self._next}, its place at {self._end}")
        return self.half, offset

    def add(self, box: Box, tile: Tile) -> None:
        """Note that `tile` holds `box` of the tensor."""
        self._parts.append((box, tile))

    def touching(self, box: Box) -> list[Tile]:
        """Return the slots that hold some element of `box`."""
        return [
            tile for held, tile in self._parts if all(a < d and c < b for (a, b), (c, d) in zip(held, box, strict=True))
        ]

    def close(self, draft: ProgramDraft) -> None:
        """Release everything after its last reader; parts that a strided reader skips go with the part read last."""
        final = max((tile.last for _, tile in self._parts if tile.last is not None), key=lambda reader: reader.number)
        for _, tile in self._parts:
            if tile.last is None:
                draft.read(tile, final)
            draft.close(tile)
