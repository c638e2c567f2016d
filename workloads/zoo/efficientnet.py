"""EfficientNet-B0."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.mobilenet import depthwise, squeeze_excite

SOURCE = "Tan and Le, arXiv:1905.11946; torchvision 0.29.2 torchvision/models/efficientnet.py"
# expansion factor, kernel, first stride, channels, repetitions
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


def efficientnet_b0(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return EfficientNet-B0; squeeze-and-excitation reduces to a quarter of the block's input channels."""
    b = NetworkBuilder("efficientnet_b0", SOURCE)
    x = b.conv(b.input("image", (batch, 3, image, image)), 32, 3, stride=2, padding=1, bn=True, name="conv1")
    x = b.act(x, "silu")
    for stage, (factor, kernel, first_stride, channels, count) in enumerate(_STAGES, 1):
        for index in range(count):
            with b.scope(f"stage{stage}.{index}"):
                y, inputs = x, b.shape(x)[1]
                if factor != 1:
                    y = b.act(b.conv(x, inputs * factor, 1, bn=True, name="expand"), "silu")
                y = b.act(depthwise(b, y, kernel, first_stride if index == 0 else 1, "dw"), "silu")
                y = squeeze_excite(b, y, max(1, inputs // 4), "silu", "sigmoid")
                y = b.conv(y, channels, 1, bn=True, name="project")
                x = b.add(x, y) if b.shape(x) == b.shape(y) else y
    x = b.act(b.conv(x, 1280, 1, bn=True, name="conv_last"), "silu")
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


ENTRIES = (Entry("efficientnet_b0", "EfficientNet-B0, 224 x 224", SOURCE, efficientnet_b0),)
