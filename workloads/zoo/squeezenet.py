"""SqueezeNet 1.0."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Iandola et al., arXiv:1602.07360; torchvision 0.29.2 torchvision/models/squeezenet.py, version 1_0"
# (squeeze, expand) filters of the fire modules; None is a pooling
_FIRES = ((16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None, (64, 256))


def squeezenet(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return SqueezeNet 1.0; the classifier is a 1x1 convolution before the global average."""
    b = NetworkBuilder("squeezenet", SOURCE)
    x = b.relu(b.conv(b.input("image", (batch, 3, image, image)), 96, 7, stride=2, name="conv1"))
    x = b.max_pool(x, 3, 2, ceil_mode=True)
    fire = 1
    for sizes in _FIRES:
        if sizes is None:
            x = b.max_pool(x, 3, 2, ceil_mode=True)
            continue
        fire += 1
        with b.scope(f"fire{fire}"):
            x = b.relu(b.conv(x, sizes[0], 1, name="squeeze"))
            one = b.relu(b.conv(x, sizes[1], 1, name="expand1x1"))
            three = b.relu(b.conv(x, sizes[1], 3, padding=1, name="expand3x3"))
            x = b.concat(one, three)
    x = b.relu(b.conv(x, classes, 1, name="conv10"))
    return b.build(b.flatten(b.global_avg_pool(x, name="avgpool")))


ENTRIES = (Entry("squeezenet", "SqueezeNet 1.0, 224 x 224", SOURCE, squeezenet),)
