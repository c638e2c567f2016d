"""Vision transformers: ViT-B/16 and DeiT-Tiny."""

from __future__ import annotations

from functools import partial

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.transformer import encoder_block

VIT_SOURCE = "Dosovitskiy et al., arXiv:2010.11929; torchvision 0.29.2 torchvision/models/vision_transformer.py"
DEIT_SOURCE = "Touvron et al., arXiv:2012.12877 Table 1, DeiT-Ti (192, 3 heads, 12 layers), patches of 16"


def _vit(
    name: str, source: str, width: int, heads: int, /, batch: int = 1, image: int = 224, classes: int = 1000
) -> Network:
    if image % 16:
        raise InputError(f"workload '{name}': image is {image}, bound is a multiple of 16; correct it")
    b = NetworkBuilder(name, source)
    patches = (image // 16) ** 2
    x = b.conv(b.input("image", (batch, 3, image, image)), width, 16, stride=16, name="patch")
    x = b.transpose(b.reshape(x, (batch, width, patches)), (0, 2, 1), name="sequence")
    token = b.expand(b.constant("class_token", (1, 1, width)), (batch, 1, width), name="class_tokens")
    x = b.add(b.concat(token, x, axis=1), b.constant("positions", (1, patches + 1, width)))
    for index in range(12):
        with b.scope(f"layer{index}"):
            x = encoder_block(b, x, heads, 4 * width, norm_first=True)
    x = b.reshape(b.take(b.layer_norm(x, name="norm"), 1, 0, 1), (batch, width))
    return b.build(b.linear(x, classes, name="head"))


ENTRIES = (
    Entry("vit_b_16", "ViT-B/16, 224 x 224", VIT_SOURCE, partial(_vit, "vit_b_16", VIT_SOURCE, 768, 12)),
    Entry("deit_tiny", "DeiT-Tiny, 224 x 224", DEIT_SOURCE, partial(_vit, "deit_tiny", DEIT_SOURCE, 192, 3)),
)
