"""The network on chip between the cores of a cluster and its shared scratchpad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hw_models.link import MAX_LINK_LATENCY_CYCLES
from workloads.errors import InputError

Arbitration = Literal["round_robin", "priority"]
ARBITRATIONS = ("round_robin", "priority")
MAX_WIDTH_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class NetworkOnChip:
    """What the ports of all cores share, reads and writes apart from each other.

    Parameters
    ----------
    bytes_per_cycle : int
        Of each direction, for all cores together; no port is faster.
    latency_cycles : int
        Added to every access through a port.
    burst_bytes : int
        Quantum of the arbitration, a multiple of `bytes_per_cycle`.
    arbitration : {"round_robin", "priority"}
        Which core has the next burst: in turn, or the first in the order of the description.
    multicast : bool
        Whether one transfer serves all cores that wait for the same bytes.
    """

    bytes_per_cycle: int
    latency_cycles: int
    burst_bytes: int
    arbitration: Arbitration = "round_robin"
    multicast: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bytes_per_cycle <= MAX_WIDTH_BYTES:
            raise InputError(
                f"noc: width is {self.bytes_per_cycle} bytes per cycle, bound is 1..{MAX_WIDTH_BYTES}; choose one in it"
            )
        if not 0 <= self.latency_cycles <= MAX_LINK_LATENCY_CYCLES:
            raise InputError(
                f"noc: delay is {self.latency_cycles} cycles, bound is 0..{MAX_LINK_LATENCY_CYCLES}; correct it"
            )
        if self.burst_bytes < 1 or self.burst_bytes % self.bytes_per_cycle:
            raise InputError(
                f"noc: burst is {self.burst_bytes} bytes, bound is a multiple of width ({self.bytes_per_cycle}); "
                "round it"
            )
        if self.arbitration not in ARBITRATIONS:
            raise InputError(
                f"noc: arbitration is '{self.arbitration}', bound is {' or '.join(ARBITRATIONS)}; choose one"
            )
