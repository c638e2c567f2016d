"""A link between a core and its memory."""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.clock import OwnClock
from workloads.errors import InputError

MAX_LINK_LATENCY_CYCLES = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """What all data between a core and memory passes, one way apart from the other.

    Parameters
    ----------
    bytes_per_cycle : int
        Of each direction.
    latency_cycles : int
        From the last byte in to the last byte out.
    clock : OwnClock, optional
        That both are cycles of; None: the reference clock.
    """

    bytes_per_cycle: int
    latency_cycles: int
    clock: OwnClock | None = None

    def __post_init__(self) -> None:
        if self.bytes_per_cycle < 1:
            raise InputError(f"link: width is {self.bytes_per_cycle} bytes per cycle, bound is >= 1; widen it")
        if not 0 <= self.latency_cycles <= MAX_LINK_LATENCY_CYCLES:
            raise InputError(
                f"link: latency is {self.latency_cycles} cycles, bound is 0..{MAX_LINK_LATENCY_CYCLES}; correct it"
            )

    def passed(self, cycle: int, size_bytes: int) -> int:
        """Return the cycle at which `size_bytes` that begin at `cycle` have passed."""
        return self._ends(cycle, -(-size_bytes // self.bytes_per_cycle))

    def arrives(self, cycle: int) -> int:
        """Return the cycle at which what has passed by `cycle` comes out."""
        return self._ends(cycle, self.latency_cycles)

    def _ends(self, cycle: int, own_cycles: int) -> int:
        return cycle + own_cycles if self.clock is None else self.clock.ends(cycle, own_cycles)
