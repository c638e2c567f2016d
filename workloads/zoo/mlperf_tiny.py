"""The four MLPerf Tiny networks. Biases of convolutions before a batch normalisation are folded into its own."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.mobilenet import V1_BLOCKS

_REPOSITORY = "GitHub mlcommons/tiny @1afd2c9"
KWS_SOURCE = f"{_REPOSITORY} training/keyword_spotting/keras_model.py (DS-CNN)"
VWW_SOURCE = f"{_REPOSITORY} training/visual_wake_words (MobileNet V1, width 0.25)"
IC_SOURCE = f"{_REPOSITORY} training/image_classification/keras_model.py (ResNet v1); 16 filters is our default"
AD_SOURCE = f"{_REPOSITORY} training/anomaly_detection/keras_model.py (dense autoencoder)"


def tiny_kws(batch: int = 1) -> Network:
    """Return the keyword spotter: DS-CNN on 49 x 10 features."""
    b = NetworkBuilder("tiny_kws", KWS_SOURCE)
    x = b.conv(b.input("features", (batch, 1, 49, 10)), 64, (10, 4), stride=2, padding="same", bn=True, name="conv1")
    x = b.relu(x)
    for block in range(1, 5):
        with b.scope(f"block{block}"):
            x = b.relu(b.conv(x, 64, 3, padding=1, groups=64, bn=True, name="dw"))
            x = b.relu(b.conv(x, 64, 1, bn=True, name="pw"))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), 12, name="fc"))


def tiny_vww(batch: int = 1, image: int = 96) -> Network:
    """Return the person detector: MobileNet V1 of a quarter width."""
    b = NetworkBuilder("tiny_vww", VWW_SOURCE)
    x = b.conv(b.input("image", (batch, 3, image, image)), 8, 3, stride=2, padding="same", bn=True, name="conv1")
    x = b.relu(x)
    for index, (filters, stride) in enumerate(V1_BLOCKS, 1):
        with b.scope(f"block{index}"):
            channels = b.shape(x)[1]
            x = b.conv(x, channels, 3, stride=stride, padding="same", groups=channels, bn=True, name="dw")
            x = b.relu(b.conv(b.relu(x), filters // 4, 1, bn=True, name="pw"))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), 2, name="fc"))


def tiny_ic(batch: int = 1, filters: int = 16) -> Network:
    """Return the image classifier: ResNet v1 with three stacks of one block (ResNet-8) on 32 x 32 images."""
    b = NetworkBuilder("tiny_ic", IC_SOURCE)
    x = b.relu(b.conv(b.input("image", (batch, 3, 32, 32)), filters, 3, padding="same", bn=True, name="conv1"))
    for stack in range(3):
        with b.scope(f"stack{stack + 1}"):
            channels, stride = filters << stack, 2 if stack else 1
            y = b.relu(b.conv(x, channels, 3, stride=stride, padding="same", bn=True, name="conv1"))
            y = b.conv(y, channels, 3, padding="same", bn=True, name="conv2")
            if stack:
                x = b.conv(x, channels, 1, stride=stride, name="shortcut")
            x = b.relu(b.add(x, y))
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), 10, name="fc"))


def tiny_ad(batch: int = 1) -> Network:
    """Return the anomaly detector: a dense autoencoder 640 - 4 x 128 - 8 - 4 x 128 - 640."""
    b = NetworkBuilder("tiny_ad", AD_SOURCE)
    x = b.input("spectrum", (batch, 640))
    for index, width in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128), 1):
        x = b.relu(b.linear(x, width, bn=True, name=f"fc{index}"))
    return b.build(b.linear(x, 640, name="fc10"))


ENTRIES = (
    Entry("tiny_kws", "MLPerf Tiny keyword spotting: DS-CNN, 49 x 10", KWS_SOURCE, tiny_kws),
    Entry("tiny_vww", "MLPerf Tiny visual wake words: MobileNet V1 0.25, 96 x 96", VWW_SOURCE, tiny_vww),
    Entry("tiny_ic", "MLPerf Tiny image classification: ResNet-8, 32 x 32", IC_SOURCE, tiny_ic),
    Entry("tiny_ad", "MLPerf Tiny anomaly detection: autoencoder of 640", AD_SOURCE, tiny_ad),
)
