"""Grouped and depthwise convolutions on the layer engine: a command works on one channel group."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hw_models.accelerator import Dataflow
from hw_models.description import load_accelerator
from mappers.given import GivenPlan
from mappers.mapping import Mapping, TileLoop
from mappers.plan import make_plan
from rtl.engine_run import run_engine
from tests.reference.profile import NIGHTLY, examples
from tilewright.cli import run
from tilewright.engine_case import EngineCase, engine_case
from tilewright.engine_draw import draw_cases
from tilewright.engine_groups import group_by_group
from workloads.builder import NetworkBuilder
from workloads.errors import InputError
from workloads.network import Network

pytestmark = pytest.mark.cosim

SHORT_CYCLES = 700  # of a drawn network outside the nightly profile
CHANNELS, SIDE = 4, 5


def depthwise() -> Network:
    """Return a depthwise convolution."""
    b = NetworkBuilder("depthwise", "test")
    x = b.input("x", (1, CHANNELS, SIDE, SIDE))
    return b.build(b.relu(b.conv(x, CHANNELS, 3, padding=1, groups=CHANNELS, name="conv")))


def case_of(flow: Dataflow, *cuts: int) -> EngineCase:
    """Return `depthwise` group by group, with the cuts of input, weight and sums."""
    nest = Mapping("conv", "core0", flow, (TileLoop("G", CHANNELS, 1),), tuple(zip("IWO", cuts, strict=True)))
    machine = load_accelerator("engine_8x8", [f"core.dataflows=[{flow}]"])
    return engine_case(make_plan(depthwise(), machine, given=GivenPlan({"conv": (nest,)}, {})))


@pytest.mark.parametrize("flow", ["os", "is"])
def test_a_depthwise_convolution_runs_group_by_group(flow: Dataflow) -> None:
    case = case_of(flow, 1, 1, 1)
    assert [c.engine for c in case.program.commands].count("array") == CHANNELS
    image, weights = case.inputs["x"], case.constants["conv"].weights
    framed = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = np.zeros_like(image)
    for channel, y, x in np.ndindex(CHANNELS, SIDE, SIDE):
        sums[0, channel, y, x] = (framed[0, channel, y : y + 3, x : x + 3] * weights[channel, 0]).sum()
    terms = case.constants["conv"]
    shift = terms.shift[:, None, None]
    codes = ((sums + terms.bias[:, None, None]) * terms.multiplier[:, None, None] + (1 << shift - 1)) >> shift
    assert (case.golden()[case.groups[0].output] == codes.clip(0, 127)).all()
    (outcome,) = run_engine(case.params, [case.run()])
    assert case.agrees(outcome)


@pytest.mark.parametrize("cuts", [(0, 1, 1), (1, 0, 1), (1, 1, 0)], ids=["input", "weight", "sums"])
def test_tiles_of_several_groups_are_refused(cuts: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match=r"channel groups of a (command or a )?tile is 4, .*walk loop G by 1, outside"):
        case_of("ws", *cuts).run()


def test_a_plan_is_walked_group_by_group_on_an_engine_alone() -> None:
    machine = load_accelerator("engine_8x8")
    plan = make_plan(depthwise(), machine)
    with pytest.raises(InputError, match="channel groups"):
        engine_case(plan).run()
    changed, names = group_by_group(plan)
    assert names == ("conv",)
    engine_case(changed).run()
    other = make_plan(depthwise(), load_accelerator("edge_int8"))
    assert group_by_group(other) == (other, ())


def test_a_command_list_with_a_depthwise_layer_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, commands = tmp_path / "deep.onnx", tmp_path / "deep.json"
    write_model(model)
    assert run(["map", str(model), "--arch", "engine_8x8", "--commands", str(commands)]) == 0
    assert "one channel group at a time, as the layer engine runs them: deep" in capsys.readouterr().err
    assert run(["verify", str(commands)]) == 0


def write_model(path: Path) -> None:
    """Write a depthwise and a point-wise convolution."""
    draw = np.random.default_rng(0)
    weights = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, draw.standard_normal(shape).ravel())
        for name, shape in (("w0", (4, 1, 3, 3)), ("w1", (3, 4, 1, 1)))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "deep", group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w1"], ["y"], "point"),
    ]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 4, 4, 4)), ("y", (1, 3, 4, 4)))
    ]
    graph = helper.make_graph(nodes, "deep", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_drawn_networks_with_groups_agree() -> None:
    drawn = draw_cases(1, grouped=True)
    grouped = (
        case
        for case in drawn
        if max(group.lead.dims.G for group in case.groups) > 1 and (NIGHTLY or case.predicted_cycles <= SHORT_CYCLES)
    )
    for case in islice(grouped, examples(1)):
        (outcome,) = run_engine(case.params, [case.run()])
        assert case.agrees(outcome), case.params
