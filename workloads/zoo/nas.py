"""Searched networks: DARTS, NASNet-A, AmoebaNet-D and PNASNet-5, cell for cell.

ReLUs before the operations of a cell are one layer per tensor. Path dropout and auxiliary heads train the networks
only and are left out. The genotypes are the published ones, restated here in one notation (`nas_cells.Genotype`).
"""

from __future__ import annotations

from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.network import Network
from workloads.zoo.entry import Entry
from workloads.zoo.nas_cells import CellBuilder, Genotype

DARTS_SOURCE = (
    "Liu et al., arXiv:1806.09055; GitHub quark0/darts cnn/genotypes.py DARTS_V2, cnn/model.py NetworkImageNet"
)
NASNET_SOURCE = "Zoph et al., arXiv:1707.07012; GitHub huggingface/pytorch-image-models timm/models/nasnet.py, 6 @ 4032"
PNASNET_SOURCE = (
    "Liu et al., arXiv:1712.00559; GitHub huggingface/pytorch-image-models timm/models/pnasnet.py, 4 @ 4320"
)
AMOEBA_SOURCE = (
    "Real et al., arXiv:1802.01548; Huang et al., arXiv:1811.06965 (L, D) = (18, 208); GitHub kakaobrain/torchgpipe "
    "benchmarks/models/amoebanet (its concat of the normal cell; max pooling as the genotype names it)"
)

_DARTS_NORMAL = Genotype(
    (
        (("sep3", 0), ("sep3", 1)),
        (("sep3", 0), ("sep3", 1)),
        (("sep3", 1), ("skip", 0)),
        (("skip", 0), ("dil3", 2)),
    ),
    (2, 3, 4, 5),
)
_DARTS_REDUCE = Genotype(
    (
        (("max3", 0), ("max3", 1)),
        (("skip", 2), ("max3", 1)),
        (("max3", 0), ("skip", 2)),
        (("skip", 2), ("max3", 1)),
    ),
    (2, 3, 4, 5),
)
_NASNET_NORMAL = Genotype(
    (
        (("sep5", 1), ("sep3", 0)),
        (("sep5", 0), ("sep3", 0)),
        (("avg3", 1), ("skip", 0)),
        (("avg3", 0), ("avg3", 0)),
        (("sep3", 1), ("skip", 1)),
    ),
    (0, 2, 3, 4, 5, 6),
)
_NASNET_REDUCE = Genotype(
    (
        (("sep5", 1), ("sep7", 0)),
        (("max3", 1), ("sep7", 0)),
        (("avg3", 1), ("sep5", 0)),
        (("avg3", 2), ("skip", 3)),
        (("sep3", 2), ("max3", 1)),
    ),
    (3, 4, 5, 6),
)
_PNASNET = Genotype(
    (
        (("sep5", 0), ("max3", 0)),
        (("sep7", 1), ("max3", 1)),
        (("sep5", 1), ("sep3", 1)),
        (("sep3", 4), ("max3", 1)),
        (("sep3", 0), ("skip_or_conv1", 1)),
    ),
    (2, 3, 4, 5, 6),
)
_AMOEBA_NORMAL = Genotype(
    (
        (("conv1", 1), ("max3", 1)),
        (("skip", 1), ("bottle1x7", 0)),
        (("conv1", 0), ("bottle1x7", 0)),
        (("max3", 2), ("skip", 2)),
        (("avg3", 1), ("conv1", 5)),
    ),
    (0, 3, 4, 6),
)
_AMOEBA_REDUCE = Genotype(
    (
        (("max2", 0), ("max3", 0)),
        (("skip", 2), ("bottle3", 1)),
        (("bottle1x7", 2), ("max3", 2)),
        (("skip", 3), ("max2", 1)),
        (("avg3", 2), ("conv1", 3)),
    ),
    (4, 5, 6),
)


def _classifier(b: NetworkBuilder, x: str, classes: int) -> Network:
    return b.build(b.linear(b.flatten(b.global_avg_pool(x, name="avgpool")), classes, name="fc"))


def _even_image(name: str, image: int) -> None:
    """Refuse an image that its factorised reductions cannot halve evenly."""
    if image % 32:
        raise InputError(f"workload '{name}': image is {image}, bound is a multiple of 32; round it")


