"""The plans of `mappers.placement` for a network's operators: every operand resident while its operator runs."""

from __future__ import annotations

from mappers.network.graph import OperatorGraph
from mappers.network.residency import Residency, from_steps
from mappers.placement.graph import GraphTensor, TensorGraph
from mappers.placement.graph import Operator as PlacedOperator
from mappers.placement.solve import place_tensors


def tensor_graph(graph: OperatorGraph) -> TensorGraph:
    """Return the operators, activations and weights of `graph` as a tensor graph, in execution order."""
    operators = tuple(
        PlacedOperator(op.name, (*op.inputs, *((op.weights,) if op.weight_bytes else ())), (op.output,))
        for op in graph.operators
    )
    tensors = tuple(GraphTensor(name, size) for name, size in graph.bytes_of.items())
    return TensorGraph(tensors, operators, graph.network.name)


def place_all(graph: OperatorGraph, capacity_bytes: int, policy: str, time_limit_s: float) -> Residency:
    """Return the plan of a placement policy (``ilp`` is COSMA's) in execution order, as a residency.

    Raises
    ------
    InfeasibleError
        If the operands of one operator exceed the capacity, or the policy finds no plan.
    """
    answer = place_tensors(
        tensor_graph(graph), capacity_bytes, schedule="fixed", policy=policy, time_limit_s=time_limit_s
    )
    made = from_steps(graph, f"{policy}, all operands resident", answer.plan.steps)
    return made.with_bound(answer.objective_bytes, answer.lower_bound_bytes)
