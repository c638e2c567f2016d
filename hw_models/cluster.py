"""Several cores behind one shared scratchpad and one DRAM channel.

Each core is an `Accelerator` of its own, with its array, formats, vector unit and local scratchpads, seen as if the
shared scratchpad were its memory: its `dram` is the core's port to the shared scratchpad. The layer mapper and the cost
model then give what an operator costs with its operands on chip, without a word of their own for this machine.

Weights may go from DRAM straight into a core's weight scratchpad; everything else passes the shared scratchpad.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from fractions import Fraction
from functools import cached_property

from hw_models.accelerator import Accelerator, DramChannel
from hw_models.clock import OwnClock
from hw_models.digest import figures_of
from hw_models.noc import NetworkOnChip
from workloads.errors import InputError
from workloads.nearest import nearest

MAX_CORES = 64


@dataclass(frozen=True, slots=True)
class SharedScratchpad:
    """The addressed memory that holds whole tensors.

    Parameters
    ----------
    capacity_bytes : int
        Bytes that tensors can take.
    port_bytes_per_cycle : int
        Width of the port of each core; ports do not disturb each other.
    latency_cycles : int
        From request to first word of a read, and from last word to response of a write.
    read_pj_per_byte, write_pj_per_byte : Fraction
        Access energy per byte (source in `energy_source`).
    """

    capacity_bytes: int
    port_bytes_per_cycle: int
    latency_cycles: int
    read_pj_per_byte: Fraction
    write_pj_per_byte: Fraction
    energy_source: str

    def __post_init__(self) -> None:
        for key, value in (("capacity", self.capacity_bytes), ("port", self.port_bytes_per_cycle)):
            if value < 1:
                raise InputError(f"shared scratchpad: {key} is {value}, bound is >= 1; give a positive size")


@dataclass(frozen=True)
class Cluster:
    """A machine of several cores; cycles are of the one clock that all cores share.

    Parameters
    ----------
    cores : tuple of Accelerator
        By name `accelerator.core.name`; the `dram` of each is its port to the shared scratchpad.
    dram : DramChannel
        The one channel behind the shared scratchpad.
    outstanding : int
        Loads that the DMA engine may have in flight.
    noc : NetworkOnChip, optional
        What the ports share on their way to the shared scratchpad. None: they do not disturb each other.

    Raises
    ------
    InputError
        If there is no core, two share a name, or clocks or nodes differ.
    """

    name: str
    summary: str
    cores: tuple[Accelerator, ...]
    shared: SharedScratchpad
    dram: DramChannel
    outstanding: int
    sources: tuple[tuple[str, str], ...]
    noc: NetworkOnChip | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.cores) <= MAX_CORES:
            raise InputError(f"cluster '{self.name}': {len(self.cores)} cores, bound is 1..{MAX_CORES}; correct it")
        names = self.core_names
        if len(set(names)) != len(names):
            twice = max(names, key=names.count)
            raise InputError(f"cluster '{self.name}': two cores are called '{twice}'; rename one")
        figures: tuple[tuple[str, set[Fraction]], ...] = (
            ("clock_mhz", {core.clock_mhz for core in self.cores}),
            ("technology_nm", {Fraction(core.technology_nm) for core in self.cores}),
        )
        for what, values in figures:
            if len(values) > 1:
                listed = ", ".join(str(float(value)) for value in sorted(values))
                raise InputError(f"cluster '{self.name}': {what} of its cores is {listed}, bound is one; make it equal")
        for core in self.cores:
            if core.core.array.kind == "row_stationary":
                raise InputError(
                    f"cluster '{self.name}': core '{core.core.name}' is row_stationary, which runs in passes and has "
                    "no commands; use a systolic or adder_tree array, or simulate it alone"
                )
        patterns = {str(core.core.array.sparsity or "dense") for core in self.cores}
        if len(patterns) > 1:
            raise InputError(
                f"cluster '{self.name}': its arrays take weights that are {' and '.join(sorted(patterns))}, bound is "
                "one pattern: the weights of a network are stored in one form; make the cores alike"
            )
        if self.outstanding < 1:
            raise InputError(f"cluster '{self.name}': outstanding is {self.outstanding}, bound is >= 1; correct it")

    @property
    def clock_mhz(self) -> Fraction:
        """Value of the clock of all cores."""
        return self.cores[0].clock_mhz

    @property
    def core_names(self) -> list[str]:
        """Value of the names of the cores, in order."""
        return [core.core.name for core in self.cores]

    def own_clocks(self) -> dict[str, OwnClock]:
        """Return the clocks of the parts that do not run on the cores' clock, parts of a core by ``CORE.PART``."""
        clocks = {f"{core.core.name}.{part}": own for core in self.cores for part, own in core.own_clocks().items()}
        return clocks if self.dram.clock is None else {"dram": self.dram.clock, **clocks}

    @property
    def beyond_closed_form(self) -> str:
        """Value of a core's key that closed forms leave out and commands do not; "" if there is none."""
        for core in self.cores:
            dma = core.core.dma
            for there, key in (
                (core.core.has_banks, "banks"),
                (bool(dma.engines), "dma.engines"),
                (dma.sends_requests, "dma requests or descriptors"),
                (dma.host is not None, "dma.host"),
                (core.core.link is not None, "link"),
            ):
                if there:
                    return f"{key} of core '{core.core.name}'"
        return ""

    @property
    def macs_per_cycle(self) -> int:
        """Value of the MACs of all arrays in one cycle."""
        return sum(core.core.array.multipliers for core in self.cores)

    def core(self, name: str) -> Accelerator:
        """Return the core called `name`."""
        for core in self.cores:
            if core.core.name == name:
                return core
        raise InputError(f"cluster '{self.name}': no core '{name}'{nearest(name, self.core_names)}")

    @cached_property
    def sha256(self) -> str:
        """Value of the hash of all figures, without prose."""
        shared, dram = self.shared, self.dram
        plain = {
            "name": self.name,
            "cores": [core.sha256 for core in self.cores],
            "ports": [shared.port_bytes_per_cycle, shared.latency_cycles],
            "shared": [shared.capacity_bytes, str(shared.read_pj_per_byte), str(shared.write_pj_per_byte)],
            "dram": [
                *(str(dram.bytes_per_cycle), dram.latency_cycles, dram.beat_bytes, dram.burst_bytes),
                str(dram.energy_pj_per_byte),
            ],
            "outstanding": self.outstanding,
        }
        if dram.device is not None or dram.clock is not None or dram.arbitration != "round_robin":
            plain["channel"] = figures_of(dram)
        if self.noc is not None:
            plain["noc"] = [str(value) for value in astuple(self.noc)]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
