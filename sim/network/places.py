"""Where tensors lie in a cluster's DRAM, for a memory whose rows matter: one after the other, in order of first use."""

from __future__ import annotations

from collections.abc import Sequence

from mappers.commands import Transfer
from mappers.network.program import Compute, NetworkProgram, Task

Flow = tuple[str, int]
ALIGN_BYTES = 4096


class DramPlaces:
    """Byte addresses of the tensors that a program moves.

    A task that moves part of a tensor moves its first bytes: which part it is, is not in the program.
    """

    def __init__(self, program: NetworkProgram) -> None:
        sizes: dict[str, int] = {}
        for task in program.tasks:
            for name, size in _flows(task):
                sizes[name] = max(sizes.get(name, 0), size)
        self._base: dict[str, int] = {}
        self.bytes = 0
        """Size of the memory image."""
        for name, size in sizes.items():
            self._base[name] = self.bytes
            self.bytes += -(-size // ALIGN_BYTES) * ALIGN_BYTES

    def transfers(self, flows: Sequence[Flow], start: int, size: int) -> tuple[Transfer, ...]:
        """Return the runs of bytes `start` .. `start + size` - 1 of `flows` behind one another."""
        result, at = [], 0
        for name, length in flows:
            low, high = max(start, at), min(start + size, at + length)
            if low < high:
                result.append(Transfer(self._base[name] + low - at, high - low))
            at += length
        return tuple(result)


def _flows(task: Task) -> tuple[Flow, ...]:
    if isinstance(task, Compute):
        return (*task.stream_in, *task.stream_out)
    return ((task.tensor, task.size_bytes),)
