"""A YOLO-class detector: YOLOv3-tiny."""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "Redmon and Farhadi, arXiv:1804.02767; darknet cfg/yolov3-tiny.cfg"


def yolov3_tiny(batch: int = 1, image: int = 416, classes: int = 80) -> Network:
    """Return YOLOv3-tiny with its two detection maps of 3 x (classes + 5) channels; box decoding is not a layer."""
    b = NetworkBuilder("yolov3_tiny", SOURCE)

    def conv(x: str, channels: int, kernel: int, name: str) -> str:
        return b.act(b.conv(x, channels, kernel, padding=kernel // 2, bn=True, name=name), "leaky_relu")

    x = b.input("image", (batch, 3, image, image))
    for index, channels in enumerate((16, 32, 64, 128, 256)):
        x = conv(x, channels, 3, f"conv{index}")
        route = x
        x = b.max_pool(x, 2, 2, name=f"pool{index}")
    x = b.max_pool(conv(x, 512, 3, "conv5"), 2, 1, [(0, 1), (0, 1)], name="pool5")
    x = conv(conv(x, 1024, 3, "conv6"), 256, 1, "conv7")
    coarse = b.conv(conv(x, 512, 3, "conv8"), 3 * (classes + 5), 1, name="detect_coarse")
    y = b.resize(conv(x, 128, 1, "conv9"), b.shape(route)[2:], "nearest", name="upsample")
    y = conv(b.concat(y, route), 256, 3, "conv10")
    return b.build(coarse, b.conv(y, 3 * (classes + 5), 1, name="detect_fine"))


ENTRIES = (Entry("yolov3_tiny", "YOLOv3-tiny detector, 416 x 416, 80 classes", SOURCE, yolov3_tiny),)
