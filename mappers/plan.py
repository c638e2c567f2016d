"""From a network and an accelerator to a plan: layout, groups, mappings, residency, and the lowered program."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from typing import Literal

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from mappers.draft import ProgramDraft
from mappers.dram_layout import DramImage, Layout, make_layout
from mappers.given import GivenPlan, price
from mappers.group import Group, make_groups
from mappers.legality import tile_violation
from mappers.lower import lower
from mappers.lower_vector import VectorLowering
from mappers.mapping import Mapping
from mappers.problem import TileProblem, layer_sizes
from mappers.residency import Residency, given_residency, plan_residency
from mappers.search import Found, search
from workloads.data_layers import Gather, Pad
from workloads.errors import Infeasible, InfeasibleError, InputError
from workloads.formats import Int
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.norm_layers import Norm
from workloads.transposed import Phase, phase_plan
from workloads.vector_layers import Softmax

Objective = Literal["latency", "energy", "edp"]


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
    placement : dict
        Where every activation lies, for the result.
    notes : tuple of str
        What was assumed, for the result's list of what is not modelled.
    layout : Layout
        How every tensor lies in its block of DRAM.
    addresses : mapping of str to int
        DRAM address of every block of `layout`.
    """

    network: Network
    accelerator: Accelerator
    objective: str
    groups: tuple[PlannedGroup, ...]
    program: Program
    placement: dict[str, object]
    layout: Layout
    addresses: MappingABC[str, int]
    notes: tuple[str, ...] = field(default=())


