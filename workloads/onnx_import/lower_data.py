"""Operators that move data: views where the bytes stay, copies with their cost where they do not."""

from __future__ import annotations

from math import prod

import numpy as np

from workloads.data_layers import Concat, Expand, Gather, Pad, Reshape, Slice, Split, Transpose
from workloads.onnx_import.emit import Emitter
from workloads.onnx_import.graph import Node, Value
from workloads.onnx_import.shape_rules import axis_of
from workloads.onnx_import.shape_rules_data import pad_widths, slice_ranges

_RESHAPES = {"Reshape": "reshape", "Flatten": "flatten", "Squeeze": "squeeze", "Unsqueeze": "unsqueeze"}
_MAX_COPIES = 256


def _values(e: Emitter, node: Node) -> list[Value | None]:
    return [e.view.inferred.values.get(i) if i else None for i in node.inputs]


def lower_reshape(e: Emitter, node: Node) -> None:
    """Lower a change of shape: a view."""
    x = e.operand(node.inputs[0])
    shape = e.plan.shapes.get(node.label) or e.view.value(node.outputs[0]).shape
    e.make(Reshape, _RESHAPES[node.op], [x], node.outputs[0], out_shape=shape)


def lower_transpose(e: Emitter, node: Node) -> None:
    """Lower an axis permutation, the other way round where the reader takes it so."""
    x = e.operand(node.inputs[0])
    perm = e.plan.perms.get(node.label) or node.ints("perm") or tuple(reversed(range(len(e.shape(x)))))
    e.make(Transpose, "transpose", [x], node.outputs[0], perm=perm)


def lower_concat(e: Emitter, node: Node) -> None:
    """Lower a concatenation; constant parts (class tokens) are weights."""
    names = list(node.inputs[2::3]) if node.op == "QLinearConcat" else [i for i in node.inputs if i]
    inputs = [e.operand(i) for i in names]
    if len(inputs) == 1:
        e.make(Reshape, "identity", inputs, node.outputs[0], out_shape=e.shape(inputs[0]))
        return
    axis = axis_of(node.i("axis", 0), len(e.shape(inputs[0])))
    e.make(Concat, "concat", inputs, node.outputs[0], axis=axis)


def lower_split(e: Emitter, node: Node) -> None:
    """Lower a split; parts that nobody reads are made all the same."""
    x = e.operand(node.inputs[0])
    axis = axis_of(node.i("axis", 0), len(e.shape(x)))
    sizes = tuple(e.view.value(o).shape[axis] for o in node.outputs)
    layer = Split(e.step_name("split"), "split", (x,), node.outputs, (e.shape(x),), axis, sizes)
    e.put(layer)


def lower_slice(e: Emitter, node: Node) -> None:
    """Lower a slice with positive steps."""
    x = e.operand(node.inputs[0])
    ranges = slice_ranges(node, _values(e, node))
    if any(step < 1 for _, _, step in ranges):
        raise e.refuse("a slice with a negative step is not supported", host=True)
    starts, stops, steps = (tuple(r[i] for r in ranges) for i in range(3))
    e.make(Slice, "slice", [x], node.outputs[0], starts=starts, stops=stops, steps=steps)


def lower_gather(e: Emitter, node: Node) -> None:
    """Lower a gather: a slice for evenly spaced constant indices, else rows of a table."""
    axis = axis_of(node.i("axis", 0), len(e.view.value(node.inputs[0]).shape))
    index = e.view.value(node.inputs[1])
    out = e.view.value(node.outputs[0]).shape
    x = e.operand(node.inputs[0])
    shape = e.shape(x)
    if index.constant and index.data is not None and index.elements:
        picks = np.asarray(index.data).reshape(-1).astype(np.int64) % shape[axis]
        step = int(picks[1] - picks[0]) if len(picks) > 1 else 1
        if step >= 1 and np.array_equal(picks, picks[0] + step * np.arange(len(picks))):
            starts = tuple(int(picks[0]) if i == axis else 0 for i in range(len(shape)))
            stops = tuple(int(picks[-1]) + 1 if i == axis else s for i, s in enumerate(shape))
            steps = tuple(step if i == axis else 1 for i in range(len(shape)))
            cut = tuple(len(picks) if i == axis else s for i, s in enumerate(shape))
            part = e.make(
                Slice, "slice", [x], node.outputs[0] if cut == out else None, starts=starts, stops=stops, steps=steps
            )
            if cut != out:
                e.make(Reshape, "reshape", [part], node.outputs[0], out_shape=out)
            return
    if axis != 0:
        raise e.refuse(
            f"a gather along axis {axis} with these indices is not supported; gather along axis 0", host=True
        )
    e.make(Gather, "gather", [x, e.operand(node.inputs[1])], node.outputs[0])


