"""Output shapes and window geometry of convolutions, pooling and resizing."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
from onnx import TensorProto

from workloads.onnx_import.graph import Node, NodeError
from workloads.onnx_import.shape_rules import (
    Inputs,
    Refusal,
    Result,
    axis_of,
    integers,
    need,
    optional,
    rule,
)
from workloads.window import window_output

CONV_OPERANDS = {"Conv": (0, 1), "ConvInteger": (0, 1), "ConvTranspose": (0, 1), "QLinearConv": (0, 3)}
_PARAMETER_BOUND = 1 << 31


@dataclass(frozen=True)
class Geometry:
    """Window parameters of a node, one entry per spatial axis; `pads` are (before, after) pairs."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    out: tuple[int, ...]


def _per_axis(node: Node, name: str, rank: int, default: int, least: int) -> tuple[int, ...]:
    values = node.ints(name) or (default,) * rank
    if len(values) != rank or any(not least <= v < _PARAMETER_BOUND for v in values):
        raise NodeError(
            f"{name} is {values}, needs {rank} values of {least}..{_PARAMETER_BOUND - 1}; correct the model"
        )
    return values


def geometry(
    node: Node,
    spatial: tuple[int, ...],
    kernel: tuple[int, ...],
    transposed: bool = False,
    more: tuple[tuple[int, int], ...] = (),
) -> Geometry:
    """Return the window of a convolution or pooling node over an input of size `spatial`; `more` is padding to add."""
    rank = len(spatial)
    if len(kernel) != rank or any(not 1 <= k < _PARAMETER_BOUND for k in kernel):
        raise NodeError(f"kernel is {kernel} for {rank} spatial axes; give one size >= 1 per axis")
    strides, dilations = _per_axis(node, "strides", rank, 1, 1), _per_axis(node, "dilations", rank, 1, 1)
    extra = _per_axis(node, "output_padding", rank, 0, 0)
    wanted = node.ints("output_shape")
    flat = node.ints("pads") or (0,) * (2 * rank)
    if len(flat) != 2 * rank or any(abs(p) >= _PARAMETER_BOUND for p in flat):
        raise NodeError(f"pads is {flat}, needs {2 * rank} values; correct the model")
    auto = node.s("auto_pad", "NOTSET")
    pads, out = [], []
    for i, size in enumerate(spatial):
        reach = (kernel[i] - 1) * dilations[i] + 1
        before, after = flat[i], flat[rank + i]
        if more:
            before, after = before + more[i][0], after + more[i][1]
        if auto == "VALID":
            before = after = 0
        if transposed:
            full = (size - 1) * strides[i] + reach
            target = wanted[-rank:][i] if wanted else None
            if target is None and auto.startswith("SAME"):
                target = size * strides[i]
            if target is None:
                after -= extra[i]
            else:
                total = full - target
                half = total // 2
                before, after = (half, total - half) if auto == "SAME_UPPER" else (total - half, half)
        elif auto.startswith("SAME"):
            total = max(0, (-(-size // strides[i]) - 1) * strides[i] + reach - size)
            half = total // 2
            before, after = (half, total - half) if auto == "SAME_UPPER" else (total - half, half)
        pads.append((before, after))
        made = window_output(size, kernel[i], strides[i], dilations[i], before, after, transposed)
        if node.i("ceil_mode", 0) and not transposed:
            up = -(-(size + before + after - reach) // strides[i]) + 1
            made = up - 1 if (up - 1) * strides[i] >= size + before else up
        if made < 1:
            raise NodeError(
                f"kernel {kernel[i]} (dilation {dilations[i]}) does not fit input {size} with padding "
                f"({before}, {after}); correct the model"
            )
        out.append(made)
    return Geometry(kernel, strides, dilations, tuple(pads), tuple(out))


@rule(*CONV_OPERANDS)
def _conv(node: Node, ins: Inputs, opset: int) -> list[Result]:
    first, second = CONV_OPERANDS[node.op]
    x, w = need(ins, first), need(ins, second)
    groups = node.i("group", 1)
    if not 3 <= len(x.shape) <= 5:
        raise Refusal(f"convolution over {len(x.shape) - 2} spatial axes; 1, 2 and 3 are supported")
    if len(w.shape) != len(x.shape) or groups < 1:
        raise NodeError(f"input {x.shape} and weight {w.shape} with {groups} groups do not fit; correct the model")
    transposed = node.op == "ConvTranspose"
    per_group = w.shape[0] // groups if transposed else w.shape[1]
    channels_out = w.shape[1] * groups if transposed else w.shape[0]
    if per_group * groups != x.shape[1] or (w.shape[0] % groups):
        raise NodeError(
            f"input has {x.shape[1]} channels, weight {w.shape} with {groups} groups takes {per_group * groups}; "
            "correct the model"
        )
    stated = node.ints("kernel_shape")
    if stated is not None and stated != w.shape[2:]:
        raise NodeError(f"kernel_shape is {stated}, the weight has {w.shape[2:]}; correct the model")
    g = geometry(node, x.shape[2:], w.shape[2:], transposed)
    kind = TensorProto.INT32 if node.op == "ConvInteger" else x.dtype
    if node.op == "QLinearConv":
        kind = need(ins, 7).dtype
    return [(kind, (x.shape[0], channels_out, *g.out))]


@rule("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool")
def _pool(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    if len(x.shape) < 3:
        raise NodeError(f"input has shape {x.shape}, needs at least 3 axes; correct the model")
    if len(node.outputs) > 1:
        raise Refusal("pooling that also returns indices is not supported; export without indices")
    g = geometry(node, x.shape[2:], node.ints("kernel_shape") or ())
    if any(d > 1 for d in g.dilations):
        raise Refusal(f"dilated pooling (dilations {list(g.dilations)}) is not modelled")
    return [(x.dtype, (*x.shape[:2], *g.out))]


@rule("GlobalAveragePool", "GlobalMaxPool", "QLinearGlobalAveragePool")
def _global_pool(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    if len(x.shape) < 3:
        raise NodeError(f"input has shape {x.shape}, needs at least 3 axes; correct the model")
    if node.i("channels_last", 0):
        raise Refusal("channels-last pooling is not supported; export channels first")
    return [(x.dtype, (*x.shape[:2], *(1,) * (len(x.shape) - 2)))]


@rule("Resize", "Upsample")
def _resize(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    scales = optional(ins, 1 if node.op == "Upsample" else 2)
    sizes = optional(ins, 3)
    rank = len(x.shape)
    axes = [axis_of(a, rank) for a in (node.ints("axes") or range(rank))]
    shape = list(x.shape)
    if sizes is not None and sizes.elements:
        if node.s("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Refusal("keep_aspect_ratio_policy other than 'stretch' is not supported")
        targets = integers(sizes, "the sizes input")
    elif scales is not None and scales.elements:
        if scales.data is None:
            raise Refusal("the scales input must be known before run time; export with fixed shapes")
        factors = np.asarray(scales.data, dtype=np.float64).reshape(-1)
        if (
            len(factors) != len(axes)
            or not np.all(np.isfinite(factors))
            or np.any(factors <= 0)
            or np.any(factors > 2**20)
        ):
            raise NodeError(f"scales are {factors.tolist()} for {len(axes)} axes; give positive factors, one per axis")
        targets = tuple(floor(float(np.float32(f)) * shape[a]) for a, f in zip(axes, factors, strict=True))
    else:
        raise NodeError("has neither scales nor sizes; export the model again")
    if len(targets) != len(axes):
        raise NodeError(f"sizes are {targets} for {len(axes)} axes; give one per axis")
    for axis, target in zip(axes, targets, strict=True):
        shape[axis] = target
    if any(s < 1 for s in shape):
        raise NodeError(f"output shape is {tuple(shape)}, bound is >= 1 per axis; correct the model")
    return [(x.dtype, tuple(shape))]
