"""From a DRAM byte address to channel, rank, bank group, bank, row and column.

An address map is the order of its fields from the most to the least significant, such as ``ro-ra-ba-co-ch-bg``; the
unit of the lowest field is one burst. Fields are contiguous bits, so their sizes are powers of two. With `hashed`, the
bank index is XORed with the low bits of the row, which takes power-of-two strides off one bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from workloads.errors import InputError

FIELDS = ("ro", "ra", "ba", "bg", "co", "ch")
DEFAULT_MAP = "ro-ra-ba-co-ch-bg"


@dataclass(frozen=True)
class Place:
    """Where one burst lies inside its channel."""

    rank: int
    bank_group: int
    bank: int
    row: int
    column: int


@dataclass(frozen=True)
class AddressMap:
    """Bit fields of an address, in units of one burst.

    Parameters
    ----------
    order : str
        Fields from the most to the least significant, joined by ``-``.
    channels, ranks, banks, bank_groups, rows, columns : int
        Size of each field; `banks` are those of one bank group, `columns` count bursts.
    hashed : bool
        XOR the bank with the low bits of the row.

    Raises
    ------
    InputError
        If a field is missing or twice, or a size is not a power of two.
    """

    order: str
    channels: int
    ranks: int
    banks: int
    bank_groups: int
    rows: int
    columns: int
    hashed: bool = False

    def __post_init__(self) -> None:
        names = self.order.split("-")
        if sorted(names) != sorted(FIELDS):
            raise InputError(
                f"address map '{self.order}': fields are {', '.join(names)}, each of {', '.join(FIELDS)} is needed "
                f"once; write it like {DEFAULT_MAP}"
            )
        for name, size in self._sizes().items():
            if size < 1 or size & (size - 1):
                raise InputError(
                    f"address map '{self.order}': field '{name}' has {size} values, a power of two is needed; "
                    f"use {1 << max(0, size.bit_length() - 1)} or {1 << max(0, size).bit_length()}"
                )

    def _sizes(self) -> dict[str, int]:
        sizes = (self.rows, self.ranks, self.banks, self.bank_groups, self.columns, self.channels)
        return dict(zip(FIELDS, sizes, strict=True))

    @cached_property
    def shifts(self) -> dict[str, int]:
        """Value of the position of each field's lowest bit, the channel field taken out."""
        at, result = 0, {}
        sizes = self._sizes()
        for name in reversed(self.order.split("-")):
            result[name] = at
            if name != "ch":
                at += sizes[name].bit_length() - 1
        return result

    @cached_property
    def stripe_bits(self) -> int:
        """Value of the low bits (channel field taken out) over which rank, bank and row never change.

        The bank group may change below them only where its field lies below the column.
        """
        outer = ["ro", "ra", "ba"]
        if self.shifts["bg"] > self.shifts["co"]:
            outer.append("bg")
        sizes = self._sizes()
        real = [self.shifts[name] for name in outer if sizes[name] > 1]
        total = sum(size.bit_length() - 1 for name, size in sizes.items() if name != "ch")
        return min(real, default=total)

    def split(self, first: int, count: int, channel: int) -> tuple[int, int]:
        """Return (first, count) of the bursts of `channel` among `count` consecutive bursts from `first`.

        Bursts of one channel, the channel field taken out, are consecutive again.
        """
        if self.channels == 1:
            return first, count
        low = self.shifts["ch"]
        bits = self.channels.bit_length() - 1

        def below(limit: int) -> int:
            """Return how many bursts of the channel lie below `limit`."""
            high, rest = limit >> (low + bits), limit & ((1 << (low + bits)) - 1)
            inside = min(max(rest - (channel << low), 0), 1 << low)
            return (high << low) + inside

        start = below(first)
        return start, below(first + count) - start

    def place(self, burst: int) -> Place:
        """Return where burst number `burst` of a channel lies (channel field taken out)."""
        s = self.shifts
        row = burst >> s["ro"] & (self.rows - 1)
        bank = burst >> s["ba"] & (self.banks - 1)
        if self.hashed:
            bank ^= row & (self.banks - 1)
        group = burst >> s["bg"] & (self.bank_groups - 1)
        return Place(burst >> s["ra"] & (self.ranks - 1), group, bank, row, burst >> s["co"] & (self.columns - 1))

    @cached_property
    def _cuts(self) -> tuple[int, ...]:
        """Value of shift and mask of row, rank, bank group and bank, in this order."""
        sizes, s = self._sizes(), self.shifts
        return tuple(part for name in ("ro", "ra", "bg", "ba") for part in (s[name], sizes[name] - 1))

    def bank_and_row(self, burst: int) -> tuple[int, int]:
        """Return bank, counted over (rank, bank group, bank) with the last fastest, and row: `place` in short."""
        ro, rows, ra, ranks, bg, groups, ba, banks = self._cuts
        row, bank = burst >> ro & rows, burst >> ba & banks
        if self.hashed:
            bank ^= row & banks
        return ((burst >> ra & ranks) * (groups + 1) + (burst >> bg & groups)) * (banks + 1) + bank, row

    def burst_of(self, place: Place, channel: int = 0) -> int:
        """Return the burst number over all channels of `place` in `channel`: the inverse of `split` and `place`."""
        s = self.shifts
        bank = place.bank ^ (place.row & (self.banks - 1)) if self.hashed else place.bank
        local = (
            place.row << s["ro"]
            | place.rank << s["ra"]
            | bank << s["ba"]
            | place.bank_group << s["bg"]
            | place.column << s["co"]
        )
        low = s["ch"]
        bits = self.channels.bit_length() - 1
        return local >> low << (low + bits) | channel << low | local & ((1 << low) - 1)
