"""What an operator costs on a core with its operands in the shared scratchpad, and what crosses the core's port.

Array operators take the answer of the layer search on the core's view of the machine, where the port to the shared
scratchpad stands for the memory (cost model "tile roofline 1", a lower bound of the tile-level event model). Vector
operators are lowered for the same view; their time is the greatest of the vector unit's and the port's.

An operand that is not in the shared scratchpad streams from or to DRAM: the same bytes then cross the channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

from hw_models.accelerator import Accelerator
from mappers.commands import LoadCommand, StoreCommand, VectorCommand
from mappers.draft import ProgramDraft
from mappers.dram_layout import DramImage
from mappers.group import Group
from mappers.lower_vector import VectorLowering
from mappers.mapping import Mapping as LayerMapping
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.work import Piece, Work
from mappers.plan import array_layers, make_problem
from mappers.problem import TileProblem
from mappers.replay import replay_operands
from mappers.search import Found, search
from workloads.errors import Infeasible, InfeasibleError
from workloads.formats import Int
from workloads.mac_layers import MacLayer

TILE_SHARES = (1, 2, 4, 8)
"""Divisors of the core's tile slots under which mappings are looked for: smaller tiles need less staging."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run an operator on one core.

    Parameters
    ----------
    cycles : int
        With every operand in the shared scratchpad.
    energy_pj : Fraction
        Of the core and its port; DRAM and the DMA side of the shared scratchpad are not in it.
    read_bytes : tuple of (tensor, bytes)
        What crosses the port towards the core, per tensor, refetches included (weights under `Operator.weights`).
    written_bytes : int
        Finished output.
    stage_bytes : tuple of (tensor, bytes)
        Two tiles of each activation: what it needs in the shared scratchpad if it streams.
    optimal : bool
        Whether the layer search proved its mapping optimal for its objective and slots.
    work : Work, optional
        What it is as commands.
    """

    core: str
    cycles: int
    energy_pj: Fraction
    read_bytes: tuple[tuple[str, int], ...]
    written_bytes: int
    stage_bytes: tuple[tuple[str, int], ...]
    optimal: bool
    work: Work | None = field(default=None, compare=False)

    @property
    def scratchpad_bytes(self) -> int:
        """Value of the staging of all activations."""
        return sum(size for _, size in self.stage_bytes)

    def reads(self, tensor: str) -> int:
        """Return the bytes of `tensor` that cross the port towards the core."""
        return dict(self.read_bytes).get(tensor, 0)


def best_option(graph: OperatorGraph, op: Operator, core: Accelerator, objective: str = "latency") -> Option:
    """Return the option of `op` on `core` that is best for `objective`.

    Raises
    ------
    InfeasibleError
        If the core cannot run the operator; the record says what it lacks.
    """
    found = _option(graph, op, core, objective, 1)
    if isinstance(found, Infeasible):
        raise InfeasibleError(found)
    return found


def pareto_options(graph: OperatorGraph, op: Operator, core: Accelerator) -> tuple[Option, ...]:
    """Return the options of `op` on `core` that no other beats in cycles, energy, staging and bytes at once.

    They come from the layer search for latency, energy and their product, with the tile slots whole, halved, quartered
    and cut to an eighth. Empty if the core cannot run the operator.
    """
    found: dict[_Rank, Option] = {}
    for share in TILE_SHARES:
        for objective in ("latency", "energy", "edp"):
            made = _option(graph, op, core, objective, share)
            if isinstance(made, Infeasible):
                continue
            found.setdefault(_rank(made), made)
            if op.index not in _array_groups(graph):
                break
    ranked = sorted(found.items())
    kept = [made for rank, made in ranked if not any(_beats(other, rank) for other, _ in ranked)]
    return tuple(kept)


@lru_cache(maxsize=256)
def nameless(core: Accelerator) -> Accelerator:
    """Return `core` without its names, so that equal cores share what the layer search has found."""
    return replace(core, name="", summary="", sources=(), sha256="", core=replace(core.core, name=""))


_Rank = tuple[int, Fraction, int, int]


def _rank(option: Option) -> _Rank:
    moved = sum(size for _, size in option.read_bytes) + option.written_bytes
    return option.cycles, option.energy_pj, option.scratchpad_bytes, moved


def _beats(a: _Rank, b: _Rank) -> bool:
    return a != b and a[0] <= b[0] and a[1] <= b[1] and a[2] <= b[2] and a[3] <= b[3]


def _array_groups(graph: OperatorGraph) -> frozenset[int]:
    return frozenset(i for i, group in enumerate(graph.groups) if isinstance(group.lead, MacLayer))


def _option(graph: OperatorGraph, op: Operator, core: Accelerator, objective: str, share: int) -> Option | Infeasible:
    group = graph.groups[op.index]
    if not isinstance(group.lead, MacLayer):
        return _vector_option(graph, op, core) if share == 1 else _no_room(op, core)
    wide = _too_wide(graph, group.lead, core)
    if wide is not None:
        return wide
    parts = []
    for layer, _ in array_layers(group.lead):
        problem = make_problem(graph.layout, group, layer, core, prefetched=True)
        if share > 1:
            problem = replace(
                problem,
                input_slot_bytes=problem.input_slot_bytes // share,
                output_slot_bytes=problem.output_slot_bytes // share,
                operand_slot_bytes=problem.operand_slot_bytes // share,
            )
        found = search(problem, nameless(core), objective)
        if isinstance(found, Infeasible):
            return replace(found, subject=f"layer '{layer.name}' on core '{core.core.name}'")
        parts.append((layer, problem, found))
    return _array_option(graph, op, core, group, parts)


def _array_option(
    graph: OperatorGraph,
    op: Operator,
    core: Accelerator,
    group: Group,
    parts: list[tuple[MacLayer, TileProblem, Found]],
) -> Option:
    """Return the option made of the mappings of a group's parts, one after the other."""
    reads: dict[str, int] = {}
    stage: dict[str, int] = {}
    written = cycles = 0
    energy = Fraction(0)
    pieces = []
    for number, (layer, problem, found) in enumerate(parts):
        mapping = found.mapping(layer.name, core.core.name)
        pieces.append(Piece(number, problem, mapping))
        data, weights, residual, kept, _ = replay_operands(problem, mapping)
        cycles += found.latency_cycles
        energy += Fraction(found.energy_pj)
        written += kept
        streams = [(layer.input_tensor, data), (group.residual, residual)]
        if layer.weight_is_activation:
            streams.append((layer.weight_tensor, weights))
        else:
            reads[op.weights] = reads.get(op.weights, 0) + weights
        for name, moved in streams:
            for tensor, part in _shares(graph, op, name, moved):
                reads[tensor] = reads.get(tensor, 0) + part
        for tensor, size in _tiles(graph, op, group, layer, problem, mapping):
            stage[tensor] = max(stage.get(tensor, 0), size)
    proven = all(found.certificate.proven_optimal for _, _, found in parts)
    return Option(
        *(core.core.name, cycles, energy, tuple(sorted(reads.items())), written, tuple(sorted(stage.items())), proven),
        work=Work(op.index, tuple(pieces)),
    )


