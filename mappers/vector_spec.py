"""What a vector layer needs for a box of its output: per operand, the box of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from mappers.dram_layout import Layout
from mappers.views import Range, View
from workloads.errors import InputError
from workloads.layer import ShapedLayer
from workloads.network import Network
from workloads.norm_layers import Lrn, Norm, Rotary
from workloads.tensor import Shape
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Reduce, Resize, Softmax
from workloads.window import Window


@dataclass(frozen=True, slots=True)
class AxisMap:
    """How one axis of an operand follows the output.

    Parameters
    ----------
    size : int
        Of the operand along this axis.
    axis : int or None
        The output axis that it follows; None where every output needs it whole.
    window : Window or None
        Sliding window between the two.
    ratio : (int, int)
        Output and input size of a resized axis, equal elsewhere.
    reach : int
        Input elements that one output of a resized axis interpolates.
    """

    size: int
    axis: int | None
    window: Window | None = None
    ratio: tuple[int, int] = (1, 1)
    reach: int = 1

    def span(self, box: Sequence[Range]) -> Range:
        """Return the range that the output `box` needs."""
        if self.axis is None:
            return 0, self.size
        start, stop = box[self.axis]
        if self.window is not None:
            return self.window.span(start, stop - start)
        out, size = self.ratio
        margin = self.reach - 1
        if out == size:
            return start, stop
        return max(0, start * size // out - margin), min(self.size, (stop - 1) * size // out + 1 + margin)

    def extent(self, tile: Sequence[int]) -> int:
        """Return the most elements that a tile of the output needs."""
        if self.axis is None:
            return self.size
        length = tile[self.axis]
        if self.window is not None:
            return min(self.size, self.window.extent(length))
        out, size = self.ratio
        return length if out == size else min(self.size, (length - 1) * size // out + 2 + 2 * (self.reach - 1))


@dataclass(frozen=True, slots=True)
class Source:
    """One operand of a vector layer."""

    tensor: str
    view: View
    axes: tuple[AxisMap, ...]

    def box(self, output: Sequence[Range]) -> tuple[Range, ...]:
        """Return the box that the output box needs."""
        return tuple(axis.span(output) for axis in self.axes)

    def bytes(self, tile: Sequence[int]) -> int:
        """Return the most bytes that a tile of the output needs."""
        return prod(axis.extent(tile) for axis in self.axes) * self.view.element_bytes

    def follows(self, shape: Sequence[int]) -> bool:
        """Tell whether every output axis of size above one moves this operand, so that no tile is used twice."""
        moved = {axis.axis for axis in self.axes}
        return all(size == 1 or place in moved for place, size in enumerate(shape))


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """A vector layer as boxes.

    Parameters
    ----------
    shape : tuple of int
        Of the output.
    sources : tuple of Source
        Operands, the data first.
    whole : tuple of int
        Output axes that a tile holds whole, unless the layer is swept several times.
    steps : tuple of int
        Granularity of a tile along each output axis.
    rows : {"flat", "whole", "inner"}
        What a row of the vector unit is: anything; the axes held whole; the data's innermost axis.
    reduces : bool
        The data are more than the output: work is counted on the data.
    """

    shape: Shape
    sources: tuple[Source, ...]
    whole: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    rows: Literal["flat", "whole", "inner"] = "flat"
    reduces: bool = False

    def step(self, axis: int) -> int:
        """Return the granularity along `axis`."""
        return self.steps[axis] if self.steps else 1


def vector_spec(network: Network, layout: Layout, layer: ShapedLayer) -> VectorSpec:
    """Return `layer` as boxes.

    Raises
    ------
    InputError
        If the lowering does not know the layer.
    """
    shape = layer.in_shapes[0]
    everything = [_aligned(layout, name, network.tensor(name).shape, layer.out_shapes[0]) for name in layer.inputs]
    if isinstance(layer, Elementwise | Rotary):
        return VectorSpec(layer.out_shapes[0], tuple(everything))
    if isinstance(layer, Activation | Quantize):
        return VectorSpec(shape, (everything[0], *_per_channel(network, layout, layer)))
    if isinstance(layer, Softmax):
        return VectorSpec(shape, (everything[0],), (layer.axis,), rows="whole")
    if isinstance(layer, Lrn):
        return VectorSpec(shape, (everything[0],), (1,), rows="whole")
    if isinstance(layer, Norm):
        return _norm_spec(network, layout, layer, everything)
    if isinstance(layer, Pool):
        axes = (AxisMap(shape[0], 0), AxisMap(shape[1], 1))
        windows = tuple(AxisMap(w.size_in, 2 + place, w) for place, w in enumerate(layer.windows))
        source = Source(layer.inputs[0], layout.views[layer.inputs[0]], (*axes, *windows))
        return VectorSpec(layer.out_shapes[0], (source,), rows="inner")
    if isinstance(layer, Resize):
        reach = {"resize_nearest": 1, "resize_linear": 2, "resize_cubic": 3}[layer.op]
        maps = tuple(
            AxisMap(size, place, None, (out, size), reach if out != size else 1)
            for place, (size, out) in enumerate(zip(shape, layer.out_shape, strict=True))
        )
        return VectorSpec(layer.out_shape, (Source(layer.inputs[0], layout.views[layer.inputs[0]], maps),))
    if isinstance(layer, Reduce):
        kept = [axis for axis in range(len(shape)) if axis not in layer.axes]
        place = {axis: axis if layer.keepdims else index for index, axis in enumerate(kept)}
        maps = tuple(AxisMap(size, place.get(axis)) for axis, size in enumerate(shape))
        source = Source(layer.inputs[0], layout.views[layer.inputs[0]], maps)
        return VectorSpec(layer.out_shapes[0], (source,), rows="inner", reduces=True)
    raise InputError(
        f"layer '{layer.name}': op '{layer.op}' has no lowering to the vector unit; remove it or run it on the host"
    )


def copy_spec(tensor: str, view: View) -> VectorSpec:
    """Return the movement of `tensor` element by element."""
    return VectorSpec(view.shape, (Source(tensor, view, tuple(AxisMap(n, i) for i, n in enumerate(view.shape))),))


def _norm_spec(network: Network, layout: Layout, layer: Norm, everything: list[Source]) -> VectorSpec:
    shape = layer.in_shapes[0]
    if layer.op in ("layer_norm", "rms_norm"):
        return VectorSpec(shape, tuple(everything), tuple(range(layer.axis, len(shape))), rows="whole")
    sources = (everything[0], *_per_channel(network, layout, layer))
    if layer.op == "batch_norm":
        return VectorSpec(shape, sources)
    steps = [1] * len(shape)
    if layer.op == "group_norm":
        steps[1] = shape[1] // layer.groups
    return VectorSpec(shape, sources, tuple(range(2, len(shape))), tuple(steps), rows="whole")


def _aligned(layout: Layout, tensor: str, shape: Shape, output: Shape) -> Source:
    """Return an operand whose trailing axes follow those of the output, broadcast where they are one."""
    missing = len(output) - len(shape)
    maps = tuple(
        AxisMap(size, None if size == 1 or place + missing < 0 else place + missing) for place, size in enumerate(shape)
    )
    return Source(tensor, layout.views[tensor], maps)


def _per_channel(network: Network, layout: Layout, layer: ShapedLayer) -> tuple[Source, ...]:
    """Return the parameters behind the data: one per channel (axis 1), or a scalar."""
    shape, made = layer.in_shapes[0], []
    for name in layer.inputs[1:]:
        own = network.tensor(name).shape
        if len(own) == 1 and len(shape) > 1 and own[0] == shape[1]:
            made.append(Source(name, layout.views[name], (AxisMap(own[0], 1),)))
        else:
            made.append(_aligned(layout, name, own, shape))
    return tuple(made)
