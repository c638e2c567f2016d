"""ResNet and ResNeXt; the stride of a bottleneck is in its 3x3 convolution (v1.5, as torchvision) unless asked else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.network import Network
from workloads.zoo.entry import Entry

SOURCE = "He et al., arXiv:1512.03385; torchvision 0.29.2 torchvision/models/resnet.py"
RESNEXT_SOURCE = "Xie et al., arXiv:1611.05431, 32x4d; torchvision 0.29.2 torchvision/models/resnet.py"


def _basic(b: NetworkBuilder, x: str, planes: int, stride: int) -> str:
    y = b.relu(b.conv(x, planes, 3, stride=stride, padding=1, bn=True, name="conv1"))
    y = b.conv(y, planes, 3, padding=1, bn=True, name="conv2")
    if stride != 1 or b.shape(x)[1] != planes:
        x = b.conv(x, planes, 1, stride=stride, bn=True, name="downsample")
    return b.relu(b.add(y, x))


@dataclass(frozen=True, slots=True)
class BottleneckForm:
    """What the bottlenecks of ResNets differ in.

    Parameters
    ----------
    groups, group_width : int
        Of the 3x3 convolution (ResNeXt).
    stride_on : {"3x3", "1x1"}
        Convolution that halves the resolution: v1.5, or the first 1x1 as first published.
    shortcut : {"last", "first"}
        Whether the shortcut's convolution is listed, and so executed, behind or before the branch.
    """

    groups: int = 1
    group_width: int = 64
    stride_on: str = "3x3"
    shortcut: str = "last"

    def __post_init__(self) -> None:
        for key, value, allowed in (
            ("stride_on", self.stride_on, ("3x3", "1x1")),
            ("shortcut", self.shortcut, ("last", "first")),
        ):
            if value not in allowed:
                raise InputError(f"resnet: {key} is '{value}', bound is {' or '.join(allowed)}; choose one")


def _bottleneck(b: NetworkBuilder, x: str, planes: int, stride: int, dilation: int, form: BottleneckForm) -> str:
    width = planes * form.group_width // 64 * form.groups
    first, second = (stride, 1) if form.stride_on == "1x1" else (1, stride)
    projected = stride != 1 or b.shape(x)[1] != planes * 4

    def shortcut() -> str:
        return b.conv(x, planes * 4, 1, stride=stride, bn=True, name="downsample") if projected else x

    other = shortcut() if form.shortcut == "first" else ""
    y = b.relu(b.conv(x, width, 1, stride=first, bn=True, name="conv1"))
    y = b.conv(
        *(y, width, 3),
        stride=second,
        padding=dilation,
        dilation=dilation,
        groups=form.groups,
        bn=True,
        name="conv2",
    )
    y = b.conv(b.relu(y), planes * 4, 1, bn=True, name="conv3")
    return b.relu(b.add(y, other or shortcut()))


def resnet_features(
    b: NetworkBuilder,
    x: str,
    blocks: Sequence[int],
    *,
    bottleneck: bool,
    form: BottleneckForm | None = None,
    dilated: bool = False,
) -> list[str]:
    """Add stem and four stages and return the outputs of the stages.

    `dilated` keeps the last two stages at stride 1 and dilates their 3x3 convolutions by 2 and 4 (the first block of a
    stage by the dilation before it), as the segmentation networks of torchvision do.
    """
    x = b.relu(b.conv(x, 64, 7, stride=2, padding=3, bn=True, name="conv1"))
    x = b.max_pool(x, 3, 2, 1, name="maxpool")
    outputs = []
    dilation = 1
    for stage, count in enumerate(blocks):
        first_dilation, stride = dilation, 1 if stage == 0 else 2
        if dilated and stage >= 2:
            dilation, stride = dilation * stride, 1
        for index in range(count):
            step = stride if index == 0 else 1
            with b.scope(f"layer{stage + 1}.{index}"):
                if bottleneck:
                    spread = first_dilation if index == 0 else dilation
                    x = _bottleneck(b, x, 64 << stage, step, spread, form or BottleneckForm())
                else:
                    x = _basic(b, x, 64 << stage, step)
        outputs.append(x)
    return outputs


def _resnet(
    name: str,
    source: str,
    blocks: Sequence[int],
    bottleneck: bool,
    form: BottleneckForm,
    /,
    batch: int = 1,
    image: int = 224,
    classes: int = 1000,
) -> Network:
    b = NetworkBuilder(name, source)
    x = b.input("image", (batch, 3, image, image))
    x = resnet_features(b, x, blocks, bottleneck=bottleneck, form=form)[-1]
    x = b.flatten(b.global_avg_pool(x, name="avgpool"))
    return b.build(b.linear(x, classes, name="fc"))


def _deep_resnet(
    name: str,
    blocks: Sequence[int],
    /,
    batch: int = 1,
    image: int = 224,
    classes: int = 1000,
    stride_on: str = "3x3",
    shortcut: str = "last",
) -> Network:
    form = BottleneckForm(stride_on=stride_on, shortcut=shortcut)
    return _resnet(name, SOURCE, blocks, True, form, batch, image, classes)


def _basic_entry(name: str, summary: str, blocks: Sequence[int]) -> Entry:
    return Entry(name, summary, SOURCE, partial(_resnet, name, SOURCE, blocks, False, BottleneckForm()))


def _deep_entry(name: str, summary: str, blocks: Sequence[int]) -> Entry:
    return Entry(name, summary, SOURCE, partial(_deep_resnet, name, blocks))


ENTRIES = (
    _basic_entry("resnet18", "ResNet-18, 224 x 224", (2, 2, 2, 2)),
    _basic_entry("resnet34", "ResNet-34, 224 x 224", (3, 4, 6, 3)),
    _deep_entry("resnet50", "ResNet-50 v1.5, 224 x 224", (3, 4, 6, 3)),
    _deep_entry("resnet101", "ResNet-101 v1.5, 224 x 224", (3, 4, 23, 3)),
    _deep_entry("resnet152", "ResNet-152 v1.5, 224 x 224", (3, 8, 36, 3)),
    Entry(
        "resnext50",
        "ResNeXt-50 32x4d (32 groups), 224 x 224",
        RESNEXT_SOURCE,
        partial(_resnet, "resnext50", RESNEXT_SOURCE, (3, 4, 6, 3), True, BottleneckForm(32, 4)),
    ),
)
