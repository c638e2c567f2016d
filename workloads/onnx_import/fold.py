"""A bounded evaluator for constants: the arithmetic that exporters write around shapes, axes and scales.

Only operators of this table, only where every input's values are known, and only where the result has at most
`MAX_VALUES` elements by its shape rule: nothing large is ever computed, whatever a model asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import onnx

from workloads.onnx_import.graph import Array, Node, Value
from workloads.onnx_import.shape_rules import reduced_axes
from workloads.onnx_import.shape_rules_data import slice_ranges

Fold = Callable[[Node, Sequence[Any], Sequence[Value | None], tuple[int, ...]], Any]


def _erf(a: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(a))


UNARY: dict[str, Callable[[Any], Any]] = {
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Neg": np.negative,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
    "Not": np.logical_not,
    "Reciprocal": lambda a: 1 / a,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tanh": np.tanh,
    "Erf": _erf,
    "Relu": lambda a: np.maximum(a, 0),
    "Sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "Softplus": lambda a: np.logaddexp(a, 0),
}


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        quotient = np.abs(a) // np.abs(b)  # integers truncate towards zero
        return np.asarray(np.where((a < 0) != (b < 0), -quotient, quotient))
    return np.asarray(a / b)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Pow": lambda a, b: np.power(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype),
    "Mod": np.mod,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
    "Greater": np.greater,
    "Less": np.less,
    "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal,
}
_REDUCERS: dict[str, Callable[..., Any]] = {
    "ReduceSum": np.sum,
    "ReduceProd": np.prod,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceMean": np.mean,
}
_CALLS: dict[str, Fold] = {
    "Identity": lambda n, a, v, s: a[0],
    "Where": lambda n, a, v, s: np.where(a[0], a[1], a[2]),
    "Max": lambda n, a, v, s: reduce(np.maximum, a),
    "Min": lambda n, a, v, s: reduce(np.minimum, a),
    "Sum": lambda n, a, v, s: reduce(np.add, a),
    "Concat": lambda n, a, v, s: np.concatenate(a, n.i("axis", 0)),
    "Gather": lambda n, a, v, s: np.take(a[0], a[1], n.i("axis", 0)),
    "Slice": lambda n, a, v, s: a[0][tuple(_slice(*r) for r in slice_ranges(n, v))],
    "Transpose": lambda n, a, v, s: np.transpose(a[0], n.ints("perm")),
    "Expand": lambda n, a, v, s: np.broadcast_to(a[0], s),
    "Tile": lambda n, a, v, s: np.tile(a[0], tuple(a[1])),
    "Range": lambda n, a, v, s: a[0].reshape(()) + np.arange(s[0], dtype=a[0].dtype) * a[2].reshape(()),
    "Clip": lambda n, a, v, s: np.clip(a[0], *[*a[1:3], None, None][:2]),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), lambda n, a, v, s: a[0].reshape(s)),
}


def _call_one(function: Callable[[Any], Any]) -> Fold:
    return lambda n, a, v, s: function(a[0])


def _call_two(function: Callable[[Any, Any], Any]) -> Fold:
    return lambda n, a, v, s: function(a[0], a[1])


def _call_reducer(function: Callable[..., Any]) -> Fold:
    return lambda n, a, v, s: function(a[0], axis=reduced_axes(n, v), keepdims=bool(n.i("keepdims", 1)))


_CALLS.update({name: _call_one(function) for name, function in UNARY.items()})
_CALLS.update({name: _call_two(function) for name, function in BINARY.items()})
_CALLS.update({name: _call_reducer(function) for name, function in _REDUCERS.items()})


def _slice(start: int, stop: int, step: int) -> slice:
    return slice(start, None if stop < 0 else stop, step)


def numpy_type(code: int) -> Any:
    """Return the numpy type in which values of an ONNX element type are kept."""
    if code == onnx.TensorProto.UNDEFINED or code not in onnx.TensorProto.DataType.values():
        raise TypeError(code)
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code))
    return kind if kind.kind in "fiub" else np.dtype(np.float32)


def evaluate(node: Node, ins: Sequence[Value | None], code: int, shape: tuple[int, ...]) -> Array | None:
    """Return the value of a node's first output, None where it cannot be known.

    `code` and `shape` are those of the shape rule; the caller has checked that the shape is small.
    """
    made: Any
    try:
        with np.errstate(all="ignore"):
            if node.op == "Constant":
                return _stored(node, code)
            if node.op == "Shape":
                rank = len(ins[0].shape) if ins[0] else 0
                size = ins[0].shape if ins[0] else ()
                return np.asarray(size[node.i("start", 0) : node.i("end", rank)], dtype=np.int64)
            if node.op == "Size":
                return np.asarray(ins[0].elements if ins[0] else 0, dtype=np.int64)
            if node.op == "ConstantOfShape":
                fill = node.attributes.get("value")
                scalar = fill.data.reshape(-1)[0] if isinstance(fill, Value) and fill.data is not None else 0
                return np.full(shape, scalar, dtype=numpy_type(code))
            arrays = [None if v is None else v.data for v in ins]  # None for an absent optional input
            if not arrays or arrays[0] is None or any(v is not None and v.data is None for v in ins):
                return None
            if node.op == "Cast":
                made = np.asarray(arrays[0]).astype(numpy_type(code))
            elif node.op in _CALLS and not node.domain:
                made = _CALLS[node.op](node, arrays, ins, shape)
            else:
                return None
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError):
        return None  # shape only: whoever needs the values says so by name
    made = np.asarray(made)
    return made.astype(numpy_type(code)) if made.shape == shape else None


def _stored(node: Node, code: int) -> Array | None:
    value = node.attributes.get("value")
    if isinstance(value, Value):
        return value.data
    for key in ("value_int", "value_float", "value_ints", "value_floats"):
        if key in node.attributes:
            return np.asarray(node.attributes[key], dtype=numpy_type(code))
    return None