def make_plan(
    network: Network,
    accelerator: Accelerator,
    objective: Objective = "latency",
    keep_on_chip: bool = True,
    given: GivenPlan | None = None,
) -> Plan:
    """Map every layer of `network` and lower the whole to a program.

    Parameters
    ----------
    keep_on_chip : bool
        Whether activations may stay in the input scratchpad (`mappers.residency`).
    given : GivenPlan, optional
        Mappings and residents to use as they are instead of searching; checked and priced.

    Raises
    ------
    InfeasibleError
        If some layer has no mapping; the record says what it lacks.
    InputError
        If some layer cannot be run.
    """
    word_bytes = -(-accelerator.core.array.input_format.bits // 8)
    _check_formats(network, accelerator)
    layout = make_layout(network, word_bytes)
    groups = make_groups(network, layout, accelerator.core)
    base: dict[int, tuple[tuple[MacLayer, Phase | None, TileProblem], ...]] = {}
    for index, group in enumerate(groups):
        if isinstance(group.lead, MacLayer):
            base[index] = tuple(
                (layer, phase, make_problem(layout, group, layer, accelerator, prefetched=index > 0))
                for layer, phase in array_layers(group.lead)
            )

    def evaluate(index: int, changes: MappingABC[str, object]) -> float | None:
        total = 0.0
        for _, _, problem in base[index]:
            found = search(replace(problem, **changes), accelerator, objective)  # type: ignore[arg-type]
            if isinstance(found, Infeasible):
                return None
            total += found.certificate.value
        return total

    residency = Residency(groups, accelerator.core.input.half_bytes, accelerator.core.input.halves)
    if given is not None:
        residency = given_residency(network, layout, groups, accelerator.core.input, given.resident)
    elif keep_on_chip and accelerator.core.vector.writes_input:
        residency = plan_residency(network, layout, groups, accelerator.core.input, evaluate)
    planned = []
    for index, group in enumerate(groups):
        parts: list[Part] = []
        for layer, phase, problem in base.get(index, ()):
            changed = replace(problem, **residency.changes(index))  # type: ignore[arg-type]
            if given is None:
                found = solve(changed, accelerator, objective, layer.name)
            else:
                nest = given.nest(group.lead.name, len(parts))
                found = price(changed, accelerator, replace(nest, layer=layer.name), objective)
            parts.append(Part(layer, changed, found, phase))
        planned.append(PlannedGroup(group, tuple(parts)))
    program, addresses = lower(network, accelerator, layout, tuple(planned), residency)
    placement = _placement(layout, residency, addresses)
    notes = _notes(network, accelerator)
    return Plan(network, accelerator, objective, tuple(planned), program, placement, layout, addresses, notes)


def check_network(network: Network, accelerator: Accelerator) -> None:
    """Raise what `make_plan` would for operands or layers that do not fit the machine, without a search.

    Raises
    ------
    InfeasibleError, InputError
        As `make_plan`, for the first layer found.
    """
    _check_formats(network, accelerator)
    layout = make_layout(network, -(-accelerator.core.array.input_format.bits // 8))
    image = DramImage(accelerator.dram.beat_bytes)
    for name, size in layout.blocks.items():
        image.block(name, size)
    for index, group in enumerate(make_groups(network, layout, accelerator.core)):
        if not isinstance(group.lead, MacLayer):
            VectorLowering(ProgramDraft(accelerator.core), image, accelerator, network, layout, index, group).run()
            continue
        for layer, _ in array_layers(group.lead):
            lacking = tile_violation(make_problem(layout, group, layer, accelerator), accelerator)
            if lacking is not None:
                raise InfeasibleError(replace(lacking, subject=f"layer '{layer.name}' on '{accelerator.name}'"))


def make_problem(
    layout: Layout, group: Group, layer: MacLayer, accelerator: Accelerator, prefetched: bool = False
) -> TileProblem:
    """Return the tiling problem of `layer` in `group` with every tensor in DRAM.

    `prefetched`: weights may load while the group before computes, as in every group but the first. That is counted on
    only where they fit one half whole: a larger first tile waits for the group before to give its half back. A single
    buffer never holds the weights of two groups.
    """
    core, made = accelerator.core, layer.weight_is_activation
    array = core.array
    window, whole_plane = (1, 1), False
    if group.pool is not None:
        sizes = [w.taps for w in group.pool.windows]
        whole_plane = group.pool.is_global
        window = (1, 1) if whole_plane else ((1, *sizes)[-2], sizes[-1])
    problem = TileProblem(
        sizes=layer_sizes(layer),
        windows=layer.windows,
        groups_interleaved=layer.spatial_rank > 0,
        input_bytes=layout.views[layer.input_tensor].element_bytes,
        weight_bytes=-(-array.weight_format.bits // 8),
        output_bytes=layout.views[group.output].element_bytes,
        sum_bytes=core.accumulator_bytes,
        input_place="dram",
        output_place="dram",
        residual="dram" if group.residual else "",
        input_slot_bytes=core.input.half_bytes,
        weight_slot_bytes=core.weight.half_bytes,
        sum_slot_bytes=core.accumulator.half_bytes,
        operand_slot_bytes=core.vector.operand_half_bytes,
        output_slot_bytes=core.vector.output_half_bytes,
        pool=window,
        whole_plane=whole_plane,
        simple_passes=group.simple_passes,
        special_passes=group.special_passes,
        channel_terms=not made,
        chained_functions=len(group.fused),
        places=array.kept if made else array.places,
        kept=array.kept,
        stored_places=1 if made else array.places,
        word_bits=0 if made or array.sparsity is None else array.word_bits,
        sum_lanes=array.cols if array.accumulator_layout == "vectors" else 1,
        sums_stay=array.accumulator_layout == "vectors",
    )
    whole = problem.size["G"] * problem.stored_bytes(problem.size["K"], problem.size["C"])
    fits = whole <= core.weight.half_bytes and core.weight.halves > 1
    return replace(problem, weights_ready=prefetched and not made and fits)


def solve(problem: TileProblem, accelerator: Accelerator, objective: str, layer: str) -> Found:
    """Return the best tiling or raise `InfeasibleError` naming the layer."""
    found = search(problem, accelerator, objective)
    if isinstance(found, Infeasible):
        raise InfeasibleError(replace(found, subject=f"layer '{layer}' on '{accelerator.name}'"))
    return found


def array_layers(lead: MacLayer) -> tuple[tuple[MacLayer, Phase | None], ...]:
    """Return what runs on the array for `lead`: itself, or the phases of a transposed convolution."""
    if lead.transposed:
        return tuple((phase.layer, phase) for phase in phase_plan(lead))
    return ((lead, None),)


def _has_tapless_outputs(layer: MacLayer) -> bool:
    return layer.transposed and any(w.stride > w.taps for w in layer.windows)


def _check_formats(network: Network, accelerator: Accelerator) -> None:
    """Raise `InputError` naming every MAC layer whose integer operands are wider than the array's."""
    array = accelerator.core.array
    wrong = []
    for layer in network.mac_layers:
        for name, form in ((layer.input_tensor, array.input_format), (layer.weight_tensor, array.weight_format)):
            own = network.tensor(name).format
            if isinstance(own, Int) and own.bits > form.bits:
                wrong.append(
                    f"layer '{layer.name}' ({layer.op}): '{name}' is {own}, the array of '{accelerator.name}' takes "
                    f"{form}; quantise it or choose a wider array"
                )
    if wrong:
        raise InputError("\n  ".join(wrong))


def _placement(layout: Layout, residency: Residency, addresses: MappingABC[str, int]) -> dict[str, object]:
    """Return where every activation lies; no optimum is claimed."""
    tensors: list[dict[str, object]] = []
    for name, view in layout.views.items():
        kept = residency.kept.get(name)
        if kept is not None:
            where: dict[str, object] = {"memory": "input", "half": kept.half, "address": kept.offset_bytes}
        else:
            where = {"memory": "dram", "address": addresses[view.storage] + view.offset_bytes}
        tensors.append({"name": name, **where})
    return {"objective_bytes": None, "lower_bound_bytes": None, "proven_optimal": False, "tensors": tensors}


def _notes(network: Network, accelerator: Accelerator) -> tuple[str, ...]:
    """Return what was assumed."""
    form = accelerator.core.array.input_format
    notes = ["residency of activations is greedy, not optimised; DRAM is not reused between tensors"]
    if any(not isinstance(t.format, Int) for t in network.tensors.values()):
        notes.append(f"floating-point tensors are carried as {form} codes; the loss of accuracy is not modelled")
    if any(isinstance(layer, MacLayer) and layer.transposed for layer in network.layers):
        notes.append(
            "transposed convolutions run as ordinary ones, one per output residue; cropped products never arise"
        )
    if any(isinstance(layer, MacLayer) and _has_tapless_outputs(layer) for layer in network.layers):
        notes.append("outputs of a transposed convolution that no tap reaches hold the bias already; not written")
    if any(isinstance(layer, Pad) for layer in network.layers):
        notes.append("borders of an explicit pad hold their value before the run; they are read, not written")
    narrow = [t.format for t in network.tensors.values() if isinstance(t.format, Int) and t.format.bits % 8]
    if narrow or accelerator.core.array.weight_format.bits % 8:
        notes.append("operands narrower than a byte are stored one to a byte; packing them is not modelled")
    pattern = accelerator.core.array.sparsity
    if pattern is not None:
        notes.append(
            f"every constant weight tensor is taken as pruned to {pattern} along its input channels, tap by tap; MACs "
            f"are those that remain, what pruning does to the accuracy is not modelled"
        )
        if any(layer.weight_is_activation for layer in network.mac_layers):
            notes.append(f"weights made at run time are not pruned: a PE takes {pattern.kept} of them at a time")
    if "is" in accelerator.core.array.dataflows:
        notes.append("input-stationary sums lie by pixels in the accumulator, which is read along channels at no cost")
    if any(layer.dims.G > 1 for layer in network.mac_layers):
        notes.append(
            "a fold holds channels of one group only: block-diagonal packing of groups is outside the map space"
        )
    if any(isinstance(layer, Gather) for layer in network.layers):
        notes.append("gathered rows are spread evenly over their table: which ones is known at run time only")
    if any(isinstance(layer, Softmax | Norm) for layer in network.layers):
        notes.append("softmax and norms: the reduction across lanes and the root or reciprocal per row take no time")
    return tuple(notes)
