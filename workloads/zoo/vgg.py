"""VGG-16."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Simonyan and Zisserman, arXiv:1409.1556 configuration D; torchvision 0.29.2 torchvision/models/vgg.py"


def vgg16(batch: int = 1, classes: int = 1000) -> Network:
    """Return VGG-16 without batch normalisation, for 224 x 224 images (other sizes need an adaptive pooling)."""
    b = NetworkBuilder("vgg16", SOURCE)
    x = b.input("image", (batch, 3, 224, 224))
    for stage, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for index in range(1, count + 1):
            x = b.relu(b.conv(x, channels, 3, padding=1, name=f"conv{stage}_{index}"))
        x = b.max_pool(x, 2, name=f"pool{stage}")
    x = b.relu(b.linear(b.flatten(x), 4096, name="fc6"))
    x = b.relu(b.linear(x, 4096, name="fc7"))
    return b.build(b.linear(x, classes, name="fc8"))


ENTRIES = (Entry("vgg16", "VGG-16 (configuration D), 224 x 224", SOURCE, vgg16),)
