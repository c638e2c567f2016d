"""Where every tensor lies in DRAM.

Images (N, C, spatial) have their channels innermost; every other tensor is row major. Reshapes, transpositions,
slices, splits and broadcasts are views and move nothing: their reader pays the shorter runs. The inputs of a
concatenation, a padding or a cache append are written by their producers straight into their part of the result where
possible; a copy is made where not: of constants, network inputs, tensors that already have another place, and
reshapes that strides cannot say.

Weights of MAC layers are packed offline, tile by tile in the order in which the mapping takes them, so a tile is one
run. Blocks start on a beat and are never reused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from mappers.views import View, dense
from workloads.data_layers import CacheAppend, Concat, Expand, Pad, Reshape, Slice, Split, Transpose
from workloads.errors import InputError
from workloads.formats import Int
from workloads.layer import Layer, ShapedLayer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.norm_layers import Lrn, Norm
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Resize, Softmax

VIEW_LAYERS = (Reshape, Transpose, Slice, Split, Expand)
JOINING_LAYERS = (Concat, Pad, CacheAppend)
_Copy = tuple[str, View]
_Place = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """The DRAM image of a network's activations.

    Parameters
    ----------
    views : mapping of str to View
        Every tensor that is no weight of a MAC layer.
    blocks : mapping of str to int
        Bytes of each storage block, in order of first use.
    copies : mapping of str to tuple of (tensor, View)
        Per data layer that must move something: source tensor and where it goes, of the same shape.
    """

    views: Mapping[str, View]
    blocks: Mapping[str, int]
    copies: Mapping[str, tuple[_Copy, ...]]

    def is_free(self, layer: Layer) -> bool:
        """Tell whether `layer` moves nothing."""
        return isinstance(layer, VIEW_LAYERS + JOINING_LAYERS) and layer.name not in self.copies


def element_bytes(network: Network, tensor: str, activation_bytes: int) -> int:
    """Return the bytes of one element: of integers their own, of floating formats those of the array's input word."""
    form = network.tensor(tensor).format
    return -(-form.bits // 8) if isinstance(form, Int) else activation_bytes


def make_layout(network: Network, activation_bytes: int) -> Layout:
    """Return where every tensor of `network` lies."""
    return _Maker(network, activation_bytes).run()


class _Maker:
    def __init__(self, network: Network, activation_bytes: int) -> None:
        self.network, self.activation_bytes = network, activation_bytes
        self.images = _images(network)
        self.places = self._places()
        self.views: dict[str, View] = {}
        self.blocks: dict[str, int] = {}
        self.copies: dict[str, tuple[_Copy, ...]] = {}

    def run(self) -> Layout:
        weights = {name for layer in self.network.mac_layers for name in layer.inputs[1:]}
        for name in self.network.tensors:
            if self.network.producer(name) is None and (name not in weights or name in self.network.inputs):
                self._place(name)
        for layer in self.network.order:
            if isinstance(layer, VIEW_LAYERS):
                self._view(layer)
            elif isinstance(layer, JOINING_LAYERS):
                self._join(layer)
            else:
                # packed weights are placed by the lowering of their layer
                for name in layer.outputs if isinstance(layer, MacLayer) else (*layer.inputs, *layer.outputs):
                    self._place(name)
        return Layout(self.views, self.blocks, self.copies)

    # --- places -----------------------------------------------------------------------------------------------------

    def _places(self) -> dict[str, _Place]:
        """Return, per tensor that lies inside another, that tensor and the first index along each of its axes.

        Visited from the last layer to the first, so that a chain of growing concatenations shares one block.
        """
        places: dict[str, _Place] = {}
        for layer in reversed(self.network.order):
            if not isinstance(layer, JOINING_LAYERS):
                continue
            output = layer.outputs[0]
            starts = _starts(layer)
            if output not in places and not isinstance(layer, Pad):
                shared = self._shared(layer, starts, places)
                if shared is not None:
                    places[output] = shared
                    continue
            root, origin = places.get(output, (output, (0,) * len(layer.out_shapes[0])))
            for name, start in zip(layer.inputs, starts, strict=False):
                if self._may_move(name, layer, places):
                    places[name] = (root, tuple(a + b for a, b in zip(origin, start, strict=True)))
        return places

    def _may_move(self, name: str, layer: ShapedLayer, places: dict[str, _Place]) -> bool:
        producer = self.network.producer(name)
        grows = isinstance(layer, CacheAppend) and name == layer.inputs[0] and name in self.network.inputs
        if name in places or layer.inputs.count(name) > 1 or (name in self.images) != (layer.outputs[0] in self.images):
            return False
        same = self._bytes(name) == self._bytes(layer.outputs[0])
        return same and (grows or (producer is not None and not isinstance(producer, VIEW_LAYERS)))

    def _shared(self, layer: ShapedLayer, starts: list[tuple[int, ...]], places: dict[str, _Place]) -> _Place | None:
        """Return the place of a concatenation whose inputs already lie side by side in a later one."""
        if not all(name in places for name in layer.inputs):
            return None
        root, origin = places[layer.inputs[0]]
        for name, start in zip(layer.inputs, starts, strict=True):
            if places[name] != (root, tuple(a + b for a, b in zip(origin, start, strict=True))):
                return None
        return root, origin

    def _bytes(self, name: str) -> int:
        return element_bytes(self.network, name, self.activation_bytes)

    def _place(self, name: str) -> View:
        """Return the view of `name`, making its block on first use."""
        if name in self.views:
            return self.views[name]
        shape = self.network.tensor(name).shape
        if name in self.places:
            root, starts = self.places[name]
            view = self._place(root)
            for axis, (start, size) in enumerate(zip(starts, shape, strict=True)):
                part = view.narrow(axis, start, start + size)
                assert part is not None, "blocks have one factor per axis"
                view = part
        else:
            rank = len(shape)
            order = (0, *range(2, rank), 1) if name in self.images and rank > 2 else tuple(range(rank))
            view = dense(name, shape, order, self._bytes(name))
            self.blocks[name] = prod(shape) * self._bytes(name)
        self.views[name] = view
        return view

    # --- data layers ------------------------------------------------------------------------------------------------

    def _view(self, layer: Reshape | Transpose | Slice | Split | Expand) -> None:
        source = self._place(layer.inputs[0])
        start = 0
        for place, (name, shape) in enumerate(zip(layer.outputs, layer.out_shapes, strict=True)):
            view: View | None = source
            if isinstance(layer, Reshape):
                view = source.reshape(shape)
            elif isinstance(layer, Transpose):
                view = source.permute(layer.perm)
            elif isinstance(layer, Expand):
                view = source.expand(shape)
            elif isinstance(layer, Split):
                view = source.narrow(layer.axis, start, start + layer.sizes[place])
                start += layer.sizes[place]
            else:
                for axis, limits in enumerate(zip(layer.starts, layer.stops, layer.steps, strict=True)):
                    view = view.narrow(axis, *limits) if view is not None else None
            if view is None:
                self._copy(layer, name)
            else:
                self.views[name] = view

    def _copy(self, layer: Layer, name: str) -> None:
        """Make `name` a block of its own, filled by copying."""
        if not isinstance(layer, Reshape):
            raise InputError(
                f"layer '{layer.name}' ({layer.op}): its range cuts through axes merged by a reshape of a transposed "
                "tensor; move it before the reshape"
            )
        target = self._place(name)
        shaped = target.reshape(layer.in_shapes[0])
        if shaped is None:
            raise InputError(
                f"layer '{layer.name}' ({layer.op}): {layer.in_shapes[0]} and {layer.out_shape} of an image share no "
                "common factors; reshape in two steps"
            )
        self.copies[layer.name] = ((layer.inputs[0], shaped),)

    def _join(self, layer: Concat | Pad | CacheAppend) -> None:
        output = self._place(layer.outputs[0])
        root = self.places.get(layer.outputs[0], (layer.outputs[0], ()))[0]
        copies = []
        for name, start in zip(layer.inputs, _starts(layer), strict=False):
            part: View | None = output
            shape = self.network.tensor(name).shape
            for axis, (low, size) in enumerate(zip(start, shape, strict=True)):
                part = part.narrow(axis, low, low + size) if part is not None else None
            assert part is not None, "blocks have one factor per axis"
            if self.views.get(name) == part and self.places.get(name, ("", ()))[0] == root:
                continue
            self._place(name)
            copies.append((name, part))
        if copies:
            self.copies[layer.name] = tuple(copies)


def _starts(layer: ShapedLayer) -> list[tuple[int, ...]]:
    """Return the first index of each data input in the output of a joining layer."""
    if isinstance(layer, Pad):
        return [tuple(layer.before)]
    assert isinstance(layer, Concat | CacheAppend)
    starts, at = [], 0
    for shape in layer.in_shapes:
        starts.append(tuple(at if axis == layer.axis else 0 for axis in range(len(shape))))
        at += shape[layer.axis]
    return starts


def _images(network: Network) -> frozenset[str]:
    """Return the tensors that have channels on axis 1: what convolutions and pools touch, and what goes with it."""
    found: dict[str, None] = {}
    links: dict[str, list[str]] = {}
    for layer in network.layers:
        convolution = isinstance(layer, MacLayer) and layer.spatial_rank > 0
        norm = isinstance(layer, Norm) and layer.op not in ("layer_norm", "rms_norm")
        if convolution or norm or isinstance(layer, Pool | Resize | Lrn):
            found.update(dict.fromkeys((layer.inputs[0], *layer.outputs)))
        elif isinstance(layer, Elementwise | Activation | Quantize | Softmax | Concat | Split | Slice | Pad):
            shape = network.tensor(layer.outputs[0]).shape
            same = [name for name in layer.inputs if len(network.tensor(name).shape) == len(shape)]
            for name in (*same, *layer.outputs):
                links.setdefault(name, []).extend((*same, *layer.outputs))
    pending = list(found)
    while pending:
        for name in links.get(pending.pop(), ()):
            if name not in found:
                found[name] = None
                pending.append(name)
    return frozenset(name for name in found if len(network.tensor(name).shape) > 2)


class DramImage:
    """Hands out addresses; every block starts on a beat."""

    def __init__(self, beat_bytes: int) -> None:
        self._beat = beat_bytes
        self._top = 0
        self._at: dict[str, int] = {}

    @property
    def size_bytes(self) -> int:
        """Value of the image's size."""
        return self._top

    def block(self, name: str, size_bytes: int) -> int:
        """Return the address of block `name`, making it on first use."""
        if name not in self._at:
            self._at[name] = self._top
            self._top += -(-size_bytes // self._beat) * self._beat
        return self._at[name]

    def address(self, name: str) -> int:
        """Return the address of block `name`, which must exist."""
        return self._at[name]