def lower_expand(e: Emitter, node: Node) -> None:
    """Lower a broadcast."""
    x, shape = e.operand(node.inputs[0]), e.view.value(node.outputs[0]).shape
    if e.shape(x) == shape:
        e.make(Reshape, "identity", [x], node.outputs[0], out_shape=shape)
        return
    if len(e.shape(x)) < len(shape):
        x = e.make(Reshape, "unsqueeze", [x], out_shape=(1,) * (len(shape) - len(e.shape(x))) + e.shape(x))
    e.make(Expand, "expand", [x], node.outputs[0], out_shape=shape)


def lower_tile(e: Emitter, node: Node) -> None:
    """Lower a repetition: a broadcast where the axis has size one, copies side by side elsewhere."""
    x, target = e.operand(node.inputs[0]), e.view.value(node.outputs[0]).shape
    shape = e.shape(x)
    todo = [i for i, (a, b) in enumerate(zip(shape, target, strict=True)) if a != b]
    if not todo:
        e.make(Reshape, "identity", [x], node.outputs[0], out_shape=target)
        return
    if all(shape[i] == 1 for i in todo):
        e.make(Expand, "expand", [x], node.outputs[0], out_shape=target)
        return
    for axis in todo:
        copies = target[axis] // shape[axis]
        if copies > _MAX_COPIES:
            raise e.refuse(f"tiling {copies} times is over the bound of {_MAX_COPIES}; use Expand on an axis of size 1")
        x = e.make(Concat, "concat", [x] * copies, node.outputs[0] if axis == todo[-1] else None, axis=axis)


def lower_pad(e: Emitter, node: Node) -> None:
    """Lower a border; negative padding cuts."""
    x = e.operand(node.inputs[0])
    before, after = pad_widths(node, _values(e, node))
    if all(p == 0 for p in (*before, *after)):
        e.make(Reshape, "identity", [x], node.outputs[0], out_shape=e.shape(x))
        return
    positive = (tuple(max(b, 0) for b in before), tuple(max(a, 0) for a in after))
    if min(*before, *after) < 0:
        starts = tuple(max(-b, 0) for b in before)
        stops = tuple(s - max(-a, 0) for s, a in zip(e.shape(x), after, strict=True))
        grown = any(p > 0 for p in (*before, *after))
        x = e.make(
            Slice,
            "slice",
            [x],
            None if grown else node.outputs[0],
            starts=starts,
            stops=stops,
            steps=(1,) * len(starts),
        )
        if not grown:
            return
    e.make(Pad, "pad", [x], node.outputs[0], before=positive[0], after=positive[1])


def lower_depth_space(e: Emitter, node: Node) -> None:
    """Lower a rearrangement between channels and plane: view, permutation, view."""
    x, out = e.operand(node.inputs[0]), e.view.value(node.outputs[0]).shape
    n, c, h, w = e.shape(x)
    b = node.i("blocksize", 1)
    if node.op == "SpaceToDepth":
        split, perm = (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4)
    elif node.s("mode", "DCR") == "DCR":
        split, perm = (n, b, b, c // (b * b), h, w), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (n, c // (b * b), b, b, h, w), (0, 1, 4, 2, 5, 3)
    assert prod(split) == prod(out)
    x = e.make(Reshape, "reshape", [x], out_shape=split)
    x = e.make(Transpose, "transpose", [x], perm=perm)
    e.make(Reshape, "reshape", [x], node.outputs[0], out_shape=out)
