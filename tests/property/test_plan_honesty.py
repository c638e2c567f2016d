"""What a plan promises against what its commands do, on networks where the two once differed."""

from __future__ import annotations

import pytest

import tilewright as tw
from hw_models.description import load_accelerator
from mappers.commands import LoadCommand, StoreCommand
from mappers.plan import Plan, make_plan
from sim.machine import run_program
from workloads.builder import NetworkBuilder
from workloads.network import Network


def residual(channels: int, side: int, taps: int) -> Network:
    """Return a convolution whose sum is added to a tensor in DRAM."""
    b = NetworkBuilder("residual", "own")
    y = b.conv(b.input("x", (1, channels, side, side)), channels, taps, padding=taps // 2, name="conv")
    return b.build(b.add(y, b.input("r", b.shape(y))))


def moved_bytes(plan: Plan) -> int:
    """Return the bytes that the commands of a plan move over the channel."""
    return sum(
        transfer.bytes
        for command in plan.program.commands
        if isinstance(command, LoadCommand | StoreCommand)
        for transfer in command.transfers
    )


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
@pytest.mark.parametrize(("channels", "side", "taps"), [(8, 4, 1), (64, 14, 3), (16, 9, 3), (128, 7, 1)])
def test_a_residual_is_loaded_once_and_bounded(channels: int, side: int, taps: int, objective: str) -> None:
    machine = load_accelerator("edge_int8")
    plan = make_plan(residual(channels, side, taps), machine, objective)  # type: ignore[arg-type]
    found = plan.groups[0].parts[0].found
    assert moved_bytes(plan) == found.dram_bytes
    assert run_program(plan.program, machine).cycles >= found.latency_cycles


def test_an_operand_that_stands_twice_is_loaded_once() -> None:
    b = NetworkBuilder("twice", "own")
    y = b.conv(b.input("x", (1, 8, 16, 16)), 16, 1)
    plan = make_plan(b.build(b.add(y, y)), load_accelerator("edge_int8"), keep_on_chip=False)
    loads = [c for c in plan.program.commands if isinstance(c, LoadCommand) and c.layer == 1]
    assert sum(t.bytes for c in loads for t in c.transfers) == 16 * 16 * 16


@pytest.mark.parametrize("workload", ["tiny_ic", "resnet18"])
def test_a_faster_sequencer_does_not_slow_the_run(workload: str) -> None:
    """Commands that cost nothing to issue once made the search buy traffic that the run then waited for."""
    free, usual = (tw.simulate(workload, overrides=[f"dma.issue={n}cycles"]).totals.cycles for n in (0, 1))
    assert free <= 1.01 * usual


def test_the_map_space_names_the_loops_it_does_not_permute() -> None:
    b = NetworkBuilder("seven", "own")
    network = b.build(b.conv(b.input("x", (4, 6, 4, 4, 4)), 8, 2, groups=2))
    changes = [
        "dataflows=[ws]", "core.input.half=128B", "core.weight.half=64B", "core.accumulator.half=512B",
        "output_half=64B", "rows=4", "cols=4", "energy.allow_default=true",
    ]  # fmt: skip
    plan = make_plan(network, load_accelerator("edge_int8", changes), "energy")
    assert "all loop orders with N outermost" in plan.groups[0].parts[0].found.certificate.map_space


def test_a_chained_function_costs_a_lane_operation_in_either_kind_of_group() -> None:
    def energy(fused: bool, conv: bool) -> float:
        b = NetworkBuilder("chain", "own")
        x = b.input("x", (1, 32, 8, 8))
        y = b.conv(x, 32, 1) if conv else b.add(x, b.input("z", (1, 32, 8, 8)))
        network = b.build(b.relu(y) if fused else y)
        machine = load_accelerator("edge_int8")
        commands = make_plan(network, machine).program.commands
        return sum(getattr(c, "operations", 0) for c in commands)

    for conv in (False, True):
        assert energy(True, conv) - energy(False, conv) == 32 * 8 * 8


def test_dims_of_a_vector_layer_are_its_outputs() -> None:
    layers = {layer.name: layer for layer in tw.simulate("lenet").layers}
    assert layers["c1"].dims["OY"] == 28
    softmax = next(x for x in tw.simulate("bert_base", dims={"sequence": 32}).layers if x.op == "softmax")
    assert softmax.dims["outputs"] == 12 * 32 * 32
