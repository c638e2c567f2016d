"""Adder-tree arrays: cycles and traffic of single layers, and what the buffer decides."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from hw_models.dot_array import DotArray
from mappers.passes.dot_array import plan_dot_array
from mappers.passes.plan import ConvShape, shapes_of
from mappers.passes.weight_tiles import plan_weight_tiles
from sim.passes import run_passes
from workloads.errors import InputError
from workloads.zoo import load

ARRAY = DotArray("a", Fraction(1000), 1, 16, 128, 512 * 1024, 32 * 1024, Fraction(10), align_elements=16)
SHAPE = ConvShape("x", 1, 1, 64, 256, 56, 56, 1, 1, 1, 56, 56)


def test_cycles_count_idle_lanes_and_traffic_counts_stored_channels() -> None:
    plan = plan_dot_array(SHAPE, ARRAY)
    assert plan.busy_cycles["array"] == 4 * 56 * 56 * 2
    assert plan.traffic_bytes["dram"] == {
        "input": 64 * 3136, "weight": 64 * 256, "operand": 0, "output": 256 * 3136,
    }  # fmt: skip
    narrow = plan_dot_array(replace(SHAPE, channels=3), ARRAY)
    assert narrow.busy_cycles["array"] == 56 * 56 * 2
    assert narrow.traffic_bytes["dram"]["input"] == 16 * 3136


def test_a_pixel_group_does_not_cross_a_row() -> None:
    wide = replace(ARRAY, pixels=8)
    shape = replace(SHAPE, height=14, width=14, out_height=14, out_width=14)
    assert plan_dot_array(shape, wide).busy_cycles["array"] == 14 * 2 * 4 * 2


@pytest.mark.parametrize(("kib", "resident", "reads"), [(1024, "image", 1), (512, "neither", 2), (640, "weights", 1)])
def test_the_buffer_decides_how_often_the_image_is_read(kib: int, resident: str, reads: int) -> None:
    shape = ConvShape("x", 1, 1, 1024, 512, 28, 28, 1, 1, 1, 28, 28)
    array = replace(ARRAY, buffer_bytes=kib * 1024)
    plan = plan_dot_array(shape, array)
    assert (plan.mapping.resident, plan.mapping.image_reads) == (resident, reads)  # type: ignore[attr-defined]
    assert plan.traffic_bytes["dram"]["input"] == reads * 784 * 1024


def test_winograd_and_reuse_and_overlap_each_matter() -> None:
    shape = ConvShape("x", 1, 1, 64, 128, 28, 28, 3, 3, 1, 28, 28)
    plain, fast = plan_dot_array(shape, ARRAY), plan_dot_array(shape, replace(ARRAY, winograd=True))
    assert plain.busy_cycles["array"] * 4 == fast.busy_cycles["array"] * 9
    assert plain.traffic_bytes["dram"]["weight"] * 16 == fast.traffic_bytes["dram"]["weight"] * 9
    dense = ConvShape("fc", 1, 1, 2048, 1000, 1, 1, 1, 1, 1, 1, 1)
    alone, shared = plan_dot_array(dense, ARRAY), plan_dot_array(dense, ARRAY, weight_reuse=16)
    assert alone.traffic_bytes["dram"]["weight"] == 16 * shared.traffic_bytes["dram"]["weight"]
    assert shared.busy_cycles["array"] == 1000
    apart = run_passes(plan_dot_array(shape, replace(ARRAY, overlap=False)))
    assert apart.cycles == sum(plain.busy_cycles.values()) > run_passes(plain).cycles
    late = run_passes(plan_dot_array(shape, replace(ARRAY, latency_cycles=100)))
    assert late.stall_cycles["latency"] > 0
    adding = replace(ARRAY, element_lanes=16)
    assert (
        plan_dot_array(replace(shape, operand=True), adding).busy_cycles["array"]
        == plain.busy_cycles["array"] + 128 * 784 // 16
    )


def test_shapes_of_a_network_fuse_sums_and_pools() -> None:
    shapes = {shape.name: shape for shape in shapes_of(load("resnet50"))}
    assert sum(shape.macs for shape in shapes.values()) == 4_089_184_256
    assert sum(shape.operand for shape in shapes.values()) == 16
    assert shapes["conv1"].stored == (56, 56)
    assert not shapes["layer1.0.conv1"].operand


def test_weight_tiles_are_fetched_whole() -> None:
    plan = plan_weight_tiles("x", 200, 4352, 4352, 256, 256, Fraction(340, 7))
    run = run_passes(plan)
    assert plan.traffic_bytes["dram"]["weight"] == 17 * 17 * 65536
    assert run.stall_cycles["fetch"] > run.compute_cycles == 17 * 17 * 200


def test_bad_arrays_are_refused() -> None:
    for changes, message in (
        ({"pixels": 0}, "pixels is 0, bound is >= 1"),
        ({"bank_bytes": 3000}, "must divide buffer_bytes"),
        ({"memory_bytes_per_cycle": Fraction(0)}, "bound is > 0"),
        ({"latency_cycles": -1}, "latency_cycles"),
    ):
        with pytest.raises(InputError, match=message):
            replace(ARRAY, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="kernels is 0"):
        replace(SHAPE, kernels=0)
    with pytest.raises(InputError, match="m is 0"):
        plan_weight_tiles("x", 0, 1, 1, 1, 1, Fraction(1))


def test_depthwise_layers_have_an_engine_of_their_own() -> None:
    shape = ConvShape("dw", 40, 2, 1, 1, 16, 16, 3, 3, 1, 14, 14)
    array = replace(ARRAY, pixels=8, channels=16, kernels=16, depthwise_pixels=4)
    plan = plan_dot_array(shape, array)
    # 2 images of 14 rows of ceil(14 / 4) steps, ceil(40 / 16) groups of channels, nine taps.
    assert plan.busy_cycles["array"] == 2 * 14 * 4 * 3 * 9
    assert plan.traffic_bytes["dram"] == {
        "input": 2 * 48 * 16 * 16, "weight": 48 * 9, "operand": 0, "output": 2 * 48 * 14 * 14
    }  # fmt: skip
    assert plan.macs == shape.macs
    without = plan_dot_array(shape, replace(array, depthwise_pixels=0))
    assert without.busy_cycles["array"] == 40 * 2 * 14 * 2 * 9
    assert without.traffic_bytes["dram"]["input"] == 40 * 2 * 16 * 16 * 16
    full = replace(shape, groups=1, channels=40, kernels=40)
    assert plan_dot_array(full, array) == plan_dot_array(full, replace(array, depthwise_pixels=0))
    with pytest.raises(InputError, match="depthwise_pixels is -1, bound is >= 0"):
        replace(array, depthwise_pixels=-1)
