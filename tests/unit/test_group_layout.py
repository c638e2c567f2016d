"""What is fused, what vanishes and where tensors lie."""

from __future__ import annotations

import pytest

from hw_models.description import load_accelerator
from mappers.dram_layout import Layout, make_layout
from mappers.group import Group, make_groups
from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo import load

CORE = load_accelerator("edge_int8").core


def _groups(network: Network) -> tuple[tuple[Group, ...], Layout]:
    layout = make_layout(network, 1)
    return make_groups(network, layout, CORE), layout


def _builder(channels: int = 8, size: int = 8) -> tuple[NetworkBuilder, str]:
    b = NetworkBuilder("case", "test")
    return b, b.input("x", (1, channels, size, size))


def test_resnet50_groups() -> None:
    groups, layout = _groups(load("resnet50"))
    assert len(groups) == 55  # 53 convolutions, the overlapping pooling, the classifier
    by_name = {g.lead.name: g for g in groups}
    assert by_name["layer1.0.conv3"].names == ()  # its sum waits for the branch that comes after it
    down = by_name["layer1.0.downsample"]
    assert [layer.op for layer in down.fused] == ["add", "relu"] and down.residual == "layer1.0.conv3.out"
    last = by_name["layer4.2.conv3"]
    assert [layer.op for layer in last.fused] == ["add", "relu", "avg_pool"] and last.pool is not None
    assert by_name["maxpool"].kind == "vector unit"
    assert not layout.copies


def test_every_layer_is_in_one_group_or_free() -> None:
    for name in ("mobilenet_v3_small", "densenet121", "bert_base", "gpt2_decode", "unet"):
        network = load(name)
        groups, layout = _groups(network)
        grouped = [layer.name for g in groups for layer in (g.lead, *g.fused)]
        free = [layer.name for layer in network.layers if layout.is_free(layer)]
        assert sorted(grouped + free) == sorted(layer.name for layer in network.layers)


def test_an_output_with_two_readers_ends_its_group() -> None:
    b, x = _builder()
    y = b.conv(x, 8, 3, padding=1, name="conv")
    z = b.build(b.add(b.relu(y), b.act(y, "sigmoid")))
    groups, _ = _groups(z)
    assert groups[0].fused == ()


def test_an_operand_of_another_shape_is_not_fused() -> None:
    b, x = _builder()
    gate = b.act(b.conv(b.global_avg_pool(x), 8, 1, name="squeeze"), "sigmoid")
    groups, _ = _groups(b.build(b.mul(x, gate)))
    assert [g.lead.op for g in groups] == ["avg_pool", "conv", "mul"]
    assert groups[1].special_passes == 1  # a sigmoid is answered from a table in one pass


def test_a_network_output_is_not_fused_away() -> None:
    b, x = _builder()
    y = b.conv(x, 8, 1, name="conv")
    groups, _ = _groups(b.build(y, b.relu(y)))
    assert groups[0].fused == () and len(groups) == 2


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "fused"), [(2, 2, 0, True), (3, 2, 1, False), (2, 1, 0, False), (3, 3, 0, False)]
)
def test_only_pools_whose_windows_tile_the_plane_are_fused(kernel: int, stride: int, padding: int, fused: bool) -> None:
    b, x = _builder()
    groups, _ = _groups(b.build(b.max_pool(b.conv(x, 4, 1), kernel, stride, padding)))
    assert (len(groups) == 1) == fused


def test_a_plane_larger_than_the_accumulator_is_pooled_by_itself() -> None:
    b, x = _builder(4, 64)
    groups, _ = _groups(b.build(b.global_avg_pool(b.conv(x, 32, 1))))
    assert len(groups) == 2  # 64 x 64 x 32 sums are 512 KiB
    b, x = _builder(4, 8)
    groups, _ = _groups(b.build(b.global_avg_pool(b.conv(x, 32, 1))))
    assert len(groups) == 1


def test_concatenation_is_written_in_place() -> None:
    b, x = _builder()
    left, right = b.conv(x, 8, 1, name="left"), b.conv(x, 24, 1, name="right")
    joined = b.concat(left, right, name="join")
    _, layout = _groups(b.build(b.conv(joined, 4, 1)))
    assert not layout.copies
    assert layout.views["left.out"].storage == layout.views["right.out"].storage == "join.out"
    (transfer,) = layout.views["right.out"].transfers(0, [(0, 1), (0, 24), (0, 8), (0, 8)])
    assert (transfer.address, transfer.run_bytes, transfer.counts, transfer.pitches_bytes) == (8, 24, (64,), (32,))


def test_dense_blocks_share_one_image() -> None:
    layout = make_layout(load("densenet121"), 1)
    assert not layout.copies
    roots = {view.storage for name, view in layout.views.items() if name.startswith("features.denseblock1")}
    assert len([r for r in roots if "concat" in r or "block" in r]) < 20


def test_a_network_input_is_copied_into_a_concatenation() -> None:
    b, x = _builder()
    _, layout = _groups(b.build(b.concat(x, b.conv(x, 8, 1), name="join")))
    assert [name for name, _ in layout.copies["join"]] == ["x"]


def test_images_lie_channels_innermost_and_sequences_row_major() -> None:
    b, x = _builder(3, 4)
    network = b.build(b.conv(x, 4, 1))
    assert make_layout(network, 1).views["x"].axes == ((), ((3, 1),), ((4, 12),), ((4, 3),))
    b = NetworkBuilder("case", "test")
    network = b.build(b.linear(b.input("s", (2, 5, 8)), 4))
    assert make_layout(network, 1).views["s"].axes == (((2, 40),), ((5, 8),), ((8, 1),))


def test_flatten_before_a_classifier_moves_nothing() -> None:
    """The weights of the classifier are packed in the order in which the image lies."""
    from mappers.mac_views import input_view
    from workloads.mac_layers import MacLayer

    b, x = _builder(3, 4)
    y = b.relu(b.conv(x, 6, 3, padding=1, name="conv"))
    network = b.build(b.linear(b.flatten(y), 10, name="fc"))
    layout = make_layout(network, 1)
    assert not layout.copies
    fc = network.layer("fc")
    assert isinstance(fc, MacLayer)
    view = input_view(fc, layout.views[fc.input_tensor])
    (transfer,) = view.transfers(0, (0, 1), (0, 1), (0, 96), [(0, 1), (0, 1), (0, 1)])
    assert (transfer.run_bytes, transfer.counts) == (96, ())
    (part,) = view.transfers(0, (0, 1), (0, 1), (32, 64), [(0, 1), (0, 1), (0, 1)])
    assert (part.run_bytes, part.counts) == (32, ())


def test_a_key_value_cache_grows_in_place() -> None:
    _, layout = _groups(load("gpt2_decode"))
    kept = [name for name in layout.views if "append" in name or "cache" in name]
    assert kept and all(len(copies) == 1 for copies in layout.copies.values())  # the new row, never the old ones
