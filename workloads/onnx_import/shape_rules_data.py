"""Output shapes of operators that move or make data."""

from __future__ import annotations

from math import prod

from onnx import TensorProto

from workloads.onnx_import.graph import Node, NodeError, Subgraph, Value
from workloads.onnx_import.shape_rules import (
    Inputs,
    Refusal,
    Result,
    axes_input,
    axis_of,
    integers,
    need,
    optional,
    rule,
)
from workloads.vector_layers import broadcast_shapes


@rule("Constant")
def _constant(node: Node, ins: Inputs, opset: int) -> list[Result]:
    value = node.attributes.get("value")
    if isinstance(value, Value):
        return [(value.dtype, value.shape)]
    for key, kind in (("value_int", TensorProto.INT64), ("value_float", TensorProto.FLOAT)):
        if key in node.attributes:
            return [(kind, ())]
    for key, kind in (("value_ints", TensorProto.INT64), ("value_floats", TensorProto.FLOAT)):
        if key in node.attributes:
            return [(kind, (len(node.attributes[key]),))]
    raise Refusal("string and sparse constants are not supported")


@rule("Shape")
def _shape(node: Node, ins: Inputs, opset: int) -> list[Result]:
    rank = len(need(ins, 0).shape)
    return [(TensorProto.INT64, (len(range(rank)[node.i("start", 0) : node.i("end", rank)]),))]


@rule("Size")
def _size(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(TensorProto.INT64, ())]


@rule("ConstantOfShape")
def _constant_of_shape(node: Node, ins: Inputs, opset: int) -> list[Result]:
    value = node.attributes.get("value")
    kind = value.dtype if isinstance(value, Value) else TensorProto.FLOAT
    return [(kind, integers(need(ins, 0), "the shape input"))]


