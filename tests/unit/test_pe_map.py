"""The map of PEs against a walk over every MAC, and the laws it is held to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import tilewright as tw
from mappers.commands import ComputeCommand
from sim.checks import check_result
from sim.pe_map import _macs, pe_macs
from tests.reference.profile import examples
from tests.reference.sim_programs import program_of, small_machine, tile
from tilewright.pe_plot import shares
from workloads.errors import InputError


def walked(
    flow: str, sizes: tuple[int, int, int, int, int], rows: int, cols: int, window: bool
) -> Counter[tuple[int, int]]:
    """Return the MACs of each PE, one at a time, as docs/conventions.md says what rows and columns hold."""
    groups, channels, taps, outputs, pixels = sizes
    count: Counter[tuple[int, int]] = Counter()
    for _ in range(groups):
        for tap in range(taps):
            for channel in range(channels):
                word = tap * channels + channel if window else channel
                for output in range(outputs):
                    for pixel in range(pixels):
                        row = pixel if flow == "os" else word
                        col = pixel if flow == "is" else output
                        count[row % rows, col % cols] += 1
    return count


@settings(max_examples=examples(60))
@given(
    st.sampled_from(["ws", "os", "is"]),
    st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    st.integers(1, 5),
    st.integers(1, 4),
    st.booleans(),
)
def test_each_pe_has_the_macs_of_a_walk(
    flow: str, sizes: tuple[int, int, int, int, int], rows: int, cols: int, window: bool
) -> None:
    groups, channels, taps, outputs, pixels = sizes
    array = replace(small_machine(rows=rows, cols=cols).core.array, reduction_unroll="window" if window else "channel")
    macs = groups * channels * taps * outputs * pixels
    plane = _macs((flow, groups, channels, taps, outputs, pixels, 1), macs, array)
    expected = walked(flow, sizes, rows, cols, window)
    assert {(i, j): int(plane[i, j]) for i, j in np.ndindex(rows, cols) if plane[i, j]} == dict(expected)


def test_a_sparse_array_counts_kept_products_of_a_short_last_group() -> None:
    simulation = tw.simulate("digits", arch="engine_8x8_nm")
    planes = simulation.pe_macs()
    assert [int(plane.sum()) for plane in planes] == [layer.macs for layer in simulation.layers]


@pytest.mark.parametrize("flow", ["ws", "os"])
def test_a_network_sums_to_its_layers_and_shows_the_idle_edge(flow: str) -> None:
    simulation = tw.simulate("lenet", arch="edge_int8", overrides=[f"core.dataflows=[{flow}]"])
    planes = simulation.pe_macs()
    assert [int(plane.sum()) for plane in planes] == [layer.macs for layer in simulation.layers]
    first = planes[0]  # six output channels: no column beyond them works
    assert first[:, 6:].sum() == 0 and first[:, :6].min(initial=1) >= 0 and first[0, 5] > 0
    whole, layers = shares(simulation.to_json())
    assert len(layers) == len(simulation.layers) and len(whole) == 4
    mean = sum(map(sum, whole)) / 16
    assert mean == pytest.approx(simulation.totals.utilisation)


@pytest.mark.parametrize("flow", ["ws", "os", "is"])
def test_planes_of_a_volume_are_told_from_planes_of_its_filter(flow: str, tmp_path: Path) -> None:
    w = numpy_helper.from_array(np.zeros((4, 3, 2, 3, 3), dtype=np.float32), "w")
    x, y = (
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", [1, 3, 5, 5, 5]), ("y", [1, 4, 4, 3, 3]))
    )
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [x], [y], [w])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path / "volume.onnx")
    simulation = tw.simulate(
        tmp_path / "volume.onnx",
        overrides=[f"core.dataflows=[{flow}]", "core.input.banks.count=32", "core.input.banks.word=1B"],
    )
    assert simulation.plan is not None
    array = simulation.plan.accelerator.core.array
    expected: Counter[tuple[int, int]] = Counter()
    for command in simulation.plan.program.commands:
        if isinstance(command, ComputeCommand):
            assert command.bank_reads is not None
            read = command.bank_reads.input
            sizes = (read.groups, read.channels, prod(read.taps), command.bank_reads.weight.outputs, prod(read.pixels))
            expected += walked(flow, sizes, array.rows, array.cols, array.reduction_unroll == "window")
    plane = simulation.pe_macs()[0]
    assert {(i, j): int(plane[i, j]) for i, j in np.ndindex(*plane.shape) if plane[i, j]} == dict(expected)


def test_a_wrong_map_is_withheld_and_missing_walks_are_not_guessed() -> None:
    simulation = tw.simulate("lenet", arch="edge_int8")
    assert simulation.run is not None and simulation.plan is not None
    regions = simulation.result.pe_regions
    assert regions is not None
    wrong = [[list(row) for row in layer] for layer in regions["layer_macs"]]
    wrong[0][0][0] += 1
    broken = replace(simulation.result, pe_regions=regions | {"layer_macs": wrong})
    plan = simulation.plan
    failed = [c.name for c in check_result(broken, plan.program, simulation.run, plan.accelerator) if not c.ok]
    assert failed == ["MACs of the PE regions sum to each layer's, none above its slots"]
    assert pe_macs(program_of([[tile()]]), small_machine()) is None
    with pytest.raises(InputError, match="this result has none"):
        shares({"layers": []})
