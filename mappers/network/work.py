"""What an operator, or a part of one, is as commands of its core, every operand behind the core's port.

The decisions of the network mapper say which mapping an operator runs under; `core_program` lowers the operators of a
core, in order, by the same lowering as that of a single machine. A core of a cluster is therefore a machine whose
memory is the shared scratchpad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hw_models.accelerator import Accelerator
from mappers.commands import LayerRecord, Program
from mappers.draft import ProgramDraft
from mappers.dram_layout import DramImage
from mappers.group import Group
from mappers.lower import record_of
from mappers.lower_mac import MacLowering, MacOperands
from mappers.lower_vector import VectorLowering
from mappers.mac_views import input_view, output_view, weight_view
from mappers.mapping import Mapping
from mappers.plan import array_layers
from mappers.problem import TileProblem
from workloads.mac_layers import MacLayer

if TYPE_CHECKING:
    from mappers.network.graph import OperatorGraph

MOST_PIECES = 1 << 16
"""Layers of one operator on the array, an upper bound that keeps the names of their weights apart."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One layer on the array: its place among those of the group, the problem (whole, or cut) and its mapping."""

    layer: int
    problem: TileProblem
    mapping: Mapping


@dataclass(frozen=True, slots=True)
class Work:
    """One entry of a core's program.

    Parameters
    ----------
    group : int
        Place in `OperatorGraph.groups`.
    pieces : tuple of Piece
        What runs on the array; empty for the vector unit.
    common : tuple of str
        Tensors that the other parts of a cut operator read alike.
    share : tuple of int
        (low, high, whole): of a vector operator in parts, this one is high/whole - low/whole of it.
    """

    group: int
    pieces: tuple[Piece, ...] = ()
    share: tuple[int, int, int] = (0, 1, 1)
    common: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Value of the products that the commands make."""
        return sum(piece.problem.macs for piece in self.pieces)


def core_program(graph: OperatorGraph, core: Accelerator, works: Sequence[Work]) -> Program:
    """Return the commands of `works` in order on `core`, a layer of the program for each.

    A cut operator is lowered at the place of its first rows or channels; a vector operator in parts is lowered whole,
    and its share is for the reader to take.
    """
    draft, image = ProgramDraft(core.core), DramImage(core.dram.beat_bytes)
    for name, size in graph.layout.blocks.items():
        image.block(name, size)
    for entry, work in enumerate(works):
        group = graph.groups[work.group]
        if not work.pieces:
            VectorLowering(draft, image, core, graph.network, graph.layout, entry, group).run()
        for number, piece in enumerate(work.pieces):
            MacLowering(
                *(draft, image, core, entry, group, piece.problem, piece.mapping),
                _operands(graph, group, piece),
                entry * MOST_PIECES + number,
            ).run()
    records = tuple(_record(graph, work) for work in works)
    return Program(graph.network.name, core.name, records, draft.finish(), image.size_bytes)


def _operands(graph: OperatorGraph, group: Group, piece: Piece) -> MacOperands:
    """Return where the tensors of `piece` are: all behind the port."""
    assert isinstance(group.lead, MacLayer)
    layer, phase = array_layers(group.lead)[piece.layer]
    views = graph.layout.views
    return MacOperands(
        input=input_view(layer, views[layer.input_tensor]),
        weight=weight_view(layer, views[layer.weight_tensor]) if layer.weight_is_activation else None,
        output=output_view(layer, views[group.output], phase),
        residual=output_view(layer, views[group.residual], phase) if group.residual else None,
        names=(layer.input_tensor, layer.weight_tensor, group.output, group.residual),
    )


def _record(graph: OperatorGraph, work: Work) -> LayerRecord:
    return record_of(graph.network, graph.groups[work.group], work.macs)
