"""Video classifiers whose 3-D convolutions are factored into space and time: R(2+1)D-18 and S3D."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Tran et al., arXiv:1711.11248; torchvision 0.29.2 torchvision/models/video/resnet.py"
S3D_SOURCE = "Xie et al., arXiv:1712.04851; torchvision 0.29.2 torchvision/models/video/s3d.py"

# channels of the four branches: 1x1x1, reduce and 3x3x3, reduce and 3x3x3, behind the pooling; or a pooling
_S3D_BLOCKS: tuple[tuple[int, ...] | str, ...] = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    "pool3",
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    "pool2",
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


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


def _separable(b: NetworkBuilder, x: str, channels: int, kernel: int, stride: int, name: str) -> str:
    """Add a spatial and a temporal convolution with as many channels between them, each normalised and rectified."""
    pad = kernel // 2
    with b.scope(name):
        shape = {"stride": (1, stride, stride), "padding": (0, pad, pad)}
        x = b.relu(b.conv(x, channels, (1, kernel, kernel), bn=True, name="space", **shape))  # type: ignore[arg-type]
        shape = {"stride": (stride, 1, 1), "padding": (pad, 0, 0)}
        return b.relu(b.conv(x, channels, (kernel, 1, 1), bn=True, name="time", **shape))  # type: ignore[arg-type]


def _inception(b: NetworkBuilder, x: str, widths: tuple[int, ...]) -> str:
    """Add the four branches of an inception block and their concatenation."""

    def point(y: str, channels: int, name: str) -> str:
        return b.relu(b.conv(y, channels, 1, bn=True, name=name))

    first = point(x, widths[0], "branch0")
    second = _separable(b, point(x, widths[1], "branch1.reduce"), widths[2], 3, 1, "branch1")
    third = _separable(b, point(x, widths[3], "branch2.reduce"), widths[4], 3, 1, "branch2")
    last = point(b.max_pool(x, 3, 1, 1, name="branch3.pool"), widths[5], "branch3")
    return b.concat(first, second, third, last, name="concat")


def s3d(batch: int = 1, frames: int = 16, image: int = 224, classes: int = 400) -> Network:
    """Return S3D on clips of shape (batch, 3, frames, image, image); `frames` >= 14, `image` >= 193."""
    b = NetworkBuilder("s3d", S3D_SOURCE)
    x = _separable(b, b.input("clip", (batch, 3, frames, image, image)), 64, 7, 2, "stem1")
    x = b.max_pool(x, (1, 3, 3), (1, 2, 2), (0, 1, 1), name="pool1")
    x = b.relu(b.conv(x, 64, 1, bn=True, name="stem2"))
    x = b.max_pool(_separable(b, x, 192, 3, 1, "stem3"), (1, 3, 3), (1, 2, 2), (0, 1, 1), name="pool2")
    for index, row in enumerate(_S3D_BLOCKS):
        with b.scope(f"block{index}"):
            if row == "pool3":
                x = b.max_pool(x, 3, 2, 1, name="pool")
            elif row == "pool2":
                x = b.max_pool(x, 2, 2, 0, name="pool")
            else:
                assert not isinstance(row, str)
                x = _inception(b, x, row)
    x = b.conv(b.avg_pool(x, (2, 7, 7), 1, name="avgpool"), classes, 1, name="classifier")
    return b.build(b.reduce(x, "reduce_mean", (2, 3, 4), name="mean"))


ENTRIES = (
    Entry("r2plus1d_18", "R(2+1)D-18 video classifier, 16 frames of 112 x 112", SOURCE, r2plus1d_18),
    Entry("s3d", "S3D video classifier, 16 frames of 224 x 224", S3D_SOURCE, s3d),
)
