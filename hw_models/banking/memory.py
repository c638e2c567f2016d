"""A scratchpad of one to three buffers, with or without banks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hw_models.banking.banks import Banks
from workloads.errors import InputError

MAX_BUFFERS = 3


def check_buffers(subject: str, key: str, buffers: int) -> None:
    """Raise `InputError` unless `buffers` is single, double or triple buffering."""
    if not 1 <= buffers <= MAX_BUFFERS:
        raise InputError(f"{subject}: {key} is {buffers}, bound is 1..{MAX_BUFFERS}; use 1, 2 or 3")


@dataclass(frozen=True, slots=True)
class Scratchpad:
    """On-chip memory of one to three buffers (halves, where there are two), each with one read and one write port.

    Parameters
    ----------
    half_bytes : int
        Capacity of one buffer, in bytes: the room of one tile.
    read_bytes_per_cycle, write_bytes_per_cycle : int
        Width of the ports of one half.
    read_pj_per_byte, write_pj_per_byte : Fraction
        Access energy per byte (source in `energy_source`).
    halves : int
        Buffers: with one, a tile is loaded when the one before has been used; with three, two may wait.
    banks : Banks, optional
        Banks of a buffer; None: no access ever waits for a bank.
    """

    name: str
    half_bytes: int
    read_bytes_per_cycle: int
    write_bytes_per_cycle: int
    read_pj_per_byte: Fraction
    write_pj_per_byte: Fraction
    energy_source: str
    halves: int = 2
    banks: Banks | None = None

    def __post_init__(self) -> None:
        subject = f"scratchpad '{self.name}'"
        for key in ("half_bytes", "read_bytes_per_cycle", "write_bytes_per_cycle"):
            if getattr(self, key) < 1:
                raise InputError(f"{subject}: {key} is {getattr(self, key)}, bound is >= 1; give a positive integer")
        check_buffers(subject, "buffers", self.halves)
        if self.read_pj_per_byte < 0 or self.write_pj_per_byte < 0:
            raise InputError(f"{subject}: an access energy is negative; correct it")

    @property
    def capacity_bytes(self) -> int:
        """Value of the total capacity, in bytes."""
        return self.half_bytes * self.halves

    def check_word(self, element_bytes: int) -> None:
        """Refuse bank words that cut an element."""
        if self.banks is not None and self.banks.word_bytes % element_bytes:
            raise InputError(
                f"scratchpad '{self.name}': banks.word is {self.banks.word_bytes} bytes, an element has "
                f"{element_bytes}; use a multiple of that"
            )

    def check_refill(self, bytes_per_cycle: Fraction, channel: str) -> None:
        """Refuse a memory that cannot take what `channel` delivers."""
        if self.write_bytes_per_cycle < bytes_per_cycle:
            raise InputError(
                f"scratchpad '{self.name}': its write port takes {self.write_bytes_per_cycle} bytes per cycle, "
                f"channel '{channel}' delivers up to {float(bytes_per_cycle):g}; widen the port or lower the bandwidth"
            )
        if self.banks is not None and self.banks.bytes_per_cycle < bytes_per_cycle:
            raise InputError(
                f"scratchpad '{self.name}': its banks take {self.banks.bytes_per_cycle} bytes per cycle, channel "
                f"'{channel}' delivers up to {float(bytes_per_cycle):g}; add banks, ports or wider words"
            )
