"""Output shapes of the operators, on concrete shapes only (symbolic dimensions are replaced before).

A rule takes the node, what is known of its inputs (None for an absent optional one) and the opset, and returns
(element type, shape) per output. Rules follow the operator schemas of the ONNX specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from workloads.onnx_import.graph import Node, NodeError, Value
from workloads.vector_layers import broadcast_shapes

Result = tuple[int, tuple[int, ...]]
Inputs = Sequence[Value | None]


@dataclass(frozen=True)
class Refusal(Exception):
    """Why a node cannot be placed on the accelerator; the rest of the graph is still reported.

    `host` tells that an ordinary processor could run it.
    """

    reason: str
    host: bool = False


Rule = Callable[[Node, Inputs, int], list[Result]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operator names."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def need(ins: Inputs, position: int) -> Value:
    """Return input `position`, which must be present."""
    value = ins[position] if position < len(ins) else None
    if value is None:
        raise NodeError(f"input {position} is missing; export the model again")
    return value


def optional(ins: Inputs, position: int) -> Value | None:
    """Return input `position`, None where absent."""
    return ins[position] if position < len(ins) else None


def integers(value: Value, what: str) -> tuple[int, ...]:
    """Return the values of an integer input that must be known before run time."""
    if value.data is None:
        known = "its data is not in the file" if value.constant else "it is computed at run time"
        raise Refusal(f"{what} must be known before run time, {known}; export with fixed shapes")
    return tuple(int(v) for v in np.asarray(value.data).reshape(-1))


def axis_of(axis: int, rank: int, what: str = "axis") -> int:
    """Return a possibly negative axis as 0 .. rank - 1."""
    if not -rank <= axis < rank:
        raise NodeError(f"{what} is {axis}, bound is {-rank}..{rank - 1}; correct the model")
    return axis % rank if rank else 0


def axes_input(node: Node, ins: Inputs, position: int) -> tuple[int, ...] | None:
    """Return axes from the attribute (older opsets) or from an input (newer ones)."""
    from_attribute = node.ints("axes")
    if from_attribute is not None:
        return from_attribute
    value = optional(ins, position)
    return None if value is None else integers(value, "the axes input")


# --- element-wise -----------------------------------------------------------------------------------------------------

SAME_SHAPE = [
    "Relu",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Celu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Softplus",
    "Softsign",
    "Gelu",
    "FastGelu",
    "Mish",
    "Swish",
    "ThresholdedRelu",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Reciprocal",
    "Neg",
    "Abs",
    "Floor",
    "Ceil",
    "Round",
    "Sign",
    "Not",
    "Clip",
    "Identity",
    "Dropout",
    "Softmax",
    "LogSoftmax",
    "Hardmax",
    "LayerNormalization",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "LpNormalization",
    "LRN",
    "MeanVarianceNormalization",
    "Sin",
    "Cos",
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
    "CumSum",
    "Trilu",
    "QLinearSigmoid",
    "QLinearLeakyRelu",
    "QLinearSoftmax",
    "RotaryEmbedding",
    "ScatterND",
    "ScatterElements",
]


@rule(*SAME_SHAPE)
def _same(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    if node.op == "BatchNormalization" and node.i("training_mode", 0):
        raise Refusal("training mode is not an inference graph; export in eval mode")
    results: list[Result] = [(x.dtype, x.shape)]
    if node.op == "LayerNormalization" and len(node.outputs) > 1:
        axis = axis_of(node.i("axis", -1), len(x.shape))
        results += [(TensorProto.FLOAT, (*x.shape[:axis], *(1,) * (len(x.shape) - axis)))] * 2
    if node.op == "Dropout":
        results.append((TensorProto.BOOL, x.shape))
    return results


@rule("IsNaN", "IsInf")
def _tests(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(TensorProto.BOOL, need(ins, 0).shape)]


@rule("Cast", "CastLike")
def _cast(node: Node, ins: Inputs, opset: int) -> list[Result]:
    kind = need(ins, 1).dtype if node.op == "CastLike" else node.i("to", TensorProto.UNDEFINED)
    if kind == TensorProto.UNDEFINED or kind not in TensorProto.DataType.values():
        raise NodeError(f"element type {kind} is unknown; export the model again")
    if kind == TensorProto.STRING:
        raise Refusal("casts to strings are not supported")
    return [(kind, need(ins, 0).shape)]


@rule("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
def _quantise(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    if node.op == "DequantizeLinear":
        return [(need(ins, 1).dtype, x.shape)]
    if node.op == "DynamicQuantizeLinear":
        return [(TensorProto.UINT8, x.shape), (TensorProto.FLOAT, ()), (TensorProto.UINT8, ())]
    zero = optional(ins, 2)
    return [(zero.dtype if zero else node.i("output_dtype", 0) or TensorProto.UINT8, x.shape)]


def broadcast(values: Sequence[Value]) -> tuple[int, ...]:
    """Return the broadcast shape of all values."""
    shapes = [v.shape for v in values]
    result = broadcast_shapes(shapes)
    if result is None:
        raise NodeError(f"shapes {', '.join(map(str, shapes))} do not broadcast; correct the model")
    return result


@rule("Add", "Sub", "Mul", "Div", "Pow", "Mod", "And", "Or", "Xor", "BitShift", "PRelu", "Max", "Min", "Sum", "Mean")
def _binary(node: Node, ins: Inputs, opset: int) -> list[Result]:
    values = [v for v in ins if v is not None]
    if not values:
        raise NodeError("has no inputs; export the model again")
    shape = broadcast(values)
    if node.op == "PRelu" and shape != values[0].shape:
        raise NodeError(f"slopes {values[1].shape} do not broadcast to {values[0].shape}; correct the model")
    return [(values[0].dtype, shape)]


@rule("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def _compare(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(TensorProto.BOOL, broadcast([need(ins, 0), need(ins, 1)]))]


@rule("Where")
def _where(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(need(ins, 1).dtype, broadcast([need(ins, 0), need(ins, 1), need(ins, 2)]))]


@rule("QLinearAdd", "QLinearMul")
def _qlinear_binary(node: Node, ins: Inputs, opset: int) -> list[Result]:
    a, b = need(ins, 0), need(ins, 3)
    return [(a.dtype, broadcast([a, b]))]


# --- reductions -------------------------------------------------------------------------------------------------------

REDUCTIONS = (
    "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp ReduceLogSum ReduceSumSquare"
)


def reduced_axes(node: Node, ins: Inputs) -> tuple[int, ...]:
    """Return the axes of a reduction, sorted and not negative; all of them where none is named."""
    rank = len(need(ins, 0).shape)
    if node.op in ("ArgMax", "ArgMin"):
        return (axis_of(node.i("axis", 0), rank),)
    axes = axes_input(node, ins, 1)
    if not axes:
        return () if node.i("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({axis_of(a, rank) for a in axes}))


@rule(*REDUCTIONS.split(), "ArgMax", "ArgMin")
def _reduce(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x, axes = need(ins, 0), reduced_axes(node, ins)
    if node.i("keepdims", 1):
        shape = tuple(1 if i in axes else s for i, s in enumerate(x.shape))
    else:
        shape = tuple(s for i, s in enumerate(x.shape) if i not in axes)
    return [(TensorProto.INT64 if node.op.startswith("Arg") else x.dtype, shape)]


# --- matrix products --------------------------------------------------------------------------------------------------


@rule("Gemm", "QGemm")
def _gemm(node: Node, ins: Inputs, opset: int) -> list[Result]:
    a, b = need(ins, 0), need(ins, 3 if node.op == "QGemm" else 1)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise NodeError(f"operands have shapes {a.shape} and {b.shape}, both must have 2 axes; correct the model")
    m, k = a.shape[::-1] if node.i("transA", 0) else a.shape
    k2, n = b.shape[::-1] if node.i("transB", 0) else b.shape
    if k != k2:
        raise NodeError(
            f"operands have shapes {a.shape} and {b.shape}: the reduction is {k} and {k2}; correct the model"
        )
    c = optional(ins, 6 if node.op == "QGemm" else 2)
    if c is not None and broadcast_shapes([c.shape, (m, n)]) != (m, n):
        raise NodeError(f"the bias has shape {c.shape}, which does not broadcast to {(m, n)}; correct the model")
    return [(a.dtype, (m, n))]


MATMUL_OPERANDS = {"MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}


@rule(*MATMUL_OPERANDS)
def _matmul(node: Node, ins: Inputs, opset: int) -> list[Result]:
    first, second = MATMUL_OPERANDS[node.op]
    a, b = need(ins, first), need(ins, second)
    if not a.shape or not b.shape:
        raise NodeError("an operand is a scalar; correct the model")
    left = a.shape if len(a.shape) > 1 else (1, *a.shape)
    right = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    lead = broadcast_shapes([left[:-2], right[:-2]]) if len(left) > 2 or len(right) > 2 else ()
    if left[-1] != right[-2] or lead is None:
        raise NodeError(f"operands have shapes {a.shape} and {b.shape}, which do not multiply; correct the model")
    shape = (*lead, *left[-2:-1] * (len(a.shape) > 1), *right[-1:] * (len(b.shape) > 1))
    kind = TensorProto.INT32 if node.op == "MatMulInteger" else a.dtype
    if node.op == "QLinearMatMul":
        kind = (optional(ins, 7) or a).dtype
    return [(kind, shape)]


@rule("Attention")
def _attention(node: Node, ins: Inputs, opset: int) -> list[Result]:
    q, k, v = need(ins, 0), need(ins, 1), need(ins, 2)
    if any(optional(ins, i) is not None for i in range(4, len(ins))):
        raise Refusal("attention with a key/value cache as graph inputs is not supported; export without past states")
    if len({len(x.shape) for x in (q, k, v)}) != 1 or len(q.shape) not in (3, 4):
        raise NodeError(f"query, key and value have shapes {q.shape}, {k.shape}, {v.shape}; all need 3 or 4 axes")
    if len(node.outputs) > 1:
        raise Refusal("attention that also returns the cache or the scores is not supported; export without them")
    if len(q.shape) == 4:
        return [(q.dtype, (*q.shape[:3], v.shape[3]))]
    heads, kv_heads = node.i("q_num_heads", 0), node.i("kv_num_heads", 0)
    if heads < 1 or kv_heads < 1 or v.shape[2] % kv_heads:
        raise NodeError(
            f"q_num_heads is {heads}, kv_num_heads {kv_heads}; both must divide the width, correct the model"
        )
    return [(q.dtype, (q.shape[0], q.shape[1], v.shape[2] // kv_heads * heads))]