def darts(batch: int = 1, image: int = 224, classes: int = 1000, layers: int = 14, channels: int = 48) -> Network:
    """Return the ImageNet network of the cell DARTS_V2: `layers` cells, two of them halving the resolution."""
    _even_image("darts", image)
    if channels % 2 or layers < 3:
        raise InputError(
            f"workload 'darts': {layers} layers of {channels} channels, bound is >= 3 and even; correct it"
        )
    b = NetworkBuilder("darts", DARTS_SOURCE)
    cells = CellBuilder(b, same=False)
    x = b.conv(
        b.input("image", (batch, 3, image, image)), channels // 2, 3, stride=2, padding=1, bn=True, name="stem0a"
    )
    before = b.conv(b.relu(x), channels, 3, stride=2, padding=1, bn=True, name="stem0b")
    now = cells.conv(before, channels, 3, 2, name="stem1")
    halved = True
    for index in range(layers):
        reduce = index in (layers // 3, 2 * layers // 3)
        channels *= 1 + reduce
        with b.scope(f"cell{index}"):
            prepare = cells.factorized if halved else cells.conv
            left = prepare(before, channels, name="prepare0")
            right = cells.conv(now, channels, name="prepare1")
            out = cells.cell(_DARTS_REDUCE if reduce else _DARTS_NORMAL, left, right, 1 + reduce)
        before, now, halved = now, out, reduce
    return _classifier(b, now, classes)


def nasnet_large(batch: int = 1, image: int = 331, classes: int = 1000, cells: int = 6) -> Network:
    """Return NASNet-A large: three runs of `cells` normal cells, a reduction between two runs, two in the stem."""
    b = NetworkBuilder("nasnet_large", NASNET_SOURCE)
    add = CellBuilder(b, same=True)
    stem = b.conv(b.input("image", (batch, 3, image, image)), 96, 3, stride=2, bn=True, name="conv0")
    with b.scope("stem0"):
        right = add.conv(stem, 42, name="conv_1x1")
        now = _nasnet_first_stem(add, stem, right, 42)
    with b.scope("stem1"):
        left, right = add.factorized(stem, 84, "prepare0"), add.conv(now, 84, name="prepare1")
        before, now = now, add.cell(_NASNET_REDUCE, left, right, 2)
    for run, channels in enumerate((168, 336, 672)):
        halved = True
        if run:
            with b.scope(f"reduction{run - 1}"):
                left, right = add.conv(before, channels, name="prepare0"), add.conv(now, channels, name="prepare1")
                # the cell behind a reduction reads the reduction and, as its older input, what the reduction read last
                before, now = before, add.cell(_NASNET_REDUCE, left, right, 2)
        for index in range(cells):
            with b.scope(f"cell{run * cells + index}"):
                prepare = add.factorized if halved else add.conv
                left = prepare(before, channels, name="prepare0")
                right = add.conv(now, channels, name="prepare1")
                out = add.cell(_NASNET_NORMAL, left, right, 1)
            before, now, halved = now, out, False
    return _classifier(b, add.relu(now), classes)


def _nasnet_first_stem(add: CellBuilder, stem: str, right: str, channels: int) -> str:
    """Add the first cell, whose older input is the stem itself with its own number of channels."""
    b = add.b

    def from_stem(kernel: int, name: str) -> str:
        return add.separable(stem, channels, kernel, 2, channels, name)

    first = b.add(add.operation("sep5", right, 2, "node0.a"), from_stem(7, "node0.b"), name="node0.sum")
    second = b.add(add.operation("max3", right, 2, "node1.a"), from_stem(7, "node1.b"), name="node1.sum")
    third = b.add(add.operation("avg3", right, 2, "node2.a"), from_stem(5, "node2.b"), name="node2.sum")
    fourth = b.add(add.operation("avg3", first, 1, "node3.a"), second, name="node3.sum")
    fifth = b.add(
        add.operation("sep3", first, 1, "node4.a"), add.operation("max3", right, 2, "node4.b"), name="node4.sum"
    )
    return b.concat(second, third, fourth, fifth, name="join")


def pnasnet_large(batch: int = 1, image: int = 331, classes: int = 1000) -> Network:
    """Return PNASNet-5 large: two stem cells, then runs of 4, 4 and 4 cells; the first of the later runs halves."""
    b = NetworkBuilder("pnasnet_large", PNASNET_SOURCE)
    add = CellBuilder(b, same=True)
    stem = b.conv(b.input("image", (batch, 3, image, image)), 96, 3, stride=2, bn=True, name="conv0")
    with b.scope("stem0"):
        now = _pnasnet_first_stem(add, stem, add.conv(stem, 54, name="conv_1x1"), 54)
    before, halved = stem, True  # the older input has twice the resolution
    plan = [("stem1", 108, 2)]
    plan += [(f"cell{index}", 216 << index // 4, 2 if index in (4, 8) else 1) for index in range(12)]
    for name, channels, stride in plan:
        with b.scope(name):
            prepare = add.factorized if halved else add.conv
            left, right = prepare(before, channels, name="prepare0"), add.conv(now, channels, name="prepare1")
            out = add.cell(_PNASNET, left, right, stride)
        before, now, halved = now, out, stride == 2
    return _classifier(b, add.relu(now), classes)


def _pnasnet_first_stem(add: CellBuilder, stem: str, right: str, channels: int) -> str:
    """Add the first cell, whose older input is the stem itself with its own number of channels."""
    b = add.b
    pooled = add.pool(stem, "max", 3, 2, "node0.pool")
    parts = [
        (
            add.separable(stem, channels, 5, 2, channels, "node0.a"),
            b.conv(pooled, channels, 1, bn=True, name="node0.b"),
        ),
        (add.operation("sep7", right, 2, "node1.a"), add.operation("max3", right, 2, "node1.b")),
        (add.operation("sep5", right, 2, "node2.a"), add.operation("sep3", right, 2, "node2.b")),
    ]
    sums = [b.add(*pair, name=f"node{i}.sum") for i, pair in enumerate(parts)]
    fourth = add.operation("sep3", sums[2], 1, "node3.a"), add.operation("max3", right, 2, "node3.b")
    fifth = add.separable(stem, channels, 3, 2, channels, "node4.a"), add.operation("conv1", right, 2, "node4.b")
    sums += [b.add(*fourth, name="node3.sum"), b.add(*fifth, name="node4.sum")]
    return b.concat(*sums, name="join")


def amoebanet_d(batch: int = 1, image: int = 224, classes: int = 1000, layers: int = 18, filters: int = 208) -> Network:
    """Return AmoebaNet-D (L, D) = (`layers`, `filters`): two reductions in the stem, then three runs of L / 3 cells."""
    _even_image("amoebanet_d", image)
    if layers % 3 or filters % 16:
        raise InputError(
            f"workload 'amoebanet_d': layers is {layers}, filters is {filters}, bounds are multiples of 3 and of 16; "
            "correct them"
        )
    b = NetworkBuilder("amoebanet_d", AMOEBA_SOURCE)
    add = CellBuilder(b, same=False)
    channels = filters // 4
    before = now = add.conv(b.input("image", (batch, 3, image, image)), channels, 3, 2, name="stem")
    halved = False
    plan = [("stem2", True), ("stem3", True)]
    for run in range(3):
        plan += [(f"reduction{run}", True)] if run else []
        plan += [(f"cell{run}.{index}", False) for index in range(layers // 3)]
    for name, reduce in plan:
        channels *= 1 + reduce
        with b.scope(name):
            right = add.conv(now, channels, name="prepare1")
            left = before
            if halved:
                left = add.factorized(before, channels, "prepare2")
            elif b.shape(before)[1] != channels:
                left = add.conv(before, channels, name="prepare2")
            # its states are numbered from the newer input
            out = add.cell(_AMOEBA_REDUCE if reduce else _AMOEBA_NORMAL, right, left, 1 + reduce)
        before, now, halved = now, out, reduce
    return _classifier(b, now, classes)


ENTRIES = (
    Entry("darts", "DARTS (second order) for ImageNet, 14 cells, 224 x 224", DARTS_SOURCE, darts),
    Entry("nasnet_large", "NASNet-A large (6 @ 4032), 331 x 331", NASNET_SOURCE, nasnet_large),
    Entry("amoebanet_d", "AmoebaNet-D (18, 208), 224 x 224", AMOEBA_SOURCE, amoebanet_d),
    Entry("pnasnet_large", "PNASNet-5 large (4 @ 4320), 331 x 331", PNASNET_SOURCE, pnasnet_large),
)
