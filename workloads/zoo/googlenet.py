"""GoogLeNet with batch normalisation."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = (
    "Szegedy et al., arXiv:1409.4842 with batch normalisation; torchvision 0.29.2 torchvision/models/googlenet.py, "
    "whose third branch is 3x3, without the training-time side heads"
)
_MODULES = (
    ("3a", 64, 96, 128, 16, 32, 32),
    ("3b", 128, 128, 192, 32, 96, 64),
    ("pool3", 3),
    ("4a", 192, 96, 208, 16, 48, 64),
    ("4b", 160, 112, 224, 24, 64, 64),
    ("4c", 128, 128, 256, 24, 64, 64),
    ("4d", 112, 144, 288, 32, 64, 64),
    ("4e", 256, 160, 320, 32, 128, 128),
    ("pool4", 2),
    ("5a", 256, 160, 320, 32, 128, 128),
    ("5b", 384, 192, 384, 48, 128, 128),
)


def googlenet(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return GoogLeNet as it runs at inference."""
    b = NetworkBuilder("googlenet", SOURCE)

    def conv(x: str, channels: int, kernel: int, stride: int, padding: int, name: str) -> str:
        return b.relu(b.conv(x, channels, kernel, stride=stride, padding=padding, bn=True, name=name))

    x = conv(b.input("image", (batch, 3, image, image)), 64, 7, 2, 3, "conv1")
    x = b.max_pool(x, 3, 2, ceil_mode=True, name="pool1")
    x = conv(conv(x, 64, 1, 1, 0, "conv2"), 192, 3, 1, 1, "conv3")
    x = b.max_pool(x, 3, 2, ceil_mode=True, name="pool2")
    for name, *sizes in _MODULES:
        if len(sizes) == 1:
            x = b.max_pool(x, sizes[0], 2, ceil_mode=True, name=name)
            continue
        one, three_in, three, five_in, five, pooled = sizes
        with b.scope(f"inception{name}"):
            branches = [
                conv(x, one, 1, 1, 0, "branch1"),
                conv(conv(x, three_in, 1, 1, 0, "branch2.reduce"), three, 3, 1, 1, "branch2"),
                conv(conv(x, five_in, 1, 1, 0, "branch3.reduce"), five, 3, 1, 1, "branch3"),
                conv(b.max_pool(x, 3, 1, 1, ceil_mode=True), pooled, 1, 1, 0, "branch4"),
            ]
            x = b.concat(*branches)
    x = b.flatten(b.global_avg_pool(x, name="avgpool"))
    return b.build(b.linear(x, classes, name="fc"))


ENTRIES = (Entry("googlenet", "GoogLeNet (inception v1) with batch normalisation, 224 x 224", SOURCE, googlenet),)