def _tiles(
    graph: OperatorGraph,
    op: Operator,
    group: Group,
    layer: MacLayer,
    problem: TileProblem,
    mapping: LayerMapping,
) -> list[tuple[str, int]]:
    """Return two tiles of every activation of an array operator, no more than the tensor itself."""
    held = mapping.held("I", problem.size)
    tile = held["N"] * held["G"] * held["C"] * problem.input_bytes
    for dim in ("OD", "OY", "OX"):
        window = problem.window(dim)
        tile *= min(max(window.extent(held[dim]), 1), window.size_in)
    out = mapping.held("O", problem.size)
    made = problem.stored_elements(out) * problem.output_bytes
    found = [(layer.input_tensor, tile), (group.output, made)]
    if group.residual:
        found.append((group.residual, problem.output_elements(out) * problem.output_bytes))
    if layer.weight_is_activation:
        w = mapping.held("W", problem.size)
        found.append((layer.weight_tensor, w["G"] * w["K"] * w["C"] * problem.weight_bytes))
    sizes: dict[str, int] = {}
    for name, size in found:
        for tensor, part in _shares(graph, op, name, 2 * size) if name != group.output else [(name, 2 * size)]:
            sizes[tensor] = min(graph.bytes_of[tensor], sizes.get(tensor, 0) + part)
    return list(sizes.items())


