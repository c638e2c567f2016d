"""The operators of a network as the network mapper sees them: fused groups, and the tensors between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from mappers.dram_layout import Layout, make_layout
from mappers.group import Group, make_groups
from mappers.plan import array_layers, make_problem
from mappers.problem import CHANNEL_TERM_BYTES
from workloads.data_layers import Gather
from workloads.mac_layers import MacLayer
from workloads.network import Network


@dataclass(frozen=True, slots=True)
class Operator:
    """One group of layers, run whole on one core.

    Parameters
    ----------
    inputs : tuple of str
        Activations it reads, each once, by the name of the tensor that an operator or the outside made.
    output : str
        Activation it makes.
    macs : int
        Products that are computed: on N:M arrays those of the kept weights.
    weight_bytes : int
        Constants as the core's weight scratchpad takes them (bias, multiplier and shift included); 0 if it has none.
    index : int
        Place in `OperatorGraph.groups`.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    weight_bytes: int
    macs: int
    index: int

    @property
    def weights(self) -> str:
        """Value of the name that its constants have as a tensor."""
        return f"{self.name}.weights"


@dataclass(frozen=True)
class OperatorGraph:
    """Operators in execution order and the bytes of every tensor between them.

    Parameters
    ----------
    bytes_of : mapping of str to int
        Activations and weights (`Operator.weights`).
    sources, outputs : tuple of str
        Activations that come from outside, and those that must end in DRAM.
    shown : mapping of str to tuple of str
        See `behind`.
    lowered : dict
        What `Lowering` has made of the works of a core so far: plans of one network share most of them.
    """

    network: Network
    layout: Layout
    groups: tuple[Group, ...]
    operators: tuple[Operator, ...]
    bytes_of: Mapping[str, int]
    sources: tuple[str, ...]
    outputs: tuple[str, ...]
    shown: Mapping[str, tuple[str, ...]]
    lowered: dict[object, Program] = field(default_factory=dict, compare=False, repr=False)

    def behind(self, name: str) -> tuple[str, ...]:
        """Return the tensors whose bytes the network's tensor `name` shows: itself, or what it joins or views."""
        return self.shown.get(name, ())

    @cached_property
    def by_name(self) -> dict[str, Operator]:
        """Value of the operators by name."""
        return {op.name: op for op in self.operators}

    @cached_property
    def maker(self) -> dict[str, int]:
        """Value of the step of the operator that makes each activation."""
        return {op.output: step for step, op in enumerate(self.operators)}

    @cached_property
    def readers(self) -> dict[str, tuple[int, ...]]:
        """Value of the steps that read each tensor, weights included."""
        found: dict[str, list[int]] = {name: [] for name in self.bytes_of}
        for step, op in enumerate(self.operators):
            for name in (*op.inputs, *((op.weights,) if op.weight_bytes else ())):
                found[name].append(step)
        return {name: tuple(steps) for name, steps in found.items()}

    def operands(self, op: Operator) -> tuple[str, ...]:
        """Return everything `op` touches: inputs, weights, output."""
        return (*op.inputs, *((op.weights,) if op.weight_bytes else ()), op.output)

    @property
    def required_bytes(self) -> int:
        """Value of M_R: the largest sum of the operands of one operator, weights included."""
        return max(sum(self.bytes_of[name] for name in self.operands(op)) for op in self.operators)


def make_graph(network: Network, core: Accelerator) -> OperatorGraph:
    """Return the operators of `network`; what fuses depends on `core` (one that all cores of a cluster stand for).

    A tensor that only joins or views others has no operator: its readers read the tensors behind it. A reader of a part
    of a tensor holds the whole.
    """
    word_bytes = -(-core.core.array.input_format.bits // 8)
    layout = make_layout(network, word_bytes)
    groups = make_groups(network, layout, core.core)
    made: dict[str, str] = {}
    for group in groups:
        for layer in (group.lead, *group.fused):
            made.update(dict.fromkeys(layer.outputs, group.output))
    known: dict[str, tuple[str, ...]] = {}

    def behind(name: str) -> tuple[str, ...]:
        """Return the tensors whose bytes `name` shows."""
        if name not in known:
            producer = network.producer(name)
            if name in made:
                known[name] = (made[name],)
            elif producer is None:
                known[name] = (name,) if network.tensor(name).kind == "input" else ()
            else:
                known[name] = tuple(dict.fromkeys(x for source in producer.inputs for x in behind(source)))
        return known[name]

    operators, sizes = [], {}
    for index, group in enumerate(groups):
        layers = (group.lead, *group.fused)
        inner = {name for layer in layers for name in layer.outputs}
        read = [name for layer in layers for name in layer.inputs if name not in inner]
        inputs = tuple(dict.fromkeys(x for name in read for x in behind(name) if x != group.output))
        weight_bytes, macs = _weight_bytes(network, group, layout, core), 0
        if isinstance(group.lead, MacLayer):
            macs = sum(make_problem(layout, group, layer, core).macs for layer, _ in array_layers(group.lead))
        op = Operator(group.lead.name, inputs, group.output, weight_bytes, macs, index)
        operators.append(op)
        for name in (*inputs, group.output):
            sizes[name] = network.tensor(name).bytes
        if weight_bytes:
            sizes[op.weights] = weight_bytes
    outputs = tuple(dict.fromkeys(x for name in network.outputs for x in behind(name)))
    sources = tuple(name for name in sizes if network.tensors.get(name) and network.tensor(name).kind == "input")
    return OperatorGraph(network, layout, groups, tuple(operators), sizes, sources, outputs, known)


def _weight_bytes(network: Network, group: Group, layout: Layout, core: Accelerator) -> int:
    """Return the constants that `group` loads: packed weights of the array, or the constant operands of a vector group.

    A gather loads the rows it picks, so its table counts with the bytes of its output.
    """
    lead = group.lead
    if isinstance(lead, MacLayer):
        if lead.weight_is_activation:
            return 0
        if core.core.array.sparsity is not None:
            problems = [make_problem(layout, group, layer, core) for layer, _ in array_layers(lead)]
            return sum(problem.weight_tile_bytes(problem.size) for problem in problems)
        dims = lead.dims
        taps = dims.FD * dims.FY * dims.FX
        return (
            dims.G
            * dims.K
            * (dims.C * taps * -(-network.tensor(lead.weight_tensor).format.bits // 8) + CHANNEL_TERM_BYTES)
        )
    if isinstance(lead, Gather):
        return network.tensor(group.output).bytes
    constants = [name for name in lead.inputs if network.tensor(name).kind == "weight"]
    return sum(network.tensor(name).bytes for name in constants)
