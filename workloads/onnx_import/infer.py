"""Shapes, constants and refusals for every node of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import onnx

from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.onnx_import import shape_rules_data, shape_rules_window  # noqa: F401 - register their rules
from workloads.onnx_import.fold import evaluate
from workloads.onnx_import.graph import MAX_VALUES, Graph, Node, NodeError, Value, check_dims
from workloads.onnx_import.shape_rules import RULES, Refusal
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
_PARAMETER_INPUTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "BatchNormalization": (1, 2, 3, 4),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
    "Gemm": (1, 2),
    "MatMul": (1,),
    "PRelu": (1,),
    "Gather": (0,),
}
"""Where operators take parameters; a product's second operand counts only if it is a matrix."""


@dataclass
class Inferred:
    """What is known of every tensor, and why some nodes cannot be placed."""

    values: dict[str, Value]
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """By node label."""
    lost: dict[str, Refusal] = field(default_factory=dict)
    """By tensor whose shape is unknown: why."""
    promoted: tuple[str, ...] = ()
    """Graph inputs that are taken as weights."""


def infer(graph: Graph) -> Inferred:
    """Return shapes, constants and refusals for the whole graph.

    Raises
    ------
    InputError
        If a node's inputs contradict its operator, or a size is out of bounds.
    """
    promoted = weights_among_inputs(graph)
    result = Inferred({**graph.constants, **graph.inputs, **promoted}, promoted=tuple(promoted))
    for node in graph.nodes:
        subject = f"model '{graph.path}': node '{node.label}' ({node.kind})"
        try:
            made = _outputs(graph, node, result)
        except Refusal as refusal:
            result.refusals[node.label] = refusal
            made = _shapes_of_refused(graph, node, result)
            result.lost.update({o: refusal for o, v in zip(node.outputs, made, strict=False) if v is None})
        except NodeError as error:
            raise InputError(f"{subject}: {error}") from None
        for out, value in zip(node.outputs, made, strict=False):
            if out and value is not None:
                check_dims(value.shape, f"{subject}: output '{out}'")
                result.values[out] = value
    return result


def weights_among_inputs(graph: Graph) -> dict[str, Value]:
    """Return the graph inputs that are read as parameters only: how some tools write a model without weights."""
    data: set[str] = set()
    parameters: dict[str, None] = {}
    for node in graph.nodes:
        places = _PARAMETER_INPUTS.get(node.op, ()) if not node.domain else ()
        # in a product of two graph inputs neither is known to be a weight
        both = node.op in ("MatMul", "Gemm") and all(i in graph.inputs for i in node.inputs[:2])
        for place, name in enumerate(node.inputs):
            if name not in graph.inputs:
                continue
            product = node.op in ("MatMul", "Gemm") and place == 1
            fits = place in places and not both and (not product or len(graph.inputs[name].shape) == 2)
            if fits:
                parameters[name] = None
            else:
                data.add(name)
    chosen = [name for name in parameters if name not in data]
    return {name: replace(graph.inputs[name], constant=True) for name in chosen}


def _outputs(graph: Graph, node: Node, known: Inferred) -> list[Value | None]:
    """Return the values of a node's outputs."""
    refuse_operator(node)
    ins = [known.values.get(name) if name else None for name in node.inputs]
    for name, value in zip(node.inputs, ins, strict=True):
        if name and value is None:
            reason = (
                f"the shape of its input '{name}' is unknown, because it is made by or behind an operator not taken"
            )
            raise Refusal(reason, known.lost[name].host if name in known.lost else False)
    _check_arity(node, graph.opset)
    results = RULES[node.op](node, ins, graph.opset)
    made: list[Value | None] = []
    constant = node.op in DYNAMIC_SHAPE or all(v.constant for v in ins if v is not None)
    for index, (code, shape) in enumerate(results):
        value = Value(code, shape, constant)
        if constant and index == 0 and prod(shape) <= MAX_VALUES:
            value = replace(value, data=evaluate(node, ins, code, shape))
        made.append(value)
    return made


def _check_arity(node: Node, opset: int) -> None:
    """Raise `NodeError` if a standard operator has inputs or outputs that its schema does not allow."""
    if node.domain:
        return
    try:
        schema = onnx.defs.get_schema(node.op, opset, "")
    except onnx.defs.SchemaError:
        schema = onnx.defs.get_schema(node.op)  # newer than the graph's opset: exporters mix, the meaning is one
    for what, names, least, most in (
        ("inputs", node.inputs, schema.min_input, schema.max_input),
        ("outputs", node.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            raise NodeError(f"has {len(names)} {what}, bound is {least}..{most}; export the model again")
        if any(not name for name in names[:least]):
            raise NodeError(f"{what[:-1]} {names[:least].index('')} is missing; export the model again")


def _shapes_of_refused(graph: Graph, node: Node, known: Inferred) -> list[Value | None]:
    """Return what is known of the outputs of a refused node, so that the nodes behind it can be judged."""
    declared = [graph.declared.get(out) for out in node.outputs]
    if node.op not in _RECURRENT or node.domain or len(node.inputs) < 3:
        return declared
    x, weights, recurrent = (known.values.get(name) for name in node.inputs[:3])
    if not (x and weights and recurrent) or {len(x.shape), len(weights.shape), len(recurrent.shape)} != {3}:
        return declared
    directions, hidden = weights.shape[0], recurrent.shape[2]
    steps, batch = x.shape[:2]
    if node.i("layout", 0):
        return [Value(x.dtype, s) for s in ((batch, steps, directions, hidden), *((batch, directions, hidden),) * 2)]
    return [Value(x.dtype, s) for s in ((steps, directions, batch, hidden), *((directions, batch, hidden),) * 2)]


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
    try:
        onnx.defs.get_schema(node.op)
    except onnx.defs.SchemaError:
        raise Refusal(f"no standard operator has this name{nearest(node.op, RULES)}") from None
    if node.op in RULES:
        return
    kind = (
        "sequence and string operators" if node.op.startswith(("Sequence", "String", "Optional")) else "this operator"
    )
    raise Refusal(f"{kind} cannot run on the array or the vector unit", host=True)