def _shares(graph: OperatorGraph, op: Operator, name: str, moved: int) -> list[tuple[str, int]]:
    """Return how `moved` bytes of what a layer calls `name` fall to the tensors behind it, in proportion, exactly."""
    if not name or not moved:
        return []
    behind = [tensor for tensor in graph.behind(name) if tensor in op.inputs]
    if not behind:
        return []
    total = sum(graph.bytes_of[tensor] for tensor in behind)
    made, given = [], 0
    for tensor in behind[:-1]:
        part = moved * graph.bytes_of[tensor] // total
        made.append((tensor, part))
        given += part
    return [*made, (behind[-1], moved - given)]


def _vector_option(graph: OperatorGraph, op: Operator, core: Accelerator) -> Option:
    """Return the one option of a vector operator: lowered for the core's view, bound by vector unit and port."""
    draft, image = ProgramDraft(core.core), DramImage(core.dram.beat_bytes)
    for name, size in graph.layout.blocks.items():
        image.block(name, size)
    group = graph.groups[op.index]
    VectorLowering(draft, image, core, graph.network, graph.layout, op.index, group).run()
    unit, issue, beat = core.core.vector, core.core.dma.issue_cycles, core.dram.beat_bytes
    busy = beats = loaded = stored = operations = buffered = 0
    first = 0
    for command in draft.finish():
        if isinstance(command, VectorCommand):
            passes = command.simple_passes, command.special_passes
            busy += issue + unit.cycles(command.rows, command.row_elements, *passes)
            operations += command.operations
            buffered += sum(command.read_bytes) + sum(command.write_bytes)
        elif isinstance(command, LoadCommand | StoreCommand):
            own = sum(transfer.beats(beat) for transfer in command.transfers)
            first = first or own
            beats += own
            loaded, stored = (
                (loaded + command.bytes, stored)
                if isinstance(command, LoadCommand)
                else (loaded, stored + command.bytes)
            )
    bus = Fraction(-(-core.dram.beats_cycles(beats) // 1))
    cycles = int(max(busy + core.dram.beats_cycles(first), bus)) + 2 * core.dram.latency_cycles
    moved = loaded + stored
    energy = operations * unit.op_pj + moved * core.dram.energy_pj_per_byte
    energy += (buffered + moved) * unit.buffer_pj_per_byte
    reads = _proportional(graph, op, loaded)
    half = min(unit.operand_half_bytes, loaded or 1)
    stage = [(name, min(graph.bytes_of[name], unit.operand_buffers * half)) for name in op.inputs]
    stage.append((op.output, min(graph.bytes_of[op.output], unit.output_buffers * unit.output_half_bytes)))
    return Option(
        *(core.core.name, cycles, Fraction(energy), tuple(reads), stored, tuple(sorted(stage)), True),
        work=Work(op.index),
    )


def _proportional(graph: OperatorGraph, op: Operator, moved: int) -> list[tuple[str, int]]:
    """Return `moved` bytes over the operands of a vector operator, in proportion to their sizes, exactly."""
    names = [*op.inputs, *((op.weights,) if op.weight_bytes else ())]
    total = sum(graph.bytes_of[name] for name in names)
    made, given = [], 0
    for name in names[:-1]:
        part = moved * graph.bytes_of[name] // total
        made.append((name, part))
        given += part
    return [*made, (names[-1], moved - given)] if names else []


def _too_wide(graph: OperatorGraph, layer: MacLayer, core: Accelerator) -> Infeasible | None:
    """Return why the array cannot take the operands of `layer`, if their integers are wider than its own."""
    array = core.core.array
    for name, form in ((layer.input_tensor, array.input_format), (layer.weight_tensor, array.weight_format)):
        own = graph.network.tensor(name).format
        if isinstance(own, Int) and own.bits > form.bits:
            return Infeasible(
                f"layer '{layer.name}' on core '{core.core.name}'",
                f"width of '{name}'",
                own.bits,
                form.bits,
                "bits",
                ("quantise it", "use a core with a wider array"),
            )
    return None


def _no_room(op: Operator, core: Accelerator) -> Infeasible:
    return Infeasible(f"operator '{op.name}' on core '{core.core.name}'", "tile share", 2, 1, "parts")
