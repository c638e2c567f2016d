"""What an import returns: the network, where every node of the model went, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from workloads.errors import InputError, InternalError
from workloads.network import Network

Placement = Literal["mapped", "vector unit", "host", "refused", "folded"]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the child process that opens a model.

    Parameters
    ----------
    memory_bytes : int
        Address space of the child.
    seconds : float
        Processor time of the child; the parent waits six times as long on the wall clock.
    file_bytes : int
        Size of the model file; weights are skipped, so it may exceed the memory.
    graph_bytes : int
        Serialised graph without weights.
    nodes : int
        Operators in the graph.
    """

    memory_bytes: int = 1 << 30
    seconds: float = 20.0
    file_bytes: int = 8 << 30
    graph_bytes: int = 64 << 20
    nodes: int = 20_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise InputError(f"import limits: {field.name} is {getattr(self, field.name)}, bound is > 0; raise it")


@dataclass(frozen=True, slots=True)
class NodeReport:
    """Where one node of a model goes.

    Parameters
    ----------
    name, op : str
        Of the node; the operator with its domain if that is not the standard one.
    placement : str
        ``mapped`` (array, or data movement by DMA), ``vector unit``, ``folded`` (costs nothing), ``host`` (an ordinary
        processor could run it, the accelerator cannot) or ``refused``.
    reason : str
    macs, bytes : int
        MACs, and compulsory bytes in the formats simulated (for host and refused nodes: one byte per element).
    """

    name: str
    op: str
    placement: Placement
    reason: str
    macs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Every node of a model with its placement; made even where the model cannot be simulated.

    Parameters
    ----------
    model : str
        File name.
    opset : int
        Version of the standard operator set.
    nodes : tuple of NodeReport
        In execution order.
    parameters : int
        Trainable constants of the network; 0 where there is no network.
    problem : str
        Why the model cannot be simulated; empty if it can.
    notes : tuple of str
        What a reader of a result must know about the import.
    """

    model: str
    opset: int
    nodes: tuple[NodeReport, ...]
    parameters: int
    problem: str
    notes: tuple[str, ...]

    @property
    def supported(self) -> bool:
        """Value telling whether the model can be simulated."""
        return not self.problem

    @property
    def macs(self) -> int:
        """Value of the MACs of all nodes."""
        return sum(node.macs for node in self.nodes)

    @property
    def bytes(self) -> int:
        """Value of the compulsory bytes of all nodes."""
        return sum(node.bytes for node in self.nodes)

    def share(self, placement: Placement, what: Literal["nodes", "macs", "bytes"]) -> float:
        """Return the share of nodes, MACs or bytes that goes to `placement`; 0 if there are none at all."""

        def amount(node: NodeReport) -> int:
            return 1 if what == "nodes" else node.macs if what == "macs" else node.bytes

        total = sum(amount(node) for node in self.nodes)
        return sum(amount(node) for node in self.nodes if node.placement == placement) / total if total else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types, shares included."""
        return {
            "schema": "tilewright.check/1",
            "model": self.model,
            "opset": self.opset,
            "supported": self.supported,
            "problem": self.problem,
            "macs": self.macs,
            "bytes": self.bytes,
            "parameters": self.parameters,
            "shares": {
                place: {what: self.share(place, what) for what in ("nodes", "macs", "bytes")} for place in PLACEMENTS
            },
            "nodes": [{f.name: getattr(node, f.name) for f in fields(node)} for node in self.nodes],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A model that can be simulated: its network and its report."""

    network: Network
    check: CheckReport

    @property
    def notes(self) -> tuple[str, ...]:
        """Value of the notes of the import."""
        return self.check.notes


def decode_check(document: Mapping[str, Any]) -> CheckReport:
    """Return the report that the child process wrote.

    Raises
    ------
    InternalError
        If the document is not one that the child writes.
    """
    try:
        nodes = tuple(NodeReport(**node) for node in document["nodes"])
        if any(node.placement not in PLACEMENTS for node in nodes):
            raise ValueError("unknown placement")
        return CheckReport(
            str(document["model"]),
            int(document["opset"]),
            nodes,
            int(document["parameters"]),
            str(document["problem"]),
            tuple(map(str, document["notes"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError(f"the import process wrote a malformed report ({error}); report this as a bug") from None
