"""The list of tasks that the network-level event model executes: computations on cores, and DMA transfers.

Cores and the two DMA engines run their tasks in the order of the list; a task also waits for the tasks in `after`. A
region is one stay of a tensor (or of its tiles) at an address of the shared scratchpad: it is taken when its first user
starts and given back when its last user has ended. That is all the event model knows of a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from mappers.commands import Program
from workloads.errors import InternalError

LoadKind = Literal["fetch", "retrieve"]
StoreKind = Literal["spill", "output"]


@dataclass(frozen=True, slots=True)
class Region:
    """A stay of `tensor` at a byte address of the shared scratchpad; `staging` holds tiles of a tensor that streams."""

    tensor: str
    address: int
    size_bytes: int
    staging: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """A whole tensor from DRAM into region `region`; a fetch is compulsory, a retrieve brings back what was spilled."""

    tensor: str
    kind: LoadKind
    size_bytes: int
    region: int
    after: tuple[int, ...]

    @property
    def name(self) -> str:
        """Value of the name in traces and messages."""
        return f"{self.kind} {self.tensor}"


@dataclass(frozen=True, slots=True)
class Store:
    """A whole tensor from region `region` to DRAM; an output is compulsory."""

    tensor: str
    kind: StoreKind
    size_bytes: int
    region: int
    after: tuple[int, ...]

    @property
    def name(self) -> str:
        """Value of the name in traces and messages."""
        return f"{self.kind} {self.tensor}"


@dataclass(frozen=True, slots=True)
class Compute:
    """An operator, or a part of one, on a core.

    Parameters
    ----------
    cycles : int
        With its operands on chip.
    energy_pj : Fraction
        Of the core and its port.
    reads, writes : tuple of int
        Regions; a written region is complete when every task that writes it has ended.
    stages : tuple of int
        Regions that hold tiles of what streams.
    stream_in, stream_out : tuple of (tensor, bytes)
        What crosses the DRAM channel while it runs.
    entry : int
        Its layer in the program of its core; -1 if it has no commands.
    share : tuple of int
        (low, high, whole): it is high/whole - low/whole of that layer.
    common : tuple of str
        Tensors that the parts of its operator on other cores read alike.
    port_in : tuple of (tensor, bytes)
        What its commands read through the port of its core.
    port_out : int
        Bytes that they write through it.
    """

    operator: str
    core: str
    cycles: int
    energy_pj: Fraction
    macs: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    stages: tuple[int, ...]
    stream_in: tuple[tuple[str, int], ...]
    stream_out: tuple[tuple[str, int], ...]
    after: tuple[int, ...]
    part: str = ""
    entry: int = -1
    share: tuple[int, int, int] = (0, 1, 1)
    common: tuple[str, ...] = ()
    port_in: tuple[tuple[str, int], ...] = ()
    port_out: int = 0

    @property
    def name(self) -> str:
        """Value of the name in traces and messages."""
        return f"{self.operator} {self.part}" if self.part else self.operator


Task = Load | Store | Compute


@dataclass(frozen=True)
class NetworkProgram:
    """Tasks in order, the regions they use, and what the machine must offer.

    Parameters
    ----------
    capacity_bytes : int
        Of the shared scratchpad; every region lies inside.
    cores : mapping of str to Program
        Per core the commands of its operators in order, every operand behind its port; of several items the first only.
        Equal cores with equal work have the same object. Empty where costs alone are known.
    operator_macs : mapping of str to int
        Products of every operator for one item, from the workload; empty where they are not known.
    """

    workload: str
    cluster: str
    tasks: tuple[Task, ...]
    regions: tuple[Region, ...]
    capacity_bytes: int
    cores: Mapping[str, Program] = field(default_factory=dict)
    operator_macs: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for region in self.regions:
            if region.address < 0 or region.address + region.size_bytes > self.capacity_bytes:
                raise InternalError(
                    f"network program '{self.workload}': '{region.tensor}' at {region.address}.."
                    f"{region.address + region.size_bytes} leaves the scratchpad of {self.capacity_bytes} bytes"
                )
        for number, task in enumerate(self.tasks):
            for other in task.after:
                if not 0 <= other < len(self.tasks) or other == number:
                    raise InternalError(f"network program '{self.workload}': task '{task.name}' waits for task {other}")

    @property
    def loaded_bytes(self) -> int:
        """Value of the bytes read from DRAM."""
        streamed = sum(size for task in computes(self.tasks) for _, size in task.stream_in)
        return streamed + sum(task.size_bytes for task in self.tasks if isinstance(task, Load))

    @property
    def stored_bytes(self) -> int:
        """Value of the bytes written to DRAM."""
        streamed = sum(size for task in computes(self.tasks) for _, size in task.stream_out)
        return streamed + sum(task.size_bytes for task in self.tasks if isinstance(task, Store))


def computes(tasks: Sequence[Task]) -> list[Compute]:
    """Return the computations among `tasks`, in order."""
    return [task for task in tasks if isinstance(task, Compute)]
