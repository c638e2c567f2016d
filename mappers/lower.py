"""Lowering of a planned network: groups in order, one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from hw_models.accelerator import Accelerator
from mappers.commands import LayerRecord, Program
from mappers.draft import ProgramDraft
from mappers.dram_layout import DramImage, Layout
from mappers.group import Group
from mappers.lower_mac import MacLowering, MacOperands
from mappers.lower_vector import VectorLowering
from mappers.mac_views import input_view, output_view, weight_view
from mappers.residency import Residency
from mappers.resident import Resident
from workloads.mac_layers import MacLayer
from workloads.network import Network

if TYPE_CHECKING:
    from mappers.plan import Part, PlannedGroup


def lower(
    network: Network,
    accelerator: Accelerator,
    layout: Layout,
    groups: Sequence[PlannedGroup],
    residency: Residency,
) -> tuple[Program, Mapping[str, int]]:
    """Return the program of `groups`, and the DRAM address of every block of `layout`."""
    image = DramImage(accelerator.dram.beat_bytes)
    addresses = {name: image.block(name, size) for name, size in layout.blocks.items()}
    lowering = _Lowering(network, accelerator, layout, residency, image)
    for index, entry in enumerate(groups):
        lowering.group(index, entry)
    records = tuple(record_of(network, entry.group, sum(part.problem.macs for part in entry.parts)) for entry in groups)
    program = Program(network.name, accelerator.name, records, lowering.draft.finish(), image.size_bytes)
    return program, addresses


class _Lowering:
    def __init__(
        self, network: Network, accelerator: Accelerator, layout: Layout, residency: Residency, image: DramImage
    ) -> None:
        self.network, self.accelerator, self.layout = network, accelerator, layout
        self.residency, self.image = residency, image
        self.draft = ProgramDraft(accelerator.core)
        self.residents: dict[str, Resident] = {}

    def group(self, index: int, entry: PlannedGroup) -> None:
        group = entry.group
        kept = self.residency.kept.get(group.output)
        if kept is not None:
            self.residents[group.output] = Resident(group.output, kept.half, kept.offset_bytes, kept.size_bytes)
        for number, part in enumerate(entry.parts):
            MacLowering(
                self.draft,
                self.image,
                self.accelerator,
                index,
                group,
                part.problem,
                part.mapping(self.accelerator.core.name),
                self._operands(index, entry, part),
                number,
            ).run()
        if not entry.parts:
            VectorLowering(self.draft, self.image, self.accelerator, self.network, self.layout, index, group).run()
        for name in [name for name, k in self.residency.kept.items() if k.last == index]:
            self.residents.pop(name).close(self.draft)

    def _operands(self, index: int, entry: PlannedGroup, part: Part) -> MacOperands:
        layer, group, views = part.layer, entry.group, self.layout.views
        resident_input = self.residents.get(layer.input_tensor)
        return MacOperands(
            input=input_view(layer, views[layer.input_tensor]),
            weight=weight_view(layer, views[layer.weight_tensor]) if layer.weight_is_activation else None,
            output=output_view(layer, views[group.output], part.phase),
            residual=output_view(layer, views[group.residual], part.phase) if group.residual else None,
            names=(layer.input_tensor, layer.weight_tensor, group.output, group.residual),
            resident_input=resident_input,
            resident_residual=self.residents.get(group.residual),
            resident_output=self.residents.get(group.output),
            input_places=() if resident_input is not None else self.residency.places(index)[0],
        )


def record_of(network: Network, group: Group, macs: int) -> LayerRecord:
    """Return the entry of `group`, which makes `macs` products, in a program's layer table."""
    lead = group.lead
    if isinstance(lead, MacLayer):
        dims = tuple(lead.dims.as_dict().items())
    else:
        dims = (("outputs", sum(prod(network.tensor(name).shape) for name in lead.outputs)),)
    return LayerRecord(lead.name, lead.op, group.names, dims, macs, group.kind)
