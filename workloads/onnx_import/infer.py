"""Shapes, constants and refusals for every node of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import onnx

from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.onnx_import import shape_rules_data, shape_rules_window  # noqa: F401 - register their rules
from workloads.onnx_import.fold import evaluate
from workloads.onnx_import.graph import MAX_VALUES, Graph, Node, Value, check_dims
from workloads.onnx_import.shape_rules import RULES, NodeError, Refusal
from workloads.onnx_import.shape_rules_data import has_subgraph

DYNAMIC_SHAPE = {"Shape", "Size"}
_QUANTISED_DOMAIN = "com.microsoft"
_CONTRIB = {
    "QLinearAdd",
    "QLinearMul",
    "QGemm",
    "QLinearConcat",
    "QLinearGlobalAveragePool",
    "QLinearAveragePool",
    "QLinearSigmoid",
    "QLinearLeakyRelu",
    "QLinearSoftmax",
    "Gelu",
    "FastGelu",
}
_RECURRENT = {"LSTM", "GRU", "RNN"}


@dataclass
class Inferred:
    """What is known of every tensor, and why some nodes cannot be placed."""

    values: dict[str, Value]
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """By node label."""
    lost: dict[str, Refusal] = field(default_factory=dict)
    """By tensor whose shape is unknown: why."""


def infer(graph: Graph) -> Inferred:
    """Return shapes, constants and refusals for the whole graph.

    Raises
    ------
    InputError
        If a node's inputs contradict its operator, or a size is out of bounds.
    """
    result = Inferred({**graph.constants, **graph.inputs})
    for node in graph.nodes:
        subject = f"model '{graph.path}': node '{node.label}' ({node.kind})"
        try:
            made = _outputs(graph, node, result)
        except Refusal as refusal:
            result.refusals[node.label] = refusal
            made = [graph.declared.get(out) for out in node.outputs]
            result.lost.update({o: refusal for o, v in zip(node.outputs, made, strict=True) if v is None})
        except NodeError as error:
            raise InputError(f"{subject}: {error}") from None
        for out, value in zip(node.outputs, made, strict=False):
            if out and value is not None:
                check_dims(value.shape, f"{subject}: output '{out}'")
                result.values[out] = value
    return result


def _outputs(graph: Graph, node: Node, known: Inferred) -> list[Value | None]:
    """Return the values of a node's outputs."""
    refuse_operator(node)
    ins = [known.values.get(name) if name else None for name in node.inputs]
    for name, value in zip(node.inputs, ins, strict=True):
        if name and value is None:
            reason = f"the shape of its input '{name}' is unknown, because it is made by or behind an operator not taken"
            raise Refusal(reason, known.lost[name].host if name in known.lost else False)
    results = RULES[node.op](node, ins, graph.opset)
    made: list[Value | None] = []
    constant = node.op in DYNAMIC_SHAPE or all(v.constant for v in ins if v is not None)
    for index, (code, shape) in enumerate(results):
        value = Value(code, shape, constant)
        if constant and index == 0 and prod(shape) <= MAX_VALUES:
            value = replace(value, data=evaluate(node, ins, code, shape))
        made.append(value)
    return made


def refuse_operator(node: Node) -> None:
    """Raise `Refusal` if the operator itself is one that the importer does not take."""
    if has_subgraph(node):
        raise Refusal("control flow is not supported; export the model with fixed trip counts and branches")
    if node.op in _RECURRENT and not node.domain:
        raise Refusal("recurrent layers are not supported; unroll the model over its time steps before export")
    if node.domain == _QUANTISED_DOMAIN and node.op in _CONTRIB:
        return
    if node.domain:
        raise Refusal(f"the operator domain '{node.domain}' is not known; export with standard operators")
    if node.op in RULES:
        return
    try:
        onnx.defs.get_schema(node.op)
    except onnx.defs.SchemaError:
        raise Refusal(f"no standard operator has this name{nearest(node.op, RULES)}") from None
    kind = "sequence and string operators" if node.op.startswith(("Sequence", "String", "Optional")) else "this operator"
    raise Refusal(f"{kind} cannot run on the array or the vector unit", host=True)
