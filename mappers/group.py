"""Groups: a leading layer and the layers that run in its shadow.

A MAC layer takes with it, while its output has one reader: activation functions, changes of number format, a folded
batch normalisation, one element-wise operation whose other operand has the same shape and already exists, and at most
one pooling whose windows tile the plane or cover it. They run in the vector unit between accumulator and output:
requantisation and simple functions are chained in one pass, every special function (exponential, root, division,
table) costs a pass of its own. A vector layer takes unary functions with it. Layers that the DRAM layout makes free
vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Literal

from hw_models.accelerator import Core
from mappers.dram_layout import Layout, make_layout
from workloads.data_layers import DataLayer
from workloads.layer import Layer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.norm_layers import Lrn, Norm, Rotary
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Resize, Softmax

SPECIAL_PASSES = {
    "sigmoid": 1,
    "silu": 1,
    "softplus": 1,
    "tanh": 1,
    "gelu": 1,
    "gelu_tanh": 1,
    "erf": 1,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "reciprocal": 1,
    "elu": 1,
    "div": 1,
    "pow": 1,
}
"""Passes through the special function unit, which answers a function of one operand from a table; others are simple."""


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
        Name of the tensor the group leaves behind (the first, if `lead` has several).
    residual : str
        The other operand of a fused element-wise operation, or "".
    pool : Pool or None
        Fused pooling.
    simple_passes, special_passes : int
        Vector passes over the elements.
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

    @property
    def lane_operations(self) -> int:
        """Value of the lane operations per element, for energy: one per pass and per chained function."""
        return self.simple_passes + self.special_passes + len(self.fused)


def make_groups(network: Network, layout: Layout, core: Core) -> tuple[Group, ...]:
    """Return the groups of `network` in execution order; every layer that is not free is in exactly one."""
    return _Grouping(network, layout, core).run()


class _Grouping:
    def __init__(self, network: Network, layout: Layout, core: Core) -> None:
        self.network, self.layout, self.core = network, layout, core
        self.taken: set[str] = set()
        self.made: set[str] = set(network.inputs)

    def run(self) -> tuple[Group, ...]:
        groups = []
        for layer in self.network.order:
            if layer.name in self.taken or self.layout.is_free(layer):
                continue
            group = self._grow(layer) if isinstance(layer, MacLayer) else self._single(layer)
            groups.append(group)
            for member in (layer, *group.fused):
                self.taken.add(member.name)
                self.made.update(member.outputs)
        return tuple(groups)

    def _exists(self, name: str) -> bool:
        """Tell whether `name` is complete before the group under way."""
        producer = self.network.producer(name)
        if name in self.made or producer is None:
            return True
        return self.layout.is_free(producer) and all(self._exists(source) for source in producer.inputs)

    def _reader(self, output: str) -> Layer | None:
        """Return the only reader of `output`, if it has one and is not needed outside."""
        readers = self.network.consumers(output)
        if output in self.network.outputs or len(readers) != 1 or readers[0].name in self.taken:
            return None
        return readers[0]

    def _single(self, layer: Layer) -> Group:
        """Return the group of a vector or data layer with the unary functions behind it."""
        simple, special = vector_passes(layer)
        fused: list[Layer] = []
        output = layer.outputs[0]
        while isinstance(layer, Elementwise | Activation | Quantize | Norm | Softmax | Rotary | Lrn):
            reader = self._reader(output)
            if reader is None or not _is_unary(reader):
                break
            special += SPECIAL_PASSES.get(reader.op, 0)
            fused.append(reader)
            output = reader.outputs[0]
        return Group(layer, tuple(fused), output, "", None, simple, special)

    def _grow(self, lead: MacLayer) -> Group:
        fused: list[Layer] = []
        residual, special = "", 0
        pool: Pool | None = None
        output = lead.output_tensor
        while (layer := self._reader(output)) is not None:
            if isinstance(layer, Elementwise):
                other = self._other_operand(layer, output)
                if residual or pool is not None or not other:
                    break
                residual = other
            elif isinstance(layer, Pool):
                if pool is not None or not self._can_pool(layer, lead):
                    break
                pool = layer
            elif not _is_unary(layer):
                break
            special += SPECIAL_PASSES.get(layer.op, 0)
            fused.append(layer)
            output = layer.outputs[0]
        return Group(lead, tuple(fused), output, residual, pool, 1, special)

    def _other_operand(self, layer: Elementwise, output: str) -> str:
        """Return the operand that a fused operation brings in, or "" if it cannot be fused."""
        others = [name for name in layer.inputs if name != output]
        if len(layer.inputs) != 2 or len(others) != 1 or others[0] not in self.layout.views:
            return ""
        other = self.network.tensor(others[0])
        last = self.layout.views[layer.outputs[0]]
        same = other.shape == self.network.tensor(output).shape == last.shape
        same = same and self.layout.views[other.name].element_bytes == last.element_bytes
        return other.name if same and other.kind != "weight" and self._exists(other.name) else ""

    def _can_pool(self, layer: Pool, lead: MacLayer) -> bool:
        """Tell whether tiles can hold whole windows: they tile the plane, or its sums fit one accumulator half."""
        if lead.spatial_rank not in (1, 2) or lead.transposed:
            return False
        if any(w.pad_before or w.pad_after for w in layer.windows):
            return False
        array = self.core.array
        if layer.is_global:
            channels = array.cols if array.accumulator_layout == "vectors" else min(lead.dims.K, array.cols)
            plane = prod(lead.dims.out_spatial) * channels
            return plane * self.core.accumulator_bytes <= self.core.accumulator.half_bytes
        return all(w.stride == w.taps and w.size_in == w.size_out * w.taps for w in layer.windows)


def _is_unary(layer: Layer) -> bool:
    """Tell whether `layer` maps every element by itself, with at most constants per channel or for the whole."""
    if isinstance(layer, Norm):
        return layer.op == "batch_norm"
    return isinstance(layer, Quantize) or (isinstance(layer, Activation) and layer.op != "prelu")


def vector_passes(layer: Layer) -> tuple[int, int]:
    """Return the (simple, special) passes over the elements of a vector or data layer."""
    if isinstance(layer, Softmax):
        return 2, 1  # maximum; exponential and its sum; scaling
    if isinstance(layer, Norm):
        return layer.min_passes, 0  # sums of x and x**2 together; scaling
    if isinstance(layer, Lrn):
        return layer.size, 1  # one shifted addition per neighbour; the power
    if isinstance(layer, Pool):
        return prod(layer.kernel), 0  # one per window element
    if isinstance(layer, Rotary):
        return 2, 0
    if isinstance(layer, Resize):
        changed = sum(a != b for a, b in zip(layer.in_shapes[0], layer.out_shape, strict=True))
        return {"resize_nearest": 1, "resize_linear": 2, "resize_cubic": 4}[layer.op] ** changed, 0
    if isinstance(layer, Elementwise):
        special = SPECIAL_PASSES.get(layer.op, 0)
        return max(1, len(layer.inputs) - 1) if not special else 0, special
    return (0 if SPECIAL_PASSES.get(layer.op) else 1), SPECIAL_PASSES.get(layer.op, 0)


def is_alias(network: Network, layer: Layer) -> bool:
    """Tell whether `layer` moves nothing in the DRAM layout of `network` (one byte per activation)."""
    return _layout(network).is_free(layer)


@lru_cache(maxsize=8)
def _layout(network: Network) -> Layout:
    return make_layout(network, 1)
