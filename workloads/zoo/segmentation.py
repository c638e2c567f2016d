"""Segmentation: the original U-Net, FCN and DeepLabV3 on a dilated ResNet-50, LR-ASPP on MobileNet V3."""

from __future__ import annotations

from functools import partial

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.mobilenet import mobilenet_v3_large_dilated
from workloads.zoo.resnet import resnet_features

UNET_SOURCE = (
    "Ronneberger et al., arXiv:1505.04597 Fig. 1: unpadded 3x3 convolutions, cropped skips, 2x2 up-convolutions"
)
FCN_SOURCE = "Long et al., arXiv:1411.4038; torchvision 0.29.2 torchvision/models/segmentation/fcn.py, with side head"
DEEPLAB_SOURCE = (
    "Chen et al., arXiv:1706.05587; torchvision 0.29.2 torchvision/models/segmentation/deeplabv3.py, with side head"
)
LRASPP_SOURCE = (
    "Howard et al., arXiv:1905.02244; torchvision 0.29.2 torchvision/models/segmentation/lraspp.py on the dilated "
    "MobileNet V3 large"
)


def unet(batch: int = 1, image: int = 572, channels: int = 1, classes: int = 2) -> Network:
    """Return the original U-Net; 572 x 572 images give 388 x 388 outputs."""
    b = NetworkBuilder("unet", UNET_SOURCE)

    def double(x: str, width: int) -> str:
        for name in ("conv1", "conv2"):
            x = b.relu(b.conv(x, width, 3, name=name))
        return x

    x = b.input("image", (batch, channels, image, image))
    skips = []
    for level in range(5):
        with b.scope(f"down{level}"):
            x = double(x, 64 << level)
            if level < 4:
                skips.append(x)
                x = b.max_pool(x, 2, name="pool")
    for level in reversed(range(4)):
        with b.scope(f"up{level}"):
            x = b.conv_transpose(x, 64 << level, 2, stride=2, name="upconv")
            skip, size = skips[level], b.shape(x)[2]
            start = (b.shape(skip)[2] - size) // 2
            skip = b.take(b.take(skip, 2, start, start + size), 3, start, start + size)
            x = double(b.concat(skip, x), 64 << level)
    return b.build(b.conv(x, classes, 1, name="head"))


def _fcn_head(b: NetworkBuilder, x: str, classes: int, name: str) -> str:
    with b.scope(name):
        x = b.relu(b.conv(x, b.shape(x)[1] // 4, 3, padding=1, bn=True, name="conv1"))
        return b.conv(x, classes, 1, name="conv2")


def _deeplab_head(b: NetworkBuilder, x: str, classes: int) -> str:
    """Add atrous spatial pyramid pooling (rates 12, 24, 36) and the classifier."""
    with b.scope("classifier"):
        size = b.shape(x)[2:]
        branches = [b.relu(b.conv(x, 256, 1, bn=True, name="aspp0"))]
        for index, rate in enumerate((12, 24, 36), 1):
            y = b.conv(x, 256, 3, padding=rate, dilation=rate, bn=True, name=f"aspp{index}")
            branches.append(b.relu(y))
        y = b.relu(b.conv(b.global_avg_pool(x), 256, 1, bn=True, name="aspp_pool"))
        branches.append(b.resize(y, size, "linear"))
        y = b.relu(b.conv(b.concat(*branches), 256, 1, bn=True, name="project"))
        y = b.relu(b.conv(y, 256, 3, padding=1, bn=True, name="conv1"))
        return b.conv(y, classes, 1, name="conv2")


def _on_resnet50(
    name: str, source: str, /, batch: int = 1, image: int = 520, classes: int = 21, aux: bool = True
) -> Network:
    b = NetworkBuilder(name, source)
    x = b.input("image", (batch, 3, image, image))
    stages = resnet_features(b, x, (3, 4, 6, 3), bottleneck=True, dilated=True)
    head = (
        _fcn_head(b, stages[3], classes, "classifier")
        if name == "fcn_resnet50"
        else _deeplab_head(b, stages[3], classes)
    )
    outputs = [b.resize(head, (image, image), "linear", name="out")]
    if aux:
        side = _fcn_head(b, stages[2], classes, "aux_classifier")
        outputs.append(b.resize(side, (image, image), "linear", name="aux"))
    return b.build(*outputs)


def lraspp(batch: int = 1, image: int = 520, classes: int = 21) -> Network:
    """Return LR-ASPP: a gated 1x1 branch at 1/16 and a classifier at 1/8 of the resolution."""
    b = NetworkBuilder("lraspp_mobilenet_v3_large", LRASPP_SOURCE)
    low, high = mobilenet_v3_large_dilated(b, b.input("image", (batch, 3, image, image)))
    with b.scope("classifier"):
        x = b.relu(b.conv(high, 128, 1, bn=True, name="cbr"))
        gate = b.act(b.conv(b.global_avg_pool(high, name="pool"), 128, 1, bias=False, name="scale"), "sigmoid")
        x = b.resize(b.mul(x, gate), b.shape(low)[2:], "linear", name="up")
        x = b.add(b.conv(low, classes, 1, name="low"), b.conv(x, classes, 1, name="high"))
    return b.build(b.resize(x, (image, image), "linear", name="out"))


ENTRIES = (
    Entry("unet", "U-Net as published, 572 x 572", UNET_SOURCE, unet),
    Entry(
        "fcn_resnet50",
        "FCN on a dilated ResNet-50, 520 x 520",
        FCN_SOURCE,
        partial(_on_resnet50, "fcn_resnet50", FCN_SOURCE),
    ),
    Entry(
        "deeplabv3_resnet50",
        "DeepLabV3 on a dilated ResNet-50, 520 x 520",
        DEEPLAB_SOURCE,
        partial(_on_resnet50, "deeplabv3_resnet50", DEEPLAB_SOURCE),
    ),
    Entry(
        "lraspp_mobilenet_v3_large",
        "LR-ASPP on the dilated MobileNet V3 large, 520 x 520",
        LRASPP_SOURCE,
        lraspp,
    ),
)