@rule("Range")
def _range(node: Node, ins: Inputs, opset: int) -> list[Result]:
    values = []
    for i in range(3):
        value = need(ins, i)
        if value.data is None or value.elements != 1:
            raise Refusal("its limits must be known before run time; export with fixed shapes")
        values.append(float(value.data.reshape(-1)[0]))
    start, stop, step = values
    if step == 0 or not all(abs(v) < 2**53 for v in values):
        raise NodeError(f"range {start}:{stop}:{step} is not finite; correct the model")
    return [(need(ins, 0).dtype, (max(0, -int(-(stop - start) // step)),))]


@rule("Reshape")
def _reshape(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    wanted = list(integers(need(ins, 1), "the target shape"))
    for i, size in enumerate(wanted):
        if size == 0 and not node.i("allowzero", 0) and i < len(x.shape):
            wanted[i] = x.shape[i]
    if any(size < -1 for size in wanted) or wanted.count(-1) > 1:
        raise NodeError(f"target shape is {wanted}; at most one -1 and no other negative size, correct the model")
    if -1 in wanted:
        rest = -prod(wanted)
        if rest <= 0 or x.elements % rest:
            raise NodeError(f"{x.shape} with {x.elements} elements does not reshape to {wanted}; correct the model")
        wanted[wanted.index(-1)] = x.elements // rest
    if prod(wanted) != x.elements:
        raise NodeError(f"{x.shape} with {x.elements} elements does not reshape to {wanted}; correct the model")
    return [(x.dtype, tuple(wanted))]


@rule("Flatten")
def _flatten(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x, axis = need(ins, 0), node.i("axis", 1)
    rank = len(x.shape)
    if not -rank <= axis <= rank:
        raise NodeError(f"axis is {axis}, bound is {-rank}..{rank}; correct the model")
    axis = axis + rank if axis < 0 else axis
    return [(x.dtype, (prod(x.shape[:axis]), prod(x.shape[axis:])))]


@rule("Squeeze")
def _squeeze(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    axes = axes_input(node, ins, 1)
    if axes is None:
        return [(x.dtype, tuple(s for s in x.shape if s != 1))]
    gone = {axis_of(a, len(x.shape)) for a in axes}
    if any(x.shape[a] != 1 for a in gone):
        raise NodeError(f"axes {sorted(gone)} of {x.shape} are not all of size 1; correct the model")
    return [(x.dtype, tuple(s for i, s in enumerate(x.shape) if i not in gone))]


@rule("Unsqueeze")
def _unsqueeze(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    axes = axes_input(node, ins, 1)
    if axes is None:
        raise NodeError("axes are missing; export the model again")
    rank = len(x.shape) + len(axes)
    places = {axis_of(a, rank) for a in axes}
    if len(places) != len(axes):
        raise NodeError(f"axes {axes} repeat; correct the model")
    rest = iter(x.shape)
    return [(x.dtype, tuple(1 if i in places else next(rest) for i in range(rank)))]


@rule("Transpose")
def _transpose(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    perm = node.ints("perm") or tuple(reversed(range(len(x.shape))))
    if sorted(perm) != list(range(len(x.shape))):
        raise NodeError(f"perm is {perm}, needs a permutation of 0..{len(x.shape) - 1}; correct the model")
    return [(x.dtype, tuple(x.shape[p] for p in perm))]


def concat_parts(node: Node, ins: Inputs) -> list[Value]:
    """Return the tensors that a (quantised) concatenation joins."""
    if node.op == "QLinearConcat":
        return [need(ins, i) for i in range(2, len(ins), 3)]
    return [v for v in ins if v is not None]


@rule("Concat", "QLinearConcat")
def _concat(node: Node, ins: Inputs, opset: int) -> list[Result]:
    parts = concat_parts(node, ins)
    if not parts:
        raise NodeError("has no inputs; export the model again")
    first = parts[0].shape
    axis = axis_of(node.i("axis", 0), len(first))
    for part in parts:
        if len(part.shape) != len(first) or any(
            i != axis and a != b for i, (a, b) in enumerate(zip(part.shape, first, strict=True))
        ):
            raise NodeError(f"shapes {[p.shape for p in parts]} differ outside axis {axis}; correct the model")
    return [(parts[0].dtype, (*first[:axis], sum(p.shape[axis] for p in parts), *first[axis + 1 :]))]


@rule("Split")
def _split(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    axis = axis_of(node.i("axis", 0), len(x.shape))
    stated = optional(ins, 1)
    sizes = node.ints("split") or (integers(stated, "the split sizes") if stated is not None else None)
    if sizes is None:
        count = len(node.outputs)
        part = -(-x.shape[axis] // count)
        sizes = (*(part,) * (count - 1), x.shape[axis] - part * (count - 1))
    if len(sizes) != len(node.outputs) or sum(sizes) != x.shape[axis] or any(s < 0 for s in sizes):
        raise NodeError(
            f"parts {sizes} of axis {axis} with size {x.shape[axis]} for {len(node.outputs)} outputs; correct it"
        )
    return [(x.dtype, (*x.shape[:axis], s, *x.shape[axis + 1 :])) for s in sizes]


def slice_ranges(node: Node, ins: Inputs) -> list[tuple[int, int, int]]:
    """Return (start, stop, step) for every axis of the input, clipped as the specification says."""
    x = need(ins, 0)
    rank = len(x.shape)
    starts, stops = (integers(need(ins, i), "the slice limits") for i in (1, 2))
    axes_in, steps_in = optional(ins, 3), optional(ins, 4)
    axes = integers(axes_in, "the slice axes") if axes_in is not None else tuple(range(len(starts)))
    steps = integers(steps_in, "the slice steps") if steps_in is not None else (1,) * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps):
        raise NodeError(
            f"{len(starts)} starts, {len(stops)} stops, {len(axes)} axes, {len(steps)} steps; correct the model"
        )
    ranges = [(0, size, 1) for size in x.shape]
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if step == 0:
            raise NodeError("a slice step is 0; correct the model")
        place = axis_of(axis, rank)
        ranges[place] = slice(start, stop, step).indices(x.shape[place])
    return ranges


@rule("Slice")
def _slice(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(need(ins, 0).dtype, tuple(len(range(*r)) for r in slice_ranges(node, ins)))]


@rule("Gather")
def _gather(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x, index = need(ins, 0), need(ins, 1)
    axis = axis_of(node.i("axis", 0), len(x.shape))
    return [(x.dtype, (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))]


@rule("GatherElements")
def _gather_elements(node: Node, ins: Inputs, opset: int) -> list[Result]:
    return [(need(ins, 0).dtype, need(ins, 1).shape)]


@rule("GatherND")
def _gather_nd(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x, index, batch = need(ins, 0), need(ins, 1), node.i("batch_dims", 0)
    if not index.shape or not 0 <= batch < len(index.shape) or not 1 <= index.shape[-1] <= len(x.shape) - batch:
        raise NodeError(f"indices {index.shape} do not fit data {x.shape}; correct the model")
    return [(x.dtype, (*index.shape[:-1], *x.shape[batch + index.shape[-1] :]))]


@rule("Expand")
def _expand(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    target = integers(need(ins, 1), "the target shape")
    shape = broadcast_shapes([x.shape, target])
    if shape is None:
        raise NodeError(f"{x.shape} does not broadcast to {target}; correct the model")
    return [(x.dtype, shape)]


@rule("Tile")
def _tile(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    repeats = integers(need(ins, 1), "the repeats")
    if len(repeats) != len(x.shape) or any(r < 0 for r in repeats):
        raise NodeError(f"repeats are {repeats} for {len(x.shape)} axes; correct the model")
    return [(x.dtype, tuple(s * r for s, r in zip(x.shape, repeats, strict=True)))]


def pad_widths(node: Node, ins: Inputs) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return padding before and after, for every axis."""
    rank = len(need(ins, 0).shape)
    pads = integers(need(ins, 1), "the pads")
    axes_in = optional(ins, 3)
    axes = [axis_of(a, rank) for a in integers(axes_in, "the axes")] if axes_in is not None else list(range(rank))
    if len(pads) != 2 * len(axes):
        raise NodeError(f"{len(pads)} pads for {len(axes)} axes; give two per axis")
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[len(axes) + i]
    return tuple(before), tuple(after)


@rule("Pad")
def _pad(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x = need(ins, 0)
    before, after = pad_widths(node, ins)
    shape = tuple(b + s + a for b, s, a in zip(before, x.shape, after, strict=True))
    if any(s < 0 for s in shape):
        raise NodeError(f"padded shape is {shape}; correct the model")
    return [(x.dtype, shape)]


@rule("DepthToSpace", "SpaceToDepth")
def _depth_space(node: Node, ins: Inputs, opset: int) -> list[Result]:
    x, b = need(ins, 0), node.i("blocksize", 0)
    if len(x.shape) != 4 or b < 1:
        raise NodeError(f"input {x.shape} with blocksize {b}; needs 4 axes and blocksize >= 1, correct the model")
    n, c, h, w = x.shape
    if node.op == "DepthToSpace":
        if c % (b * b):
            raise NodeError(f"{c} channels are not a multiple of blocksize squared ({b * b}); correct the model")
        return [(x.dtype, (n, c // (b * b), h * b, w * b))]
    if h % b or w % b:
        raise NodeError(f"plane {h} x {w} is not a multiple of blocksize {b}; correct the model")
    return [(x.dtype, (n, c * b * b, h // b, w // b))]


@rule("OneHot")
def _one_hot(node: Node, ins: Inputs, opset: int) -> list[Result]:
    indices = need(ins, 0)
    depth = integers(need(ins, 1), "the depth")
    rank = len(indices.shape) + 1
    axis = axis_of(node.i("axis", -1), rank)
    return [(need(ins, 2).dtype, (*indices.shape[:axis], *depth[:1], *indices.shape[axis:]))]


def has_subgraph(node: Node) -> bool:
    """Tell whether a node carries graphs, as control flow does."""
    return any(isinstance(v, Subgraph) for v in node.attributes.values())
