"""Tensor placement: the goldens, step for step, by every way there is to compute them."""

from __future__ import annotations

import pytest

from mappers.placement import TensorGraph, place_tensors, replay
from mappers.placement.budget import Budget
from mappers.placement.cosma import CosmaModel, Goal
from mappers.placement.liveness import order_peak_bytes
from mappers.placement.min_peak import min_peak_order
from mappers.solver import SolveOptions
from tests.reference.tensor_graphs import resnet50, toy_1, toy_2
from workloads.errors import InfeasibleError

TOYS = [
    (toy_1, "fixed", {130: 120, 179: 120, 180: 0}),
    (toy_1, "free", {130: 120, 179: 120, 180: 0}),
    (toy_2, "fixed", {100: 320, 169: 320, 170: 160, 179: 160, 180: 0}),
    (toy_2, "free", {100: 60, 109: 60, 110: 0}),
]


@pytest.mark.parametrize(("toy", "schedule", "values"), TOYS)
def test_toys_cost_what_was_derived_by_hand(toy, schedule, values) -> None:  # type: ignore[no-untyped-def]
    graph: TensorGraph = toy()
    for capacity, expected in values.items():
        answer = place_tensors(graph, capacity, schedule=schedule)
        assert (answer.objective_bytes, answer.lower_bound_bytes, answer.gap) == (expected, expected, 0.0)
        assert answer.proven_optimal and replay(graph, answer.plan).traffic_bytes == expected


def test_toy_1_step_by_step() -> None:
    steps = place_tensors(toy_1(), 130, schedule="fixed").plan.to_json()
    said = [{key: row[key] for key in ("op", "create", "preserve", "spill", "retrieve")} for row in steps]
    assert said == [
        {"op": "a", "create": ["A"], "preserve": [], "spill": [], "retrieve": []},
        {"op": "b", "create": ["B"], "preserve": ["A"], "spill": [], "retrieve": []},
        {"op": "c", "create": ["C"], "preserve": ["B"], "spill": ["A"], "retrieve": []},
        {"op": "d", "create": ["D"], "preserve": ["C"], "spill": [], "retrieve": ["A"]},
    ]


def test_toy_2_step_by_step() -> None:
    """One branch to its end, then the other; X and the small result of the first leave and return."""
    steps = place_tensors(toy_2(), 100).plan.steps
    assert [step.operator for step in steps] == ["x", "p1", "p2", "q1", "q2", "z"]
    assert [step.spill for step in steps] == [(), (), ("X",), ("P2",), (), ()]
    assert [step.retrieve for step in steps] == [(), (), (), ("X",), (), ("P2",)]


@pytest.mark.parametrize(("toy", "below", "name"), [(toy_1, 129, "d"), (toy_2, 99, "p1")])
@pytest.mark.parametrize("schedule", ["fixed", "free"])
def test_below_the_widest_operator_there_is_no_plan(toy, below, name, schedule) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InfeasibleError) as caught:
        place_tensors(toy(), below, schedule=schedule)
    record = caught.value.record
    assert (record.constraint, record.demand, record.bound) == (f"operator[{name}]", below + 1, below)


@pytest.mark.parametrize(
    ("goal", "capacity", "free", "expected"),
    [
        ("placement", 170, False, 160),
        ("placement", 100, True, 60),
        ("capacity", 100, False, 320),
        ("capacity", 109, True, 60),
        ("peak", 0, False, 180),
        ("peak", 0, True, 110),
    ],
)
def test_the_full_program_gives_the_same(goal: Goal, capacity: int, free: bool, expected: int) -> None:
    graph = toy_2()
    program = CosmaModel(graph, capacity, None if free else graph.listed_order(), goal)
    solution = program.model.solve(SolveOptions())
    assert solution.proven_optimal and solution.objective is not None
    assert solution.objective * program.granule_bytes == expected
    if goal == "placement":
        assert replay(graph, program.plan(solution.values)).traffic_bytes == expected


RESNET = [
    (False, False, 2_409_472, 2_610_176, 1_003_520, 401_408),
    (True, False, 2_484_736, 2_685_440, 1_003_520, 401_408),
    (False, True, 2_409_472, 2_509_824, 602_112, None),
    (True, True, 2_484_736, 2_585_088, 602_112, None),
]


@pytest.mark.parametrize(("late", "first", "narrow", "peak", "least", "middle"), RESNET)
def test_resnet50_with_parameters(
    late: bool, first: bool, narrow: int, peak: int, least: int, middle: int | None
) -> None:
    """602 112 = 6 x 100 352: the 7 x 7 x 2048 residual out and in, in each of the three last blocks."""
    graph = resnet50(stride_on_3x3=late, shortcut_first=first)
    assert len(graph.operators) == 72
    assert graph.widest_operator_bytes == narrow
    assert order_peak_bytes(graph, graph.listed_order()) == peak
    for capacity, expected in ((narrow, least), ((narrow + peak) // 2, middle), (peak, 0)):
        answer = place_tensors(graph, capacity, schedule="fixed")
        assert answer.proven_optimal
        assert expected is None or answer.objective_bytes == expected
    # which of the two orders is better is the schedule's business
    answer = place_tensors(graph, narrow)
    assert (answer.objective_bytes, answer.proven_optimal) == (602_112, True)


def test_resnet50_activations_alone_are_degenerate() -> None:
    graph = resnet50(stride_on_3x3=True, shortcut_first=False, parameters=False)
    assert graph.widest_operator_bytes == order_peak_bytes(graph, graph.listed_order()) == 2_408_448
    assert min_peak_order(graph, Budget(9)).peak_bytes == 2_408_448
    assert place_tensors(graph, 2_408_448, schedule="fixed").objective_bytes == 0
