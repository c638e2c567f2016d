"""Naive twins of the lowering: tiles by nested loops, addresses by arithmetic on single indices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from mappers.mapping import TILED_DIMS, Mapping
from workloads.data_layers import CacheAppend, Concat, Expand, Pad, Reshape, Slice, Split, Transpose
from workloads.mac_layers import MacLayer
from workloads.network import Network

Ranges = dict[str, range]
Addresses = npt.NDArray[np.int64]


def iterations(mapping: Mapping, size: dict[str, int]) -> Iterator[list[Ranges]]:
    """Yield, per innermost iteration, the ranges covered by the tile at every depth of the nest."""

    def inner(depth: int, ranges: Ranges) -> Iterator[list[Ranges]]:
        if depth == len(mapping.loops):
            yield [ranges]
            return
        loop = mapping.loops[depth]
        start = 0
        while start < loop.extent:
            stop = min(start + loop.tile, loop.extent)
            for rest in inner(depth + 1, ranges | {loop.dim: range(start, stop)}):
                yield [ranges, *rest]
            start = stop

    yield from inner(0, {dim: range(size[dim]) for dim in TILED_DIMS})


def input_elements(layer: MacLayer, tile: Ranges) -> set[tuple[int, ...]]:
    """Return the bounding box, clipped to the image, of the (n, channel, d, y, x) that the outputs of `tile` need."""
    planes = []
    for axis, dim in enumerate(("OD", "OY", "OX")):
        stride, dilation, before = layer.strides[axis], layer.dilations[axis], layer.padding[axis][0]
        taps = range(layer.dims.filter[axis])
        reach = [o * stride - before + t * dilation for o in tile[dim] for t in taps]
        planes.append([i for i in range(min(reach), max(reach) + 1) if 0 <= i < layer.input_spatial[axis]])
    channels = [g * layer.dims.C + c for g in tile["G"] for c in tile["C"]]
    return set(product(tile["N"], channels, *planes))


def output_elements(layer: MacLayer, tile: Ranges) -> set[tuple[int, ...]]:
    """Return the (n, channel, d, y, x) of `tile`."""
    channels = [g * layer.dims.K + k for g in tile["G"] for k in tile["K"]]
    return set(product(tile["N"], channels, tile["OD"], tile["OY"], tile["OX"]))


def image_bytes(elements: set[tuple[int, ...]], sizes: tuple[int, ...], address: int) -> set[int]:
    """Return the addresses of (n, channel, d, y, x) in a channels-innermost image of `sizes`, one byte each."""
    _, channels, depth, rows, columns = sizes
    return {address + (((n * depth + d) * rows + y) * columns + x) * channels + c for n, c, d, y, x in elements}


@dataclass
class AddressTable:
    """Addresses of every element of every tensor, by numpy on whole arrays.

    Data layers are applied to arrays of addresses as they are to data; `roots` gives those of all other tensors.
    """

    network: Network
    roots: dict[str, Addresses]

    def of(self, name: str) -> Addresses:
        """Return the addresses of the elements of `name`, in its logical shape."""
        layer = self.network.producer(name)
        if name in self.roots or layer is None:
            return self.roots[name]
        source = self.of(layer.inputs[0])
        if isinstance(layer, Reshape):
            return source.reshape(layer.out_shape)
        if isinstance(layer, Transpose):
            return source.transpose(layer.perm)
        if isinstance(layer, Expand):
            return np.broadcast_to(source, layer.out_shape)
        if isinstance(layer, Slice):
            return source[tuple(slice(*part) for part in zip(layer.starts, layer.stops, layer.steps, strict=True))]
        if isinstance(layer, Split):
            parts = np.split(source, np.cumsum(layer.sizes)[:-1], axis=layer.axis)
            return parts[layer.outputs.index(name)]
        raise KeyError(name)


def joined(layer: Concat | CacheAppend | Pad, parts: list[Addresses]) -> Addresses:
    """Return the addresses of a joined tensor from those of its parts; -1 where a padding adds a constant."""
    if isinstance(layer, Pad):
        border = list(zip(layer.before, layer.after, strict=True))
        return np.pad(parts[0], border, constant_values=-1)
    return np.concatenate(parts, axis=layer.axis)
