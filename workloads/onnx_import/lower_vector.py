"""Element-wise operators, activations, norms, pooling, reductions and format changes: the vector unit's work."""

from __future__ import annotations

import math

from workloads.data_layers import Reshape
from workloads.norm_layers import Norm
from workloads.onnx_import.emit import Emitter, unsigned_byte
from workloads.onnx_import.graph import Node
from workloads.onnx_import.patterns import Match, clip_limits
from workloads.onnx_import.shape_rules import axis_of, reduced_axes
from workloads.onnx_import.shape_rules_window import geometry
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize, Reduce, Resize, Softmax

UNARY = {
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Selu": "elu",
    "Celu": "elu",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "Swish": "silu",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "FastGelu": "gelu_tanh",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Abs": "abs",
    "Neg": "neg",
    "Sign": "sign",
    "Round": "round",
    "Floor": "round",
    "Ceil": "round",
    "QLinearSigmoid": "sigmoid",
    "QLinearLeakyRelu": "leaky_relu",
}
"""Activation of an operator; floor and ceiling cost what rounding costs, SELU and CELU what ELU costs."""

BINARY = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Pow": "pow",
    "Max": "max",
    "Min": "min",
    "Sum": "add",
    "Where": "where",
    "Equal": "compare",
    "Greater": "compare",
    "Less": "compare",
    "GreaterOrEqual": "compare",
    "LessOrEqual": "compare",
    "And": "min",
    "Or": "max",
    "Xor": "compare",
    "QLinearAdd": "add",
    "QLinearMul": "mul",
}
"""Element-wise operation of an operator; logic on 0 and 1 is minimum, maximum and comparison."""

REDUCE = {
    "ReduceMean": "reduce_mean",
    "ReduceSum": "reduce_sum",
    "ReduceMax": "reduce_max",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "ReduceL2": "reduce_l2",
    "ArgMax": "argmax",
    "ArgMin": "argmin",
}


def lower_match(e: Emitter, match: Match) -> None:
    """Lower a recognised function."""
    source = e.view.root(match.source)
    if not match.axis:
        e.make(Activation, match.kind, [source], match.output)
        return
    _norm(e, match.kind, source, match.scale, match.bias, match.output, axis=match.axis)


def _norm(
    e: Emitter, op: str, x: str, scale: str | None, bias: str | None, output: str, axis: int = 1, groups: int = 1
) -> None:
    parts = [e.operand(part, e.bias) for part in (scale, bias) if part]
    e.make(
        Norm, op, [x, *parts], output, axis=axis, groups=groups, has_scale=scale is not None, has_bias=bias is not None
    )


def lower_norm(e: Emitter, node: Node) -> None:
    """Lower a normalisation operator."""
    x = e.operand(node.inputs[0])
    given = [i for i in node.inputs[1:3] if i]
    scale = given[0] if given else None
    bias = given[1] if len(given) > 1 else None
    out = node.outputs[0]
    if node.op in ("LayerNormalization", "RMSNormalization"):
        if any(e.view.users.get(o) or o in e.view.kept for o in node.outputs[1:]):
            raise e.refuse("layer norm that also returns its statistics is not supported; export for inference")
        kind = "layer_norm" if node.op == "LayerNormalization" else "rms_norm"
        _norm(e, kind, x, scale, bias, out, axis=axis_of(node.i("axis", -1), len(e.shape(x))))
    elif node.op == "GroupNormalization":
        groups = node.i("num_groups", 1)
        if scale and e.view.value(scale).shape != (e.shape(x)[1],):
            raise e.refuse("group norm with one scale per group (opset 18) is not supported; export with opset 21")
        _norm(e, "group_norm", x, scale, bias, out, groups=groups)
    else:
        kind = "batch_norm" if node.op == "BatchNormalization" else "instance_norm"
        _norm(e, kind, x, scale, bias, out)


def lower_unary(e: Emitter, node: Node) -> None:
    """Lower an operator that is one activation function."""
    x = e.operand(node.inputs[0])
    op = UNARY.get(node.op, "")
    if node.op == "Gelu":
        op = "gelu_tanh" if node.s("approximate", "none") == "tanh" else "gelu"
    elif node.op == "Clip":
        low, high = clip_limits(node, e.view)
        op = "relu6" if (low, high) == (0.0, 6.0) else "relu" if (low, high) == (0.0, math.inf) else "clip"
    elif node.op == "Not":
        op = "neg"
    e.make(Activation, op, [x], node.outputs[0])


def lower_mish(e: Emitter, node: Node) -> None:
    """Lower Mish, x * tanh(softplus(x)), as its three steps."""
    x = e.operand(node.inputs[0])
    inner = e.make(Activation, "softplus", [x])
    inner = e.make(Activation, "tanh", [inner])
    e.make(Elementwise, "mul", [x, inner], node.outputs[0])


