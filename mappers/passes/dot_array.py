"""Atomic dataflow of adder-tree arrays: kernel groups outside, image rows inside, both through one buffer.

A cycle multiplies `channels` inputs of `pixels` pixels of one row by the weights of `kernels` kernels. The order is
fixed: all image rows pass under one group of weights, then the next group comes. The choice is what stays in the
buffer:

* the image, if it fits beside one bank: it is read once and weights stream;
* else the weights, if they fit beside one bank: both are read once;
* else neither: weights come in groups of half the buffer, so that the next group loads while one is in use, and the
  image is read again for every group.

The image lies in memory with its channels padded to `align_elements`; with `space_to_depth` a stride s folds s x s
pixels into the channels, and an R x S filter into ceil(R/s) x ceil(S/s) taps of which R S / s^2 are not zero and cost
cycles.

Where the machine has an engine for depthwise layers, these lie in memory with all their channels side by side, and a
cycle takes one tap of `channels` of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hw_models.dot_array import WINOGRAD_GAIN, WINOGRAD_WEIGHTS, DotArray
from mappers.passes.plan import ConvShape, LayerPasses, StageSpec, shares

MOST_PASSES = 512
"""Row stripes are merged beyond this many passes of a layer."""
MOST_AHEAD = 64
"""Passes that may wait behind the load, however small they are."""


@dataclass(frozen=True, slots=True)
class DotMapping:
    """What stays in the buffer: `resident` is image, weights or neither; `image_reads` counts reads of the image."""

    resident: str
    image_reads: int
    winograd: bool


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def plan_dot_array(shape: ConvShape, array: DotArray, weight_reuse: int = 1) -> LayerPasses:
    """Return `shape` as passes on `array`.

    Parameters
    ----------
    weight_reuse : int
        Images that share one read of the weights (fully connected layers in batches); cycles stay per image.
    """
    winograd = False
    if array.depthwise_pixels and shape.channels == 1 < shape.groups:
        cycles, image, weights, results = _depthwise(shape, array, weight_reuse)
    else:
        winograd = array.winograd and (shape.filter_height, shape.filter_width, shape.stride) == (3, 3, 1)
        cycles, image, weights, results = _on_array(shape, array, weight_reuse, winograd)
    size = array.element_bytes
    high, wide = shape.stored
    result = shape.batch * results * high * wide * size
    mapping = _resident(image, weights, array, winograd)
    operand = result if shape.operand else 0
    traffic = {
        "dram": {
            "input": image * mapping.image_reads,
            "weight": -(-weights // weight_reuse),
            "operand": operand,
            "output": result,
        }
    }
    passes = _passes(shape, array, cycles, traffic["dram"], mapping)
    kept = {"image": image, "weights": weights, "neither": array.buffer_bytes // 2}[mapping.resident]
    return LayerPasses(
        shape.name,
        shape.macs,
        _stages(array, passes, kept),
        passes,
        traffic,
        array.latency_cycles,
        mapping,
    )


def _on_array(shape: ConvShape, array: DotArray, weight_reuse: int, winograd: bool) -> tuple[Fraction, int, int, int]:
    """Return cycles, bytes of image and weights, and stored channels of the result of a layer on the array."""
    s = shape.stride if array.strided == "space_to_depth" else 1
    folded = shape.channels * s * s
    steps = shape.batch * shape.out_height * -(-shape.out_width // array.pixels) * -(-folded // array.channels)
    steps *= -(-shape.kernels * weight_reuse // array.kernels)
    taps = Fraction(shape.filter_height * shape.filter_width, s * s)
    cycles = shape.groups * steps * taps / weight_reuse / (WINOGRAD_GAIN if winograd else 1)
    stored, size = _up(folded, array.align_elements), array.element_bytes
    # Border pixels are made, not read: the image in memory has what the windows cover at most.
    image = shape.groups * shape.batch * stored * -(-shape.height // s) * -(-shape.width // s) * size
    weights = shape.groups * stored * -(-shape.filter_height // s) * -(-shape.filter_width // s) * shape.kernels * size
    weights = int(weights * (WINOGRAD_WEIGHTS if winograd else 1))
    return cycles, image, weights, shape.groups * _up(shape.kernels, array.align_elements)


def _depthwise(shape: ConvShape, array: DotArray, weight_reuse: int) -> tuple[Fraction, int, int, int]:
    """Return the same of a layer on the engine for depthwise layers."""
    made = shape.groups * shape.kernels
    taps = shape.filter_height * shape.filter_width
    steps = shape.batch * shape.out_height * -(-shape.out_width // array.depthwise_pixels)
    cycles = Fraction(steps * -(-made * weight_reuse // array.channels) * taps, weight_reuse)
    image = shape.batch * _up(shape.groups, array.align_elements) * shape.height * shape.width * array.element_bytes
    stored = _up(made, array.align_elements)
    return cycles, image, stored * taps * array.element_bytes, stored


def _resident(image: int, weights: int, array: DotArray, winograd: bool) -> DotMapping:
    beside = array.buffer_bytes - array.bank_bytes
    if image <= beside:
        return DotMapping("image", 1, winograd)
    if weights <= beside:
        return DotMapping("weights", 1, winograd)
    return DotMapping("neither", -(-weights // (array.buffer_bytes // 2)), winograd)


def _stages(array: DotArray, passes: tuple[tuple[int, ...], ...], kept: int) -> tuple[StageSpec, ...]:
    """Return the stages: as many passes may wait behind the load as the buffer holds beside what stays in it."""
    if not array.overlap:
        return tuple(StageSpec(name, "machine", 1) for name in ("load", "array", "store"))
    most = max(1, int(max(load for load, _, _ in passes) * array.memory_bytes_per_cycle))
    ahead = max(2, min(MOST_AHEAD, (array.buffer_bytes - min(kept, array.buffer_bytes)) // most))
    return (StageSpec("load", "memory", ahead), StageSpec("array", "array", 2), StageSpec("store", "memory", 2))


def _passes(
    shape: ConvShape, array: DotArray, cycles: Fraction, dram: dict[str, int], mapping: DotMapping
) -> tuple[tuple[int, ...], ...]:
    """Cut the layer into (kernel group, row stripe) passes; every total is kept exactly."""
    lanes, made = array.kernels, shape.kernels
    apart = array.depthwise_pixels > 0 and shape.channels == 1 < shape.groups
    if apart:
        lanes, made = array.channels, shape.groups * shape.kernels
    groups = max(1, min(-(-made // lanes), MOST_PASSES))
    stripes = max(1, min(shape.out_height, MOST_PASSES // groups))
    count = groups * stripes
    bandwidth = array.memory_bytes_per_cycle
    load = [0] * count
    # The image comes with the first group of each reading, the weights with the first stripe of their group. Depthwise
    # every group has its own channels of the image.
    readings = [index for index in range(groups) if apart or index < mapping.image_reads] or [0]
    image = shares(dram["input"], [1] * (len(readings) * stripes))
    for number, group in enumerate(readings):
        for stripe in range(stripes):
            load[group * stripes + stripe] += image[number * stripes + stripe]
    for group, part in enumerate(shares(dram["weight"], [1] * groups)):
        load[group * stripes] += part
    for index, part in enumerate(shares(dram["operand"], [1] * count)):
        load[index] += part
    # Memory time is cut so that its sum is the exact total, whatever the number of passes.
    total = Fraction(sum(load)) / bandwidth
    loads = shares(total, load) if any(load) else [0] * count
    works = shares(cycles, [1] * count)
    element = (
        Fraction(dram["operand"] // array.element_bytes, array.element_lanes) if array.element_lanes else Fraction(0)
    )
    adds = shares(element, [1] * count)
    stores = shares(Fraction(dram["output"]) / bandwidth, [1] * count)
    return tuple(zip(loads, [w + a for w, a in zip(works, adds, strict=True)], stores, strict=True))
