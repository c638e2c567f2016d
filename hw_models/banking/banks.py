"""Banks of one scratchpad buffer and the layout of the tiles in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hw_models.products import IntArray
from workloads.errors import InputError

Spread = Literal["interleaved", "skewed", "blocked"]
Layout = Literal[
    "auto", "channel_last", "channel_last_padded", "planar", "planar_padded", "output_last", "output_first", "vectors"
]
INPUT_LAYOUTS: tuple[Layout, ...] = ("channel_last", "channel_last_padded", "planar", "planar_padded")
WEIGHT_LAYOUTS: tuple[Layout, ...] = ("output_last", "output_first")
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "input": ("auto", *INPUT_LAYOUTS),
    "weight": ("auto", *WEIGHT_LAYOUTS),
    "accumulator": ("vectors",),
}
MAX_BANKS = 1024
MAX_PORTS = 16


@dataclass(frozen=True, slots=True)
class Banks:
    """How one buffer of a scratchpad is cut into banks.

    Parameters
    ----------
    count : int
        Banks of a buffer.
    word_bytes : int
        Bytes that a bank gives or takes at once.
    ports : int
        Words that a bank gives in one cycle; as many may be written beside them.
    spread : {"interleaved", "skewed", "blocked"}
        Bank of word `a`: ``a % count``; ``(a + a // count) % count``, so that every row of banks starts one bank
        further; or ``a // words of a bank``, each bank a range of addresses of its own.
    layout : str
        Order of a tile's elements (`LAYOUTS` has those of each memory, docs/scratchpads.md what they mean). ``auto``:
        the lowering takes the one with the shortest passes, layer by layer.
    words : int
        Words of a bank.
    """

    count: int
    word_bytes: int
    ports: int
    spread: Spread
    layout: Layout
    words: int

    def __post_init__(self) -> None:
        for key, value, most in (("count", self.count, MAX_BANKS), ("ports", self.ports, MAX_PORTS)):
            if not 1 <= value <= most:
                raise InputError(f"banks: {key} is {value}, bound is 1..{most}; choose a number in it")
        if self.word_bytes < 1 or self.words < 1:
            raise InputError(
                f"banks: word is {self.word_bytes} bytes and a bank has {self.words} words, both must be >= 1; "
                f"correct them"
            )

    @property
    def bytes_per_cycle(self) -> int:
        """Value of the bytes that all banks give in one cycle."""
        return self.count * self.ports * self.word_bytes

    @property
    def period_bytes(self) -> int:
        """Value of the distance by which all addresses may be moved without a change of conflicts.

        Interleaved: a word, which turns the banks by one. Skewed: a row of words, for the same reason. Blocked: a whole
        buffer.
        """
        if self.spread == "interleaved":
            return self.word_bytes
        return self.word_bytes * self.count * (1 if self.spread == "skewed" else self.words)

    def bank_of(self, words: IntArray) -> IntArray:
        """Return the bank of each word address."""
        if self.spread == "interleaved":
            return words % self.count
        if self.spread == "skewed":
            return (words + words // self.count) % self.count
        return words // self.words % self.count


def banks_of(
    memory: str, half_bytes: int, count: int, word_bytes: int, ports: int, spread: Spread, layout: Layout | None
) -> Banks:
    """Return the banks of a buffer of `half_bytes` of `memory`.

    Raises
    ------
    InputError
        If the banks do not divide the buffer, or the memory has no such layout.
    """
    known = LAYOUTS[memory]
    chosen = layout or known[min(1, len(known) - 1)]
    if chosen not in known:
        raise InputError(
            f"scratchpad '{memory}': banks.layout is {chosen}, bound is {', '.join(known)}; choose one of these"
        )
    for key, value, unit in (("count", count, "banks"), ("word", word_bytes, "bytes")):
        if value < 1:
            raise InputError(f"scratchpad '{memory}': banks.{key} is {value} {unit}, bound is >= 1; raise it")
    row = count * word_bytes
    if half_bytes % row:
        raise InputError(
            f"scratchpad '{memory}': {count} banks of {word_bytes}-byte words do not divide a buffer of {half_bytes} "
            f"bytes, {half_bytes % row} bytes are left over; choose a count and a word whose product divides it"
        )
    return Banks(count, word_bytes, ports, spread, chosen, half_bytes // row)
