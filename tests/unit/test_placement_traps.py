"""The six traps of COSMA's program (docs/placement.md), each by an assignment or a graph that falls into it."""

from __future__ import annotations

from mappers.placement import GraphTensor, Operator, TensorGraph, network_graph, place_tensors, replay
from mappers.placement.cosma import CosmaModel
from mappers.placement.cosma_rows import at_least
from mappers.placement.plan import Plan
from mappers.solver import SolveOptions
from tests.reference.tensor_graphs import graph_of, toy_1, toy_2
from workloads.zoo import load


def test_1_nothing_is_preserved_spilled_or_retrieved_at_step_0() -> None:
    for order in (None, toy_1().listed_order()):
        names = CosmaModel(toy_1(), 130, order).model.variables
        assert not [name for name in names if name[0] in "PSR" and name.endswith(",0]")]


def test_2_two_operators_in_one_step_break_a_row_of_their_own() -> None:
    # p1 and q1 could run together in the published equations: room for both is there
    graph = toy_2()
    program = CosmaModel(graph, 1000, None)
    plan = place_tensors(graph, 1000, schedule="fixed").plan
    values = program.start(plan)
    assert program.model.violated(values) == []
    values["C[Q1,2]"], values["C[Q1,1]"] = 0.0, 1.0
    values["P[X,2]"] = 0.0  # both of its readers have run
    values["P[Q1,2]"] = 1.0
    values["L[Q1,1]"] = values["L[Q1,2]"]
    values["u[P1,Q1,1]"], values["d[P1,Q1,1]"] = values["u[P1,Q1,2]"], values["d[P1,Q1,2]"]
    values["u[X,Q1,1]"], values["d[X,Q1,1]"] = values["u[X,Q1,2]"], values["d[X,Q1,2]"]
    assert program.model.violated(values) == ["one_operator[1]"]


def test_3_no_tensor_is_preserved_past_its_last_use() -> None:
    graph = toy_2()
    program = CosmaModel(graph, 1000, None)
    values = program.start(place_tensors(graph, 1000, schedule="fixed").plan)
    # X is last read at step 2 of the listed order; its window is longer
    values["P[X,3]"] = 1.0
    values["L[X,3]"] = values["L[X,2]"]
    for other in ("P1", "Q1", "P2"):
        for side in "ud":
            values[f"{side}[X,{other},3]"] = values.get(f"{side}[X,{other},2]", 0.0)
    higher = values["L[X,3]"] > values["L[P2,3]"]
    values["u[X,P2,3]"], values["d[X,P2,3]"] = float(higher), float(not higher)
    assert "last_use[X,3]" in program.model.violated(values)


def test_4_a_small_tensor_beside_large_ones_does_not_slip_through_the_tolerance() -> None:
    large = (1 << 24) - 32
    graph = graph_of(
        {"s": 32, "A": large, "B": large, "Z": 32},
        [("o1", "", "s"), ("o2", "", "A"), ("o3", "A", "B"), ("o4", "s B", "Z")],
    )
    capacity = graph.widest_operator_bytes
    assert capacity == 2 * large
    program = CosmaModel(graph, capacity, graph.listed_order())
    assert program.granule_bytes == 32
    solution = program.model.solve(SolveOptions())
    plan = program.plan(solution.values)
    # 2 x large fills the scratchpad while o3 runs: s has to leave, and overlapping it by 32 bytes must not pass
    assert replay(graph, plan).traffic_bytes == 64
    assert place_tensors(graph, capacity, schedule="fixed").objective_bytes == 64


def test_5_the_bound_does_not_come_from_the_big_m_relaxation() -> None:
    graph = network_graph(load("densenet121"))
    answer = place_tensors(graph, graph.widest_operator_bytes, schedule="fixed")
    assert answer.proven_optimal and answer.lower_bound_bytes == 401_408


def test_6_an_operator_that_reads_a_tensor_twice_counts_it_once() -> None:
    tensors = (GraphTensor("A", 40), GraphTensor("B", 10))
    graph = TensorGraph(tensors, (Operator("f", (), ("A",)), Operator("g", ("A", "A"), ("B",))))
    assert graph.widest_operator_bytes == 50
    assert place_tensors(graph, 50).objective_bytes == 0


def test_a_plan_is_a_complete_start_of_the_program_and_the_bound_is_a_cut() -> None:
    for order in (None, toy_2().listed_order()):
        program = CosmaModel(toy_2(), 100, order)
        plan: Plan = place_tensors(toy_2(), 100, schedule="free" if order is None else "fixed").plan
        start = program.start(plan)
        assert program.model.violated(start) == []
        traffic = plan.traffic_bytes(toy_2())
        assert program.model.value(start) * program.granule_bytes == traffic
        at_least(program, traffic)
        assert program.model.violated(start) == []
        at_the_bound = program.model.solve(SolveOptions(), start)
        assert at_the_bound.objective == traffic / program.granule_bytes and at_the_bound.proven_optimal
