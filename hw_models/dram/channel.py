"""A DRAM with timing: a standard, how many channels and ranks of it, and the policy of its controller."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from hw_models.clock import MAX_TICK_HZ
from hw_models.dram.address import DEFAULT_MAP, AddressMap
from hw_models.dram.standard import DramStandard
from workloads.errors import InputError

Page = Literal["open", "closed"]


@dataclass(frozen=True)
class TimedDram:
    """A memory system of equal channels, each with its own controller.

    Parameters
    ----------
    channels, ranks : int
        Channels, and ranks of one channel; powers of two.
    order : str
        Address map, see `hw_models.dram.address`.
    page : {"open", "closed"}
        Whether a row stays open after its last queued hit.
    queue : int
        Bursts that the controller holds per direction; it reorders only among these.
    batch : int
        Column commands of one direction before the other may have the bus, where both want it.
    bypass_limit : int
        Younger bursts of the direction that may pass its oldest one before that one goes first.
    refresh : bool
        Whether ranks are refreshed (all banks, every tREFI, ranks staggered).
    """

    standard: DramStandard
    channels: int
    ranks: int = 1
    order: str = DEFAULT_MAP
    hashed: bool = False
    page: Page = "open"
    queue: int = 32
    batch: int = 32
    bypass_limit: int = 64
    refresh: bool = True

    def __post_init__(self) -> None:
        for key, value, most in (
            ("queue", self.queue, 1024),
            ("batch", self.batch, 1 << 20),
            ("bypass_limit", self.bypass_limit, 1 << 20),
        ):
            if not 1 <= value <= most:
                raise InputError(f"dram '{self.standard.name}': {key} is {value}, bound is 1..{most}; correct it")
        if not (1 <= self.channels <= 64 and 1 <= self.ranks <= 8):
            raise InputError(
                f"dram '{self.standard.name}': {self.channels} channels of {self.ranks} ranks, bound is 1..64 of 1..8; "
                f"correct it"
            )
        t = self.standard.timing
        if self.refresh and t.rfc + 2 * t.rc >= t.refi // self.ranks:
            raise InputError(
                f"dram '{self.standard.name}': refreshing {self.ranks} ranks leaves no time for data; use fewer ranks"
            )
        _ = self.map

    @cached_property
    def map(self) -> AddressMap:
        """Value of the address map."""
        s = self.standard
        return AddressMap(
            self.order, self.channels, self.ranks, s.banks_per_group, s.bank_groups, s.rows, s.bursts_per_row,
            self.hashed,
        )  # fmt: skip

    @property
    def capacity_bytes(self) -> int:
        """Value of the capacity of all channels."""
        return self.channels * self.ranks * self.standard.rank_bytes

    @property
    def peak_bytes_per_s(self) -> Fraction:
        """Value of the data rate of all channels."""
        return self.channels * self.standard.peak_bytes_per_s

    def ticks_per_cycle(self, clock_mhz: Fraction) -> Fraction:
        """Return ticks of the command clock per cycle of a clock of `clock_mhz`, exact.

        Raises
        ------
        InputError
            If no common tick of the two clocks is at or below 2^63 per second (§3.1).
        """
        ratio = self.standard.clock_mhz / clock_mhz
        common_hz = self.standard.clock_mhz * 10**6 * ratio.denominator
        if common_hz > MAX_TICK_HZ:
            raise InputError(
                f"dram '{self.standard.name}': its clock of {float(self.standard.clock_mhz):g} MHz and one of "
                f"{float(clock_mhz)!r} MHz have a common tick of {float(common_hz):.3g} per second, bound is 2^63; "
                f"choose a clock with fewer digits"
            )
        return ratio