def lower_prelu(e: Emitter, node: Node) -> None:
    """Lower PReLU with its slopes."""
    e.make(Activation, "prelu", [e.operand(i) for i in node.inputs[:2]], node.outputs[0])


def lower_binary(e: Emitter, node: Node) -> None:
    """Lower an element-wise operator; a square is a product of the tensor with itself."""
    names = [node.inputs[0], node.inputs[3]] if node.op.startswith("QLinear") else [i for i in node.inputs if i]
    inputs = [e.operand(i) for i in names]
    op = BINARY[node.op]
    if node.op == "Pow" and e.view.scalar(names[1]):
        data = e.view.value(names[1]).data
        if data is not None and float(data.reshape(-1)[0]) == 2.0:
            inputs, op = [inputs[0], inputs[0]], "mul"
    if len(inputs) == 1:
        e.make(Reshape, "identity", inputs, node.outputs[0], out_shape=e.shape(inputs[0]))
        return
    e.make(Elementwise, op, inputs, node.outputs[0])


def lower_is_nan(e: Emitter, node: Node) -> None:
    """Lower the test for not-a-number, which guards softmax rows that are masked whole: x compared with itself."""
    x = e.operand(node.inputs[0])
    e.make(Elementwise, "compare", [x, x], node.outputs[0])


def lower_softmax(e: Emitter, node: Node) -> None:
    """Lower softmax; before opset 13 it normalises everything from its axis on."""
    x = e.operand(node.inputs[0])
    shape = e.shape(x)
    old = e.view.graph.opset < 13 and not node.domain
    axis = axis_of(node.i("axis", 1 if old else -1), len(shape))
    if old and any(s != 1 for i, s in enumerate(shape) if i > axis):
        raise e.refuse("softmax over several axes (before opset 13) is not supported; export with opset 13 or newer")
    e.make(Softmax, "log_softmax" if node.op == "LogSoftmax" else "softmax", [x], node.outputs[0], axis=axis)


def lower_reduce(e: Emitter, node: Node) -> None:
    """Lower a reduction; a mean over the plane of an image is an average pooling."""
    x = e.operand(node.inputs[0])
    values = [e.view.inferred.values.get(i) if i else None for i in node.inputs]
    axes, shape = reduced_axes(node, values), e.shape(x)
    out = node.outputs[0]
    keep = bool(node.i("keepdims", 1))
    if not axes:
        e.make(Reshape, "identity", [x], out, out_shape=shape)
    elif node.op == "ReduceMean" and len(shape) >= 4 and axes == tuple(range(2, len(shape))):
        pooled = _global_pool(e, x, "avg_pool", out if keep else None)
        if not keep:
            e.make(Reshape, "squeeze", [pooled], out, out_shape=shape[:2])
    else:
        e.make(Reduce, REDUCE[node.op], [x], out, axes=axes, keepdims=keep)


def lower_sum_square(e: Emitter, node: Node) -> None:
    """Lower a sum of squares as a product and a sum."""
    x = e.operand(node.inputs[0])
    values = [e.view.inferred.values.get(i) if i else None for i in node.inputs]
    squared = e.make(Elementwise, "mul", [x, x])
    e.make(
        Reduce,
        "reduce_sum",
        [squared],
        node.outputs[0],
        axes=reduced_axes(node, values),
        keepdims=bool(node.i("keepdims", 1)),
    )


def _global_pool(e: Emitter, x: str, op: str, output: str | None) -> str:
    plane = e.shape(x)[2:]
    ones = (1,) * len(plane)
    return e.make(Pool, op, [x], output, kernel=plane, strides=ones, padding=((0, 0),) * len(plane))


def lower_pool(e: Emitter, node: Node) -> None:
    """Lower pooling over windows or over the whole plane."""
    x = e.operand(node.inputs[0])
    op = "max_pool" if "Max" in node.op else "avg_pool"
    if "Global" in node.op:
        _global_pool(e, x, op, node.outputs[0])
        return
    g = geometry(node, e.shape(x)[2:], node.ints("kernel_shape") or ())
    e.make(
        Pool,
        op,
        [x],
        node.outputs[0],
        kernel=g.kernel,
        strides=g.strides,
        padding=g.pads,
        ceil_mode=bool(node.i("ceil_mode", 0)),
    )


def lower_resize(e: Emitter, node: Node) -> None:
    """Lower interpolation."""
    mode = node.s("mode", "nearest")
    shape = e.view.value(node.outputs[0]).shape
    x = e.operand(node.inputs[0])
    e.make(Resize, f"resize_{mode}", [x], node.outputs[0], out_shape=shape)


def lower_dynamic_quantise(e: Emitter, node: Node) -> None:
    """Lower dynamic quantisation: the extremes of the tensor, then the change of format."""
    x = e.operand(node.inputs[0])
    every = tuple(range(len(e.shape(x))))
    for op in ("reduce_max", "reduce_min"):
        e.make(Reduce, op, [x], axes=every)
    e.make(Quantize, "requantize", [x], node.outputs[0], unsigned_byte())
