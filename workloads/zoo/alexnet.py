"""AlexNet in its two variants."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

CAFFE = (
    "Krizhevsky et al., NIPS 2012, as in BVLC Caffe bvlc_alexnet (grouped); convolutions 665 784 864 MACs, the layers "
    "of Chen et al., ISSCC 2016"
)
TORCHVISION = "torchvision 0.29.2 torchvision/models/alexnet.py (single tower, 64 filters)"


def _head(b: NetworkBuilder, x: str, classes: int) -> Network:
    x = b.relu(b.linear(b.flatten(x), 4096, name="fc6"))
    x = b.relu(b.linear(x, 4096, name="fc7"))
    return b.build(b.linear(x, classes, name="fc8"))


def alexnet_caffe(batch: int = 1, image: int = 227, classes: int = 1000) -> Network:
    """Return the grouped AlexNet with local response normalisation."""
    b = NetworkBuilder("alexnet_caffe", CAFFE)
    x = b.relu(b.conv(b.input("image", (batch, 3, image, image)), 96, 11, stride=4, name="conv1"))
    x = b.max_pool(b.lrn(x, 5, name="norm1"), 3, 2, ceil_mode=True, name="pool1")
    x = b.relu(b.conv(x, 256, 5, padding=2, groups=2, name="conv2"))
    x = b.max_pool(b.lrn(x, 5, name="norm2"), 3, 2, ceil_mode=True, name="pool2")
    x = b.relu(b.conv(x, 384, 3, padding=1, name="conv3"))
    x = b.relu(b.conv(x, 384, 3, padding=1, groups=2, name="conv4"))
    x = b.relu(b.conv(x, 256, 3, padding=1, groups=2, name="conv5"))
    return _head(b, b.max_pool(x, 3, 2, ceil_mode=True, name="pool5"), classes)


def alexnet(batch: int = 1, classes: int = 1000) -> Network:
    """Return the single-tower AlexNet for 224 x 224 images (other sizes need an adaptive pooling)."""
    b = NetworkBuilder("alexnet", TORCHVISION)
    x = b.relu(b.conv(b.input("image", (batch, 3, 224, 224)), 64, 11, stride=4, padding=2, name="conv1"))
    x = b.max_pool(x, 3, 2, name="pool1")
    x = b.max_pool(b.relu(b.conv(x, 192, 5, padding=2, name="conv2")), 3, 2, name="pool2")
    for name, channels in (("conv3", 384), ("conv4", 256), ("conv5", 256)):
        x = b.relu(b.conv(x, channels, 3, padding=1, name=name))
    return _head(b, b.max_pool(x, 3, 2, name="pool5"), classes)


ENTRIES = (
    Entry("alexnet_caffe", "AlexNet, grouped, 227 x 227", CAFFE, alexnet_caffe),
    Entry("alexnet", "AlexNet, single tower, 224 x 224", TORCHVISION, alexnet),
)
