"""From a network and an accelerator to a plan: groups, mappings, residency, and the lowered program."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from hw_models.accelerator import Accelerator
from mappers.commands import LayerRecord, Program
from mappers.draft import ProgramDraft, Waits, merge
from mappers.dram_image import DramImage, ImageView, dense, image_sizes
from mappers.group import Group, make_groups, storage
from mappers.lower_mac import MacLowering, MacOperands
from mappers.lower_vector import Operand, VectorLowering
from mappers.mapping import Mapping
from mappers.problem import TileProblem, layer_sizes
from mappers.search import Found, search
from workloads.data_layers import CacheAppend, Concat, Gather, Slice, Split
from workloads.errors import Infeasible, InfeasibleError, InputError
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.tensor import Tensor
from workloads.transposed import Phase, phase_plan


@dataclass(frozen=True, slots=True)
class Part:
    """One MAC layer of a group (several for the phases of a transposed convolution) with its problem and mapping."""

    layer: MacLayer
    problem: TileProblem
    found: Found
    phase: Phase | None

    def mapping(self, core: str) -> Mapping:
        """Return the mapping with its names."""
        return self.found.mapping(self.layer.name, core)


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """A group and, on the array, its parts."""

    group: Group
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Plan:
    """Everything decided before time passes.

    Parameters
    ----------
    notes : tuple of str
        What was assumed, for the result's list of what is not modelled.
    """

    network: Network
    accelerator: Accelerator
    objective: str
    groups: tuple[PlannedGroup, ...]
    program: Program
    placement: dict[str, object]
    notes: tuple[str, ...] = field(default=())


def element_bytes(accelerator: Accelerator) -> int:
    """Return the bytes of one activation: the array's input word."""
    return -(-accelerator.core.array.input_format.bits // 8)


def make_problem(
    network: Network, group: Group, layer: MacLayer, accelerator: Accelerator, **changes: object
) -> TileProblem:
    """Return the tiling problem of `layer` in `group`, with every tensor in DRAM unless `changes` says otherwise."""
    core = accelerator.core
    window, whole = (1, 1), False
    if group.pool is not None:
        sizes = [w.taps for w in group.pool.windows]
        whole = group.pool.is_global
        window = (1, 1) if whole else ((1, *sizes)[-2], sizes[-1])
    fields: dict[str, object] = {
        "sizes": layer_sizes(layer),
        "windows": layer.windows,
        "groups_interleaved": layer.spatial_rank > 0,
        "input_bytes": element_bytes(accelerator),
        "weight_bytes": -(-core.array.weight_format.bits // 8),
        "output_bytes": element_bytes(accelerator),
        "sum_bytes": core.accumulator_bytes,
        "input_place": "dram",
        "output_place": "dram",
        "residual": "dram" if group.residual else "",
        "input_slot_bytes": core.input.half_bytes,
        "weight_slot_bytes": core.weight.half_bytes,
        "sum_slot_bytes": core.accumulator.half_bytes,
        "operand_slot_bytes": core.vector.operand_half_bytes,
        "output_slot_bytes": core.vector.output_half_bytes,
        "pool": window,
        "whole_plane": whole,
        "simple_passes": group.simple_passes,
        "special_passes": group.special_passes,
        "channel_terms": not layer.weight_is_activation,
    }
    fields.update(changes)
    return TileProblem(**fields)  # type: ignore[arg-type]


def solve(problem: TileProblem, accelerator: Accelerator, objective: str, layer: str) -> Found:
    """Return the best tiling or raise `InfeasibleError` naming the layer."""
    found = search(problem, accelerator, objective)
    if isinstance(found, Infeasible):
        subject = f"layer '{layer}' on '{accelerator.name}'"
        raise InfeasibleError(
            Infeasible(subject, found.constraint, found.demand, found.bound, found.unit, found.levers)
        )
    return found


def make_plan(
    network: Network, accelerator: Accelerator, objective: Literal["latency", "energy", "edp"] = "latency"
) -> Plan:
    """Map every layer of `network` and lower the whole to a program.

    Raises
    ------
    InfeasibleError
        If some layer has no mapping; the record says what it lacks.
    InputError
        If some layer cannot be run.
    """
    groups = make_groups(network)
    planned = []
    for group in groups:
        parts: list[Part] = []
        if isinstance(group.lead, MacLayer):
            phases = phase_plan(group.lead) if group.lead.transposed else (None,)
            for phase in phases:
                layer = group.lead if phase is None else phase.layer
                ahead = bool(planned) and not layer.weight_is_activation
                problem = make_problem(network, group, layer, accelerator, weights_ready=ahead)
                parts.append(Part(layer, problem, solve(problem, accelerator, objective, layer.name), phase))
        planned.append(PlannedGroup(group, tuple(parts)))
    lowering = _Lowering(network, accelerator, tuple(planned))
    program = lowering.run()
    return Plan(network, accelerator, objective, tuple(planned), program, lowering.placement(), _notes(network))


def _notes(network: Network) -> tuple[str, ...]:
    notes = []
    if any(isinstance(layer, MacLayer) and layer.transposed for layer in network.layers):
        notes.append(
            "transposed convolutions run as ordinary ones, one per output residue; cropped products never arise"
        )
    return tuple(notes)


class _Lowering:
    """Walks the groups and lowers each."""

    def __init__(self, network: Network, accelerator: Accelerator, planned: tuple[PlannedGroup, ...]) -> None:
        self.network, self.accelerator, self.planned = network, accelerator, planned
        self.draft = ProgramDraft()
        self.image = DramImage(accelerator.dram.beat_bytes)
        self.ready: dict[str, Waits] = {}
        self.views = _channel_views(network)
        self.records: list[LayerRecord] = []

    def run(self) -> Program:
        for entry in self.planned:
            index = len(self.records)
            self.records.append(_record(entry))
            if entry.parts:
                self._array(index, entry)
            else:
                self._vector(index, entry.group)
        return Program(
            self.network.name,
            self.accelerator.name,
            tuple(self.records),
            self.draft.finish(),
            self.image.size_bytes,
        )

    def placement(self) -> dict[str, object]:
        """Return where every activation lies, for the result."""
        tensors = [
            {"name": name, "memory": "dram", "address": address}
            for name, address in self.image.blocks().items()
            if name in self.network.tensors
        ]
        return {"objective_bytes": None, "lower_bound_bytes": None, "proven_optimal": False, "tensors": tensors}

    # --- tensors ----------------------------------------------------------------------------------------------------

    def _view(self, name: str, matrices: int = 1) -> ImageView:
        """Return where tensor `name` lies, as `matrices` matrices if it is read by a batched product."""
        bytes_each = element_bytes(self.accelerator)
        tensor = self.network.tensor(name)
        root = storage(self.network, name)
        if root in self.views and root == name:
            base, offset = self.views[root]
            whole = self.network.tensor(base)
            view = dense(self.image.tensor(whole, bytes_each), image_sizes(whole.shape), bytes_each)
            return view.channels(offset, offset + tensor.shape[1])
        address = self.image.tensor(self.network.tensor(root), bytes_each)
        return dense(address, image_sizes(tensor.shape, matrices), bytes_each)

    def _waits(self, name: str) -> Waits:
        """Return when tensor `name` is complete in DRAM; network inputs and constants are from the start."""
        return self.ready.get(storage(self.network, name), {})

    def _finish(self, name: str, waits: Waits) -> None:
        root = storage(self.network, name)
        merge(self.ready.setdefault(root, {}), waits)

    # --- groups -----------------------------------------------------------------------------------------------------

    def _array(self, index: int, entry: PlannedGroup) -> None:
        group, waits = entry.group, Waits()
        for number, part in enumerate(entry.parts):
            layer = part.layer
            matrices = layer.dims.G if layer.spatial_rank == 0 else 1
            output = self._view(group.output, matrices)
            if part.phase is not None:
                output = _phase_view(output, part.phase)
            weight = None
            if layer.weight_is_activation:
                weight = self._weight_view(layer)
            operands = MacOperands(
                input=self._input_view(layer, matrices),
                weight=weight,
                weight_rows="K" if layer.weight_layout == "kc" else "C",
                output=output,
                residual=self._view(group.residual, matrices) if group.residual else None,
                input_waits=self._waits(layer.input_tensor),
                weight_waits=self._waits(layer.weight_tensor) if layer.weight_is_activation else {},
                residual_waits=self._waits(group.residual) if group.residual else {},
                resident_input=None,
                resident_residual=None,
                resident_output=None,
                output_waits={},
                input_places=((0, 0), (1, 0)),
                names=(layer.input_tensor, layer.weight_tensor, group.output, group.residual),
            )
            lowering = MacLowering(
                self.draft,
                self.image,
                self.accelerator,
                index,
                group,
                part.problem,
                part.mapping(self.accelerator.core.name),
                operands,
                number,
            )
            merge(waits, lowering.run())
        self._finish(group.output, waits)

    def _input_view(self, layer: MacLayer, matrices: int) -> ImageView:
        view = self._view(layer.input_tensor, matrices)
        if layer.spatial_rank:
            n, c = layer.dims.N, layer.in_channels
            sizes = (n, *layer.input_spatial, c)
            if view.sizes != sizes:  # a one-dimensional convolution reads (N, C, X)
                view = dense(view.address, (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]), view.element_bytes)
        return view

    def _weight_view(self, layer: MacLayer) -> ImageView:
        d = layer.dims
        rows, columns = (d.K, d.C) if layer.weight_layout == "kc" else (d.C, d.K)
        view = self._view(layer.weight_tensor)
        return dense(view.address, (d.G, 1, 1, rows, columns), view.element_bytes)

    def _vector(self, index: int, group: Group) -> None:
        lead = group.lead
        if isinstance(lead, Concat | Split | Slice) and self._is_free(lead):
            waits: Waits = {}
            for name in lead.inputs:
                merge(waits, self._waits(name))
            for name in lead.outputs:
                self._finish(name, waits)
            return
        for number, name in enumerate(lead.outputs):
            inputs = [self._operand(n) for n in _data_inputs(lead, self.network)]
            if isinstance(lead, CacheAppend):
                inputs = [self._operand(lead.inputs[1])]
                output = self._view(lead.inputs[1])
            elif isinstance(lead, Gather):
                table = self.network.tensor(lead.inputs[0])
                rows = prod(self.network.tensor(lead.inputs[1]).shape)
                address = self.image.tensor(table, element_bytes(self.accelerator))
                view = dense(address, (1, 1, 1, rows, prod(table.shape[1:])), element_bytes(self.accelerator))
                inputs = [Operand(view, {}, table.name)]
                output = self._view(name)
            else:
                output = self._view(name)
                if isinstance(lead, Split | Slice):
                    source = self._view(lead.inputs[0])
                    inputs = [
                        Operand(
                            dense(source.address, output.sizes, source.element_bytes),
                            self._waits(lead.inputs[0]),
                            lead.inputs[0],
                        )
                    ]
            part = group if number == 0 else Group(lead, (), name, "", None, group.simple_passes, group.special_passes)
            self._finish(name, VectorLowering(self.draft, self.accelerator, index, part, inputs, output).run())

    def _operand(self, name: str) -> Operand:
        return Operand(self._view(name), self._waits(name), name)

    def _is_free(self, lead: Concat | Split | Slice) -> bool:
        """Tell whether all parts are views of one image, so that nothing need move."""
        if isinstance(lead, Concat):
            return all(
                name in self.views and self.views[name][0] == self._base(lead.outputs[0]) for name in lead.inputs
            )
        return all(name in self.views for name in lead.outputs)

    def _base(self, name: str) -> str:
        return self.views[name][0] if name in self.views else name


def _data_inputs(lead: object, network: Network) -> tuple[str, ...]:
    """Return the inputs of a vector layer that are read from DRAM, constants included."""
    from workloads.layer import Layer

    assert isinstance(lead, Layer)
    return tuple(name for name in lead.inputs if network.tensor(name).elements > 0)


def _record(entry: PlannedGroup) -> LayerRecord:
    group = entry.group
    lead = group.lead
    if isinstance(lead, MacLayer):
        dims = tuple((name, size) for name, size in lead.dims.as_dict().items())
    else:
        dims = (("outputs", lead.operations),) if lead.operations else ()
    macs = sum(part.layer.macs for part in entry.parts)
    return LayerRecord(lead.name, lead.op, group.names, dims, macs, group.kind)


def _phase_view(output: ImageView, phase: Phase) -> ImageView:
    """Return the outputs of one phase of a transposed convolution: strided in the whole output."""
    n, _, _, _, c = output.sizes
    address = output.address
    pitches = [output.pitches_bytes[0]]
    sizes = [n]
    for axis, pitch in zip(phase.axes, output.pitches_bytes[1:], strict=True):
        address += axis.offset * pitch
        pitches.append(pitch * axis.step)
        sizes.append(axis.window.size_out)
    return ImageView(
        address,
        (sizes[0], sizes[1], sizes[2], sizes[3], c),
        (pitches[0], pitches[1], pitches[2], pitches[3]),
        output.element_bytes,
    )


def _channel_views(network: Network) -> MappingABC[str, tuple[str, int]]:
    """Return the images that lie inside a wider one: name to (base image, first channel).

    Concatenations along the channels of images are visited from the last to the first, so that a chain of growing
    concatenations (dense blocks) shares one image. An input that already has another place, is a network input or output,
    or is reshaped by a reader, is copied instead.
    """
    views: dict[str, tuple[str, int]] = {}
    for layer in reversed(network.order):
        if isinstance(layer, Split) and layer.axis == 1 and len(layer.in_shapes[0]) == 4:
            continue
        if not isinstance(layer, Concat) or layer.axis != 1 or len(layer.in_shapes[0]) != 4:
            continue
        output = layer.outputs[0]
        base, start = views.get(output, (output, 0))
        offset = start
        for name, shape in zip(layer.inputs, layer.in_shapes, strict=True):
            free = name not in views and name not in network.inputs and name not in network.outputs
            alias = storage(network, name) != name or any(reader.is_alias for reader in network.consumers(name))
            if free and not alias and layer.inputs.count(name) == 1 and network.producer(name) is not None:
                views[name] = (base, offset)
            offset += shape[1]
    return views


def unsupported(network: Network) -> InputError | None:
    """Return why some layer of `network` cannot be run, or None."""
    for layer in network.layers:
        for name in layer.outputs:
            tensor: Tensor = network.tensor(name)
            if tensor.elements == 0:
                return InputError(f"layer '{layer.name}': output '{name}' has no elements; remove the layer")
    return None
