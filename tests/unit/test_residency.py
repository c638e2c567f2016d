"""Activations that stay on chip: where, for whom, and never to the worse."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from hw_models.description import load_accelerator
from mappers.commands import ComputeCommand, LoadCommand, StoreCommand, VectorCommand
from mappers.dram_layout import make_layout
from mappers.group import make_groups
from mappers.plan import Plan, make_plan
from mappers.residency import Residency, plan_residency
from sim.machine import run_program
from workloads.builder import NetworkBuilder
from workloads.network import Network
from workloads.zoo import load

EDGE = load_accelerator("edge_int8")


def _block() -> Network:
    """Return a bottleneck whose tensors all fit: three convolutions and the sum with the block's input."""
    b = NetworkBuilder("block", "test")
    x = b.relu(b.conv(b.input("x", (1, 16, 14, 14)), 64, 1, name="stem"))
    y = b.relu(b.conv(x, 32, 1, name="reduce"))
    y = b.relu(b.conv(y, 32, 3, padding=1, name="middle"))
    return b.build(b.relu(b.add(b.conv(y, 64, 1, name="expand"), x)))


def _kept(plan: Plan) -> dict[str, dict[str, int]]:
    tensors = plan.placement["tensors"]
    assert isinstance(tensors, list)
    return {entry["name"]: entry for entry in tensors if entry["memory"] == "input"}


def _value(plan: Plan) -> float:
    return sum(part.found.certificate.value for entry in plan.groups for part in entry.parts)


def test_a_block_stays_on_chip() -> None:
    plan = make_plan(_block(), EDGE)
    kept = _kept(plan)
    # the last of three convolutions would read its input and, for the addition, the block's input from one half
    assert [kept[name]["half"] for name in ("relu1.out", "relu2.out")] == [0, 1] and len(kept) == 2
    moved = {c.tensor for c in plan.program.commands if isinstance(c, LoadCommand | StoreCommand)}
    assert not moved & set(kept)


def test_it_can_be_switched_off() -> None:
    plan = make_plan(_block(), EDGE, keep_on_chip=False)
    assert not _kept(plan)
    assert run_program(plan.program, EDGE).cycles > run_program(make_plan(_block(), EDGE).program, EDGE).cycles


@pytest.mark.parametrize("objective", ["latency", "energy"])
@pytest.mark.parametrize("name", ["tiny_ic", "tiny_kws", "lenet", "pulse_cnn", "mlp"])
def test_the_objective_never_rises(name: str, objective: str) -> None:
    network = load(name)
    with_it = make_plan(network, EDGE, objective)  # type: ignore[arg-type]
    without = make_plan(network, EDGE, objective, keep_on_chip=False)  # type: ignore[arg-type]
    assert _value(with_it) <= _value(without)


@pytest.mark.parametrize("name", ["tiny_ic", "resnet18"])
def test_array_and_vector_unit_use_different_halves(name: str) -> None:
    program = make_plan(load(name), EDGE).program
    array: dict[int, set[int]] = {}
    vector: dict[int, set[int]] = {}
    for command in program.commands:
        halves = {s.half for s in (*command.reads, *command.writes) if s.memory == "input"}
        if isinstance(command, ComputeCommand):
            array.setdefault(command.layer, set()).update(halves)
        elif isinstance(command, VectorCommand):
            vector.setdefault(command.layer, set()).update(halves)
    assert any(vector.values())
    for layer, halves in vector.items():
        assert not halves & array.get(layer, set())


def _state(network: Network, half_bytes: int, values: dict[int, float | None] | None = None) -> Residency:
    layout = make_layout(network, 1)
    groups = make_groups(network, layout, EDGE.core)
    costs = values or {}
    return plan_residency(
        network,
        layout,
        groups,
        replace(EDGE.core.input, half_bytes=half_bytes),
        lambda index, changes: costs.get(index, 1.0) if changes else 1.0,
    )


def test_residents_of_one_half_never_overlap() -> None:
    state = _state(load("tiny_ic"), 128 * 1024)
    assert len(state.kept) > 5
    for a, b in combinations(state.kept.values(), 2):
        together = a.half == b.half and a.first <= b.last and b.first <= a.last
        apart = a.offset_bytes + a.size_bytes <= b.offset_bytes or b.offset_bytes + b.size_bytes <= a.offset_bytes
        assert not together or apart
    for kept in state.kept.values():
        assert 0 <= kept.offset_bytes <= 128 * 1024 - kept.size_bytes


def test_what_does_not_fit_is_not_kept() -> None:
    state = _state(_block(), 14 * 14 * 32)
    assert all(kept.size_bytes <= 14 * 14 * 32 for kept in state.kept.values())
    assert "relu1.out" not in state.kept


def test_a_group_left_without_a_mapping_is_a_reason_not_to_keep() -> None:
    assert not _state(_block(), 128 * 1024, {0: None, 1: None, 2: None, 3: None}).kept


def test_tensors_read_by_the_vector_unit_go_to_dram() -> None:
    b = NetworkBuilder("case", "test")
    y = b.conv(b.input("x", (1, 8, 8, 8)), 8, 3, padding=1, name="conv")
    network = b.build(b.conv(b.max_pool(y, 3, 2, 1), 8, 1))
    assert not _state(network, 128 * 1024).kept
