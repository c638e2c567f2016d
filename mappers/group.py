"""Groups: a leading layer and the layers that run in its shadow.

A MAC layer takes with it, while its output has one reader: activation functions, changes of number format, one residual
addition whose other operand already exists, and at most one pooling whose windows do not overlap or that covers the whole
plane. They run in the vector unit between accumulator and output: requantisation and simple functions share one pass, a special
function (exponential, root, division) costs a pass of its own. Everything else is a group of its own. Reshapes vanish; a
transposition that only names the channels-innermost order of an image vanishes too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workloads.data_layers import DataLayer, Transpose
from workloads.layer import Layer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Softmax
from workloads.norm_layers import Norm

SPECIAL = frozenset(
    ("sigmoid", "silu", "tanh", "softplus", "gelu", "gelu_tanh", "erf", "exp", "log", "sqrt", "reciprocal", "elu")
)
"""Activation functions that need an exponential, root, division or table."""


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that run as one.

    Parameters
    ----------
    lead : Layer
        Names the group.
    fused : tuple of Layer
        In execution order.
    output : str
        Name of the tensor the group leaves behind.
    residual : str
        The other operand of a fused addition, or "".
    pool : Pool or None
        Fused pooling.
    simple_passes, special_passes : int
        Vector passes over the output.
    """

    lead: Layer
    fused: tuple[Layer, ...]
    output: str
    residual: str
    pool: Pool | None
    simple_passes: int
    special_passes: int

    @property
    def kind(self) -> Literal["array", "vector unit", "data movement"]:
        """Value of where the group runs."""
        if isinstance(self.lead, MacLayer):
            return "array"
        return "data movement" if isinstance(self.lead, DataLayer) else "vector unit"

    @property
    def names(self) -> tuple[str, ...]:
        """Value of the names of the fused layers."""
        return tuple(layer.name for layer in self.fused)


def storage(network: Network, tensor: str) -> str:
    """Return the tensor whose bytes `tensor` is, reshapes and layout-only transpositions followed back."""
    while True:
        root = network.storage(tensor)
        layer = network.producer(root)
        if not isinstance(layer, Transpose) or not is_layout_only(network, layer):
            return root
        tensor = layer.inputs[0]


def is_layout_only(network: Network, layer: Layer) -> bool:
    """Tell whether a transposition moves the channels of an image to the innermost place, where they already lie."""
    if not isinstance(layer, Transpose):
        return False
    rank = len(layer.perm)
    root = network.tensor(network.storage(layer.inputs[0]))
    return rank >= 3 and layer.perm == (0, *range(2, rank), 1) and len(root.shape) >= 4


def is_alias(network: Network, layer: Layer) -> bool:
    """Tell whether `layer` leaves the bytes where they are."""
    return layer.is_alias or is_layout_only(network, layer)


def make_groups(network: Network) -> tuple[Group, ...]:
    """Return the groups of `network` in execution order; every layer that is no alias is in exactly one."""
    taken: set[str] = set()
    made: set[str] = set(network.inputs)
    groups = []
    for layer in network.order:
        if layer.name in taken or is_alias(network, layer):
            continue
        group = _grow(network, layer, made, taken) if isinstance(layer, MacLayer) else _single(layer)
        groups.append(group)
        taken.update((layer.name, *group.names))
        for member in (layer, *group.fused):
            made.update(storage(network, name) for name in member.outputs)
    return tuple(groups)


def _single(layer: Layer) -> Group:
    """Return the group of a layer that runs alone, with its vector passes."""
    simple, special = 1, 0
    if isinstance(layer, Softmax):
        simple, special = 2, 1  # maximum, scaling; exponential and its sum
    elif isinstance(layer, Norm):
        simple, special = (1, 0) if layer.op == "batch_norm" else (layer.passes, 0)
    elif layer.op in SPECIAL or layer.op in ("div", "pow", "reduce_l2"):
        simple, special = 0, 1
    elif isinstance(layer, Pool):
        simple = 1  # one step per window element is counted by its lowering
    return Group(layer, (), layer.outputs[0], "", None, simple, special)


def _grow(network: Network, lead: MacLayer, made: set[str], taken: set[str]) -> Group:
    fused: list[Layer] = []
    residual, pool, special = "", None, 0
    output = lead.output_tensor
    while output not in network.outputs:
        readers = network.consumers(output)
        if len(readers) != 1 or readers[0].name in taken:
            break
        layer = readers[0]
        if isinstance(layer, Activation) and layer.op != "prelu":
            special += layer.op in SPECIAL
        elif isinstance(layer, Elementwise):
            other = _other_operand(network, layer, output, made)
            if residual or pool or not other:
                break
            residual = other
        elif isinstance(layer, Pool):
            if pool or residual or not _poolable(layer, lead):
                break
            pool = layer
        elif not isinstance(layer, Quantize):
            break
        fused.append(layer)
        output = layer.outputs[0]
    return Group(lead, tuple(fused), output, residual, pool, 1, special)


def _other_operand(network: Network, layer: Elementwise, output: str, made: set[str]) -> str:
    """Return the operand that a fused addition brings in, or "" if it cannot be fused."""
    others = [name for name in layer.inputs if name != output]
    if layer.op not in ("add", "sub", "mul") or len(layer.inputs) != 2 or len(others) != 1:
        return ""
    other = network.tensor(others[0])
    same = tuple(other.shape) == tuple(network.tensor(output).shape)
    root = storage(network, other.name)
    return root if same and other.kind != "weight" and root in made else ""


def _poolable(layer: Pool, lead: MacLayer) -> bool:
    """Tell whether the windows tile the plane or cover it, so that tiles can hold whole windows."""
    if lead.spatial_rank not in (1, 2) or lead.transposed:
        return False
    if layer.is_global and not any(w.pad_before or w.pad_after for w in layer.windows):
        return True
    return all(
        w.stride == w.taps and not w.pad_before and not w.pad_after and w.size_in == w.size_out * w.taps
        for w in layer.windows
    )
