"""Convolutions, matrix products and attention as loop nests."""

from __future__ import annotations

from math import prod

from workloads.data_layers import Expand, Reshape, Transpose
from workloads.mac_layers import LoopDims, MacLayer, Padding, Triple
from workloads.onnx_import.emit import Emitter
from workloads.onnx_import.graph import Node
from workloads.onnx_import.shape_rules import MATMUL_OPERANDS
from workloads.onnx_import.shape_rules_window import CONV_OPERANDS, geometry
from workloads.tensor import Shape
from workloads.vector_layers import Elementwise, Softmax, broadcast_shapes

_BIAS_INPUT = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "QLinearConv": 8, "QGemm": 6}


def stated_bias(node: Node) -> str | None:
    """Return the name of the bias among a node's inputs."""
    place = _BIAS_INPUT.get(node.op)
    return node.inputs[place] if place is not None and place < len(node.inputs) and node.inputs[place] else None


def lower_conv(e: Emitter, node: Node) -> None:
    """Lower every kind of convolution."""
    first, second = CONV_OPERANDS[node.op]
    x, w = e.operand(node.inputs[first]), node.inputs[second]
    shape, kernel_shape = e.shape(x), e.view.value(w).shape
    transposed = node.op == "ConvTranspose"
    groups = node.i("group", 1)
    g = geometry(node, shape[2:], kernel_shape[2:], transposed, e.plan.pads.get(node.label, ()))
    rank = len(g.kernel)
    skip = 3 - rank

    def triple(values: tuple[int, ...]) -> Triple:
        full = (1,) * skip + tuple(values)
        return full[0], full[1], full[2]

    pads: list[tuple[int, int]] = [(0, 0)] * skip + list(g.pads)
    padding: Padding = (pads[0], pads[1], pads[2])
    out, taps = triple(g.out), triple(g.kernel)
    channels_out = kernel_shape[1] * groups if transposed else kernel_shape[0]
    dims = LoopDims(groups, shape[0], channels_out // groups, shape[1] // groups, *out, *taps)
    weight = e.operand(w)
    channels = (channels_out,)
    bias = e.plan.bias.get(node.label) or stated_bias(node)
    scale = e.plan.scale.get(node.label)
    inputs = [x, weight]
    inputs += [e.operand(part, e.bias, channels) for part in (bias, scale) if part]
    layer = MacLayer(
        e.step_name("conv"),
        "conv_transpose" if transposed else "conv",
        tuple(inputs),
        (node.outputs[0],),
        dims,
        rank,
        triple(shape[2:]),
        triple(g.strides),
        triple(g.dilations),
        padding,
        transposed,
        bias is not None,
        scale is not None,
        weight_is_activation=not e.is_weight(weight),
    )
    e.put(layer)


def lower_gemm(e: Emitter, node: Node) -> None:
    """Lower a matrix product with optional transposition and bias of one matrix each."""
    second = 3 if node.op == "QGemm" else 1
    a, b = e.operand(node.inputs[0]), node.inputs[second]
    if node.i("transA", 0):
        a = e.make(Transpose, "transpose", [a], perm=(1, 0))
    flipped = bool(node.i("transB", 0))
    weight, exchanged = e.weight_matrix(b) if e.view.constant(b) else (e.view.root(b), False)
    out_shape = e.view.value(node.outputs[0]).shape
    bias = e.plan.bias.get(node.label) or stated_bias(node)
    inside = bias if bias and e.view.constant(bias) and e.view.value(bias).elements == out_shape[1] != 0 else None
    if inside is not None and e.view.value(inside).shape[-1:] != out_shape[1:]:
        inside = None
    result = _product(e, a, weight, flipped != exchanged, inside, node.outputs[0] if inside or not bias else None)
    if bias and not inside:
        e.make(Elementwise, "add", [result, e.operand(bias)], node.outputs[0])


def _product(e: Emitter, a: str, weight: str, is_kc: bool, bias: str | None, output: str | None) -> str:
    """Add one product of 2-D or batched operands whose shapes already fit each other."""
    rows_shape, matrix = e.shape(a), e.shape(weight)
    groups = prod(matrix[:-2])
    columns = matrix[-2] if is_kc else matrix[-1]
    rows = prod(rows_shape[:-1]) if groups == 1 else rows_shape[-2]
    label = e.step_name("matmul")
    inputs = [a, weight]
    if bias:
        inputs.append(e.operand(bias, e.bias, (columns,)))
    layer = MacLayer(
        label,
        "gemm" if e.is_weight(weight) else "matmul",
        tuple(inputs),
        (output or e.free_name(f"{label}.out"),),
        LoopDims(G=groups, K=columns, C=rows_shape[-1], OX=rows),
        0,
        (1, 1, rows),
        has_bias=bias is not None,
        weight_is_activation=not e.is_weight(weight),
        weight_layout="kc" if is_kc else "ck",
    )
    return e.put(layer)


def lower_matmul(e: Emitter, node: Node) -> None:
    """Lower a product of any ranks: broadcast axes are expanded, vectors become matrices of one row or column."""
    first, second = MATMUL_OPERANDS[node.op]
    name_a, name_b = node.inputs[first], node.inputs[second]
    constant = e.view.constant(name_b)
    is_kc = node.label in e.plan.swapped
    shape_a, shape_b = e.view.value(name_a).shape, e.view.value(name_b).shape
    weight, exchanged = (e.view.root(name_b), False)
    if constant and len(shape_b) > 1:
        weight, exchanged = e.weight_matrix(name_b)
    is_kc = is_kc or exchanged
    a = e.operand(name_a)
    if len(shape_a) == 1:
        a = e.make(Reshape, "reshape", [a], out_shape=(1, *shape_a))
    if len(shape_b) == 1:
        column = (*shape_b, 1)
        weight = e.operand(name_b, shape=column) if constant else e.make(Reshape, "reshape", [weight], out_shape=column)
    a, weight = _align(e, a, weight)
    out_shape = e.view.value(node.outputs[0]).shape
    made_shape = (*e.shape(a)[:-1], e.shape(weight)[-2 if is_kc else -1])
    bias = e.plan.bias.get(node.label)
    result = _product(e, a, weight, is_kc, bias, node.outputs[0] if made_shape == out_shape else None)
    if made_shape != out_shape:
        e.make(Reshape, "reshape", [result], node.outputs[0], out_shape=out_shape)


def _align(e: Emitter, a: str, weight: str) -> tuple[str, str]:
    """Expand leading axes of either operand so that they agree; a single matrix serves all rows as it is."""
    lead_a, lead_b = e.shape(a)[:-2], e.shape(weight)[:-2]
    if prod(lead_b) == 1:
        return a, weight
    lead = broadcast_shapes([lead_a, lead_b]) if lead_a else lead_b
    assert lead is not None  # the shape rule has checked it
    if lead_a != lead:
        if len(lead_a) < len(lead):
            a = e.make(Reshape, "reshape", [a], out_shape=((1,) * (len(lead) - len(lead_a)) + e.shape(a)))
        if e.shape(a)[:-2] != lead:
            a = e.make(Expand, "expand", [a], out_shape=(*lead, *e.shape(a)[-2:]))
    if prod(lead_b) != prod(lead):
        if len(lead_b) < len(lead):
            weight = e.make(
                Reshape, "reshape", [weight], out_shape=((1,) * (len(lead) - len(lead_b)) + e.shape(weight))
            )
        weight = e.make(Expand, "expand", [weight], out_shape=(*lead, *e.shape(weight)[-2:]))
    return a, weight


def lower_attention(e: Emitter, node: Node) -> None:
    """Lower the attention operator; queries that share a key head become rows of one product."""
    q, k, v = (e.operand(node.inputs[i]) for i in range(3))
    flat = len(e.shape(q)) == 3
    if flat:
        q = _split_heads(e, q, node.i("q_num_heads", 1))
        k, v = (_split_heads(e, x, node.i("kv_num_heads", 1)) for x in (k, v))
    batch, heads, rows, width = e.shape(q)
    key_heads, length = e.shape(k)[1:3]
    if heads % key_heads:
        raise e.refuse(f"{heads} query heads on {key_heads} key heads; use a divisor")
    grouped: Shape = (batch, key_heads, heads // key_heads * rows, width)
    scores_shape: Shape = (batch, heads, rows, length)
    if heads != key_heads:
        q = e.make(Reshape, "reshape", [q], out_shape=grouped)
    scores = _product(e, q, k, True, None, None)
    mask = node.inputs[3] if len(node.inputs) > 3 and node.inputs[3] else None
    if mask is not None:
        held = e.shape(scores)
        scores = e.make(Reshape, "reshape", [scores], out_shape=scores_shape) if held != scores_shape else scores
        scores = e.make(Elementwise, "add", [scores, e.operand(mask)])
        scores = e.make(Reshape, "reshape", [scores], out_shape=held) if held != scores_shape else scores
    weights = e.make(Softmax, "softmax", [scores], axis=3)
    out_shape = e.view.value(node.outputs[0]).shape
    direct = not flat and heads == key_heads
    mixed = _product(e, weights, v, False, None, node.outputs[0] if direct else None)
    if direct:
        return
    if not flat:
        e.make(Reshape, "reshape", [mixed], node.outputs[0], out_shape=out_shape)
        return
    if heads != key_heads:
        mixed = e.make(Reshape, "reshape", [mixed], out_shape=(batch, heads, rows, e.shape(v)[3]))
    mixed = e.make(Transpose, "transpose", [mixed], perm=(0, 2, 1, 3))
    e.make(Reshape, "reshape", [mixed], node.outputs[0], out_shape=out_shape)


def _split_heads(e: Emitter, x: str, heads: int) -> str:
    batch, rows, width = e.shape(x)
    x = e.make(Reshape, "reshape", [x], out_shape=(batch, rows, heads, width // heads))
    return e.make(Transpose, "transpose", [x], perm=(0, 2, 1, 3))
