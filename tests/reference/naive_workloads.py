"""Naive twins of `workloads`: everything by enumeration, nothing by formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import numpy.typing as npt

from workloads.mac_layers import LOOP_DIMS, MacLayer
from workloads.network import Network

Ints = npt.NDArray[np.int64]


def naive_axis_pairs(
    size_in: int, size_out: int, taps: int, stride: int, dilation: int, before: int, transposed: bool
) -> list[tuple[int, int, int]]:
    """Return every (output, tap, input) that meets: all triples are tried."""
    found = []
    for o, f, i in product(range(size_out), range(taps), range(size_in)):
        left, right = (o, i * stride) if transposed else (i, o * stride)
        if left == right - before + f * dilation:
            found.append((o, f, i))
    return found


def naive_macs(layer: MacLayer) -> int:
    """Return the MACs by running the loops (scatter form when transposed)."""
    count = 0
    sizes = layer.dims.as_dict()
    if layer.transposed:
        sizes.update(zip(("OD", "OY", "OX"), layer.input_spatial, strict=True))
    for _ in product(*(range(sizes[dim]) for dim in LOOP_DIMS)):
        count += 1
    return count


def naive_positions(layer: MacLayer, tile: Mapping[str, int]) -> Iterator[dict[str, range]]:
    """Yield every tile position as the range of each dimension."""
    sizes = layer.dims.as_dict()
    starts = [range(sizes[dim] - tile[dim] + 1) for dim in LOOP_DIMS]
    for origin in product(*starts):
        yield {dim: range(o, o + tile[dim]) for dim, o in zip(LOOP_DIMS, origin, strict=True)}


def naive_touched(layer: MacLayer, role: str, ranges: Mapping[str, range]) -> set[tuple[int, ...]]:
    """Return the indices of an operand that a tile touches, inputs in padding included."""
    d = layer.dims
    touched = set()
    for g, n, k, c, od, oy, ox, fd, fy, fx in product(*(ranges[dim] for dim in LOOP_DIMS)):
        if role == "W":
            touched.add((g * d.K + k, c, fd, fy, fx))
        elif role == "O":
            touched.add((n, g * d.K + k, od, oy, ox))
        else:
            place = tuple(
                o * s - p[0] + f * e
                for o, f, s, e, p in zip(
                    (od, oy, ox), (fd, fy, fx), layer.strides, layer.dilations, layer.padding, strict=True
                )
            )
            touched.add((n, g * d.C + c, *place))
    return touched


def naive_box(indices: set[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the sides of the bounding box."""
    return tuple(max(axis) - min(axis) + 1 for axis in zip(*indices, strict=True))


def naive_conv(layer: MacLayer, x: Ints, w: Ints) -> Ints:
    """Return the convolution; x (N, G*C, D, Y, X), w (G*K, C, FD, FY, FX)."""
    d = layer.dims
    out = np.zeros((d.N, d.G * d.K, *d.out_spatial), dtype=np.int64)
    for g, n, k, c, od, oy, ox, fd, fy, fx in product(*(range(size) for size in d.as_dict().values())):
        place = [
            o * s - p[0] + f * e
            for o, f, s, e, p in zip(
                (od, oy, ox), (fd, fy, fx), layer.strides, layer.dilations, layer.padding, strict=True
            )
        ]
        if all(0 <= i < size for i, size in zip(place, layer.input_spatial, strict=True)):
            out[n, g * d.K + k, od, oy, ox] += x[n, g * d.C + c, *place] * w[g * d.K + k, c, fd, fy, fx]
    return out


def naive_scatter(layer: MacLayer, x: Ints, w: Ints) -> Ints:
    """Return the transposed convolution; x (N, G*C, D, Y, X), w (G*C, K, FD, FY, FX): every input is spread."""
    d = layer.dims
    out = np.zeros((d.N, d.G * d.K, *d.out_spatial), dtype=np.int64)
    loops = [range(size) for size in (d.G, d.N, d.K, d.C, *layer.input_spatial, *d.filter)]
    for g, n, k, c, i_d, i_y, i_x, fd, fy, fx in product(*loops):
        place = [
            i * s - p[0] + f * e
            for i, f, s, e, p in zip(
                (i_d, i_y, i_x), (fd, fy, fx), layer.strides, layer.dilations, layer.padding, strict=True
            )
        ]
        if all(0 <= o < size for o, size in zip(place, d.out_spatial, strict=True)):
            out[n, g * d.K + k, *place] += x[n, g * d.C + c, i_d, i_y, i_x] * w[g * d.C + c, k, fd, fy, fx]
    return out


def naive_liveness(network: Network) -> dict[str, tuple[int, int]]:
    """Return liveness by asking at every step, for every tensor, whether its contents are still wanted."""
    steps = range(len(network.order))
    result = {}
    for name, tensor in network.tensors.items():
        if tensor.kind == "weight":
            continue
        alive = []
        for step in steps:
            written = name in network.inputs or any(name in network.order[s].outputs for s in steps if s <= step)
            wanted = name in network.outputs or any(name in network.order[s].inputs for s in steps if s >= step)
            if (written and wanted) or name in network.order[step].outputs:
                alive.append(step)
        # an input nobody reads is delivered at step 0
        result[name] = (alive[0], alive[-1]) if alive else (0, 0)
    return result
