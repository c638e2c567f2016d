"""R(2+1)D-18: 3-D convolutions factored into space and time."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Tran et al., arXiv:1711.11248; torchvision 0.29.2 torchvision/models/video/resnet.py"


def _factored(b: NetworkBuilder, x: str, channels: int, middle: int, stride: int, name: str) -> str:
    """Add a spatial and a temporal convolution, each with its batch normalisation."""
    with b.scope(name):
        x = b.conv(x, middle, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bn=True, name="space")
        return b.conv(b.relu(x), channels, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bn=True, name="time")


def r2plus1d_18(batch: int = 1, frames: int = 16, image: int = 112, classes: int = 400) -> Network:
    """Return R(2+1)D-18 on clips of shape (batch, 3, frames, image, image)."""
    b = NetworkBuilder("r2plus1d_18", SOURCE)
    x = b.input("clip", (batch, 3, frames, image, image))
    x = b.relu(b.conv(x, 45, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bn=True, name="stem.space"))
    x = b.relu(b.conv(x, 64, (3, 1, 1), padding=(1, 0, 0), bn=True, name="stem.time"))
    for stage in range(4):
        for index in range(2):
            with b.scope(f"layer{stage + 1}.{index}"):
                channels, stride, inputs = 64 << stage, 2 if stage and not index else 1, b.shape(x)[1]
                # as many weights as the 3x3x3 convolution that is replaced
                middle = inputs * channels * 27 // (inputs * 9 + 3 * channels)
                y = b.relu(_factored(b, x, channels, middle, stride, "conv1"))
                y = _factored(b, y, channels, middle, 1, "conv2")
                if inputs != channels:
                    x = b.conv(x, channels, 1, stride=stride, bn=True, name="downsample")
                x = b.relu(b.add(y, x))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


ENTRIES = (Entry("r2plus1d_18", "R(2+1)D-18 video classifier, 16 frames of 112 x 112", SOURCE, r2plus1d_18),)
