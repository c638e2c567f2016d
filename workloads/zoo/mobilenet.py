"""MobileNet V1, V2 and V3."""

from __future__ import annotations

from functools import partial

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

V1_SOURCE = "Howard et al., arXiv:1704.04861; Keras 3.15.1 keras/src/applications/mobilenet.py, width 1.0"
V2_SOURCE = "Sandler et al., arXiv:1801.04381; torchvision 0.29.2 torchvision/models/mobilenetv2.py, width 1.0"
V3_SOURCE = "Howard et al., arXiv:1905.02244; torchvision 0.29.2 torchvision/models/mobilenetv3.py, width 1.0"

V1_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""(pointwise filters, stride) of the depthwise-separable blocks of V1."""

# expansion factor, channels, repetitions, first stride
_V2_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

# kernel, expanded channels, channels, squeeze-excitation, activation, stride
_V3_LARGE = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
)
_V3_SMALL = (
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2),
    (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1),
    (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1),
    (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1),
    (5, 576, 96, True, "hardswish", 1),
)


def divisible(value: float) -> int:
    """Return `value` rounded to a multiple of 8, never more than ten percent down (rule of the MobileNet papers)."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def depthwise(b: NetworkBuilder, x: str, kernel: int, stride: int, name: str, dilation: int = 1) -> str:
    """Add a depthwise convolution with a folded batch normalisation."""
    channels, pad = b.shape(x)[1], (kernel - 1) // 2 * dilation
    return b.conv(
        x, channels, kernel, stride=stride, padding=pad, dilation=dilation, groups=channels, bn=True, name=name
    )


def squeeze_excite(b: NetworkBuilder, x: str, squeezed: int, inner: str, gate: str) -> str:
    """Add a squeeze-and-excitation: channel means, two 1x1 convolutions with bias, gate, product."""
    with b.scope("se"):
        y = b.act(b.conv(b.global_avg_pool(x, name="pool"), squeezed, 1, name="fc1"), inner)
        return b.mul(x, b.act(b.conv(y, b.shape(x)[1], 1, name="fc2"), gate))


def mobilenet_v1(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return MobileNet V1; the classifier is a matrix product (Keras writes the same as a 1x1 convolution)."""
    b = NetworkBuilder("mobilenet_v1", V1_SOURCE)
    x = b.conv(b.input("image", (batch, 3, image, image)), 32, 3, stride=2, padding="same", bn=True, name="conv1")
    x = b.act(x, "relu6")
    for index, (filters, stride) in enumerate(V1_BLOCKS, 1):
        with b.scope(f"block{index}"):
            # Keras pads one row and one column behind before a stride of 2, whatever the size
            pads = [(0, 1), (0, 1)] if stride == 2 else [(1, 1), (1, 1)]
            channels = b.shape(x)[1]
            x = b.conv(x, channels, 3, stride=stride, padding=pads, groups=channels, bn=True, name="dw")
            x = b.act(b.conv(b.act(x, "relu6"), filters, 1, bn=True, name="pw"), "relu6")
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


def mobilenet_v2(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return MobileNet V2."""
    b = NetworkBuilder("mobilenet_v2", V2_SOURCE)
    x = b.conv(b.input("image", (batch, 3, image, image)), 32, 3, stride=2, padding=1, bn=True, name="conv1")
    x = b.act(x, "relu6")
    block = 0
    for factor, channels, count, first_stride in _V2_BLOCKS:
        for index in range(count):
            block += 1
            with b.scope(f"block{block}"):
                stride = first_stride if index == 0 else 1
                y = x
                if factor != 1:
                    y = b.act(b.conv(x, b.shape(x)[1] * factor, 1, bn=True, name="expand"), "relu6")
                y = b.act(depthwise(b, y, 3, stride, "dw"), "relu6")
                y = b.conv(y, channels, 1, bn=True, name="project")
                x = b.add(x, y) if b.shape(x) == b.shape(y) else y
    x = b.act(b.conv(x, 1280, 1, bn=True, name="conv_last"), "relu6")
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


def _v3_features(
    b: NetworkBuilder, x: str, blocks: tuple[tuple[int, int, int, bool, str, int], ...], dilated_from: int
) -> list[str]:
    """Add stem, blocks and the last 1x1 convolution; return the outputs of the stem, of each block and of the last.

    Blocks from number `dilated_from` on keep the resolution and dilate their depthwise convolution by 2 instead.
    """
    x = b.act(b.conv(x, 16, 3, stride=2, padding=1, bn=True, name="conv1"), "hardswish")
    outputs = [x]
    for index, (kernel, expanded, channels, squeeze, act, stride) in enumerate(blocks, 1):
        step, spread = (1, 2) if index >= dilated_from else (stride, 1)
        with b.scope(f"block{index}"):
            y = x
            if expanded != b.shape(x)[1]:
                y = b.act(b.conv(x, expanded, 1, bn=True, name="expand"), act)
            y = b.act(depthwise(b, y, kernel, step, "dw", spread), act)
            if squeeze:
                y = squeeze_excite(b, y, divisible(expanded / 4), "relu", "hardsigmoid")
            y = b.conv(y, channels, 1, bn=True, name="project")
            x = b.add(x, y) if b.shape(x) == b.shape(y) else y
        outputs.append(x)
    outputs.append(b.act(b.conv(x, 6 * b.shape(x)[1], 1, bn=True, name="conv_last"), "hardswish"))
    return outputs


def mobilenet_v3_large_dilated(b: NetworkBuilder, x: str) -> tuple[str, str]:
    """Add the dilated backbone of MobileNet V3 large; return its outputs at 1/8 and at 1/16 of the resolution."""
    outputs = _v3_features(b, x, _V3_LARGE, 13)
    return outputs[4], outputs[-1]


def _mobilenet_v3(
    size: str,
    blocks: tuple[tuple[int, int, int, bool, str, int], ...],
    last: int,
    /,
    batch: int = 1,
    image: int = 224,
    classes: int = 1000,
) -> Network:
    b = NetworkBuilder(f"mobilenet_v3_{size}", V3_SOURCE)
    x = _v3_features(b, b.input("image", (batch, 3, image, image)), blocks, len(blocks) + 1)[-1]
    x = b.act(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), last, name="fc1"), "hardswish")
    return b.build(b.linear(x, classes, name="fc2"))


ENTRIES = (
    Entry("mobilenet_v1", "MobileNet V1 1.0, 224 x 224", V1_SOURCE, mobilenet_v1),
    Entry("mobilenet_v2", "MobileNet V2 1.0, 224 x 224", V2_SOURCE, mobilenet_v2),
    Entry(
        "mobilenet_v3_small",
        "MobileNet V3 small, 224 x 224",
        V3_SOURCE,
        partial(_mobilenet_v3, "small", _V3_SMALL, 1024),
    ),
    Entry(
        "mobilenet_v3_large",
        "MobileNet V3 large, 224 x 224",
        V3_SOURCE,
        partial(_mobilenet_v3, "large", _V3_LARGE, 1280),
    ),
)
