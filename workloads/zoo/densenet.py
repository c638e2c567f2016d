"""DenseNet-121: batch normalisations stand before convolutions, so only those behind one can be folded."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Huang et al., arXiv:1608.06993; torchvision 0.29.2 torchvision/models/densenet.py"
_GROWTH = 32


def densenet121(batch: int = 1, image: int = 224, classes: int = 1000) -> Network:
    """Return DenseNet-121."""
    b = NetworkBuilder("densenet121", SOURCE)
    x = b.conv(b.input("image", (batch, 3, image, image)), 64, 7, stride=2, padding=3, bn=True, name="conv0")
    x = b.max_pool(b.relu(x), 3, 2, 1, name="pool0")
    for block, count in enumerate((6, 12, 24, 16), 1):
        features = [x]
        for index in range(1, count + 1):
            with b.scope(f"block{block}.layer{index}"):
                y = features[0] if len(features) == 1 else b.concat(*features)
                y = b.conv(b.relu(b.batch_norm(y, name="norm1")), 4 * _GROWTH, 1, bn=True, name="conv1")
                features.append(b.conv(b.relu(y), _GROWTH, 3, padding=1, bias=False, name="conv2"))
        x = b.concat(*features, name=f"block{block}.concat")
        if block < 4:
            with b.scope(f"transition{block}"):
                x = b.relu(b.batch_norm(x, name="norm"))
                x = b.avg_pool(b.conv(x, b.shape(x)[1] // 2, 1, bias=False, name="conv"), 2, name="pool")
    x = b.relu(b.batch_norm(x, name="norm5"))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="classifier"))


ENTRIES = (Entry("densenet121", "DenseNet-121, 224 x 224", SOURCE, densenet121),)
