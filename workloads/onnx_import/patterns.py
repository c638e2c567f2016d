"""Recognise functions that exporters spell out: a region of small operators is run on sample points and compared.

A region with one runtime input, one output and scalar constants only *is* a function of one tensor. Evaluating it tells
which, in whatever order or form it was written: GELU (both forms), SiLU, hard swish, hard sigmoid, layer and RMS norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workloads.onnx_import.fold import BINARY, UNARY
from workloads.onnx_import.graph import Array, Node
from workloads.onnx_import.shape_rules import reduced_axes
from workloads.onnx_import.view import View

MAX_REGION = 10
_SIGNS = {"Erf", "Tanh", "Sigmoid", "HardSigmoid", "ReduceMean", "Clip", "Min", "Max", "Relu"}
_ANCHORS = {"Mul", "Div", "Add"}
_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Pow"}
_TOLERANCE = 1e-4  # the two GELU forms differ by 5e-4, a layer norm's epsilon by less than 1e-4 at unit variance


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


FUNCTIONS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("gelu", lambda x: np.asarray(0.5 * x * (1 + UNARY["Erf"](x / math.sqrt(2))))),
    ("gelu_tanh", _gelu_tanh),
    ("silu", lambda x: x * _sigmoid(x)),
    ("silu", lambda x: x * _sigmoid(1.702 * x)),  # the sigmoid form of GELU costs what SiLU costs
    ("hardswish", lambda x: x * _hard_sigmoid(x)),
    ("hardsigmoid", _hard_sigmoid),
)


_SAMPLE = np.linspace(-6.5, 6.5, 27)
_WANTED = np.stack([function(_SAMPLE) for _, function in FUNCTIONS])


@dataclass
class Match:
    """A recognised function: its nodes are replaced by one layer at the place of the last node.

    `kind` is a layer operation; `axis` the first normalised axis of a norm; `scale` and `bias` its constants.
    """

    kind: str
    nodes: list[Node]
    source: str
    output: str
    axis: int = 0
    scale: str | None = None
    bias: str | None = None


@dataclass
class _Region:
    view: View
    nodes: list[Node] = field(default_factory=list)

    def evaluate(self, source: str, sample: Array) -> Array | None:
        """Return the region's output where `source` is `sample`."""
        known: dict[str, Array] = {source: sample}
        for node in reversed(self.nodes):
            arrays = []
            for name in node.inputs:
                if not name:
                    continue
                root = self.view.root(name)
                if root in known:
                    arrays.append(known[root])
                else:
                    data = self.view.value(name).data
                    if data is None:
                        return None
                    arrays.append(np.asarray(data, dtype=np.float64))
            with np.errstate(all="ignore"):
                made = _apply(node, arrays, self.view)
            if made is None:
                return None
            known[node.outputs[0]] = made
        return known[self.nodes[0].outputs[0]]


def _apply(node: Node, arrays: list[Array], view: View) -> Array | None:
    op = node.op
    if op == "ReduceMean":
        axes = _trailing(node, view)
        rank = len(view.value(node.inputs[0]).shape)
        if axes is None or arrays[0].ndim != rank:
            return None
        return np.asarray(np.mean(arrays[0], axis=tuple(range(axes, rank)), keepdims=True))
    if op == "HardSigmoid":
        alpha, beta = node.f("alpha", 0.2), node.f("beta", 0.5)
        return np.clip(alpha * arrays[0] + beta, 0, 1)
    if op == "Clip":
        low, high = clip_limits(node, view)
        return np.clip(arrays[0], low, high)
    if op in ("Min", "Max") and len(arrays) == 2:
        return np.asarray((np.minimum if op == "Min" else np.maximum)(*arrays))
    if op in BINARY and len(arrays) == 2:
        return np.asarray(BINARY[op](*arrays))
    return np.asarray(UNARY[op](arrays[0])) if op in UNARY and len(arrays) == 1 else None


def clip_limits(node: Node, view: View) -> tuple[float, float]:
    """Return (min, max) of a Clip node; infinite where absent or not known."""
    limits = [-math.inf, math.inf]
    for index in (1, 2):
        if index < len(node.inputs) and node.inputs[index]:
            data = view.value(node.inputs[index]).data
            if data is not None and data.size == 1:
                limits[index - 1] = float(data.reshape(-1)[0])
    return limits[0], limits[1]


def _trailing(node: Node, view: View) -> int | None:
    """Return the first of the trailing axes that a kept-dimension mean reduces, None where it is another mean."""
    values = [view.inferred.values.get(i) if i else None for i in node.inputs]
    axes = reduced_axes(node, values)
    rank = len(view.value(node.inputs[0]).shape)
    whole = tuple(range(rank - len(axes), rank))
    return whole[0] if axes and axes == whole and node.i("keepdims", 1) else None


def _member(node: Node, view: View) -> bool:
    """Tell whether a node may be inside a region: one known function, its constants scalar."""
    known = node.op in UNARY or node.op in _ARITHMETIC or node.op in _SIGNS
    return (
        known
        and not node.domain
        and all(
            not i or not view.constant(i) or view.value(i).elements == 1 or (node.op == "ReduceMean" and k == 1)
            for k, i in enumerate(node.inputs)
        )
    )


def find_patterns(view: View) -> list[Match]:
    """Return the recognised functions, largest first from the end of the graph, without overlap."""
    found: list[Match] = []
    taken: set[str] = set()
    position = {node.label: i for i, node in enumerate(view.nodes)}
    for node in reversed(view.nodes):
        if node.op in _ANCHORS and not node.domain and node.label not in taken and _member(node, view):
            match = _grow(node, view, position, taken)
            if match is not None:
                taken.update(n.label for n in match.nodes)
                found.append(match)
    for match in found:
        if match.axis:
            _take_affine(match, view, taken)
    return found[::-1]


def _grow(anchor: Node, view: View, position: dict[str, int], taken: set[str]) -> Match | None:
    """Grow a region backwards from its last node; the largest one that is a known function wins."""
    region = _Region(view, [anchor])
    inside = {anchor.label}
    frontier = view.runtime_inputs(anchor)
    best: Match | None = None
    while True:
        if len(frontier) == 1 and len(region.nodes) > 1 and any(n.op in _SIGNS for n in region.nodes):
            named = _identify(region, frontier[0])
            if named:
                best = Match(named[0], list(region.nodes[::-1]), frontier[0], anchor.outputs[0], named[1])
        makers = [(position[m.label], name, m) for name in frontier if (m := view.makers.get(name))]
        if not makers or len(region.nodes) >= MAX_REGION:
            return best
        _, name, maker = max(makers, key=lambda item: item[0])
        private = name not in view.kept and all(label in inside for label in view.users.get(name, ()))
        if maker.label in taken or not _member(maker, view) or not private:
            return best
        region.nodes.append(maker)
        inside.add(maker.label)
        frontier = list(dict.fromkeys([n for n in frontier if n != name] + view.runtime_inputs(maker)))
        if len(frontier) > 4:
            return best


def _identify(region: _Region, source: str) -> tuple[str, int] | None:
    """Return (layer operation, normalised axis or 0) of a region."""
    view = region.view
    shape = view.value(source).shape
    means = [n for n in region.nodes if n.op == "ReduceMean"]
    if not means:
        made = region.evaluate(source, _SAMPLE)
        if made is None or made.shape != _SAMPLE.shape:
            return None
        with np.errstate(all="ignore"):
            close = np.abs(_WANTED - made).max(axis=1) <= _TOLERANCE  # false where made is not a number
        return (FUNCTIONS[int(close.argmax())][0], 0) if close.any() else None
    axes = {_trailing(n, view) for n in means}
    axis = next(iter(axes))
    if len(axes) != 1 or axis is None or axis == 0:
        return None
    sizes = (2,) + (1,) * (axis - 1) + (5,) * (len(shape) - axis)
    sample = 3 * np.random.default_rng(7).standard_normal(sizes) + 1
    made = region.evaluate(source, sample)
    if made is None or made.shape != sample.shape:
        return None
    reduced = tuple(range(axis, len(shape)))
    centred = sample - sample.mean(reduced, keepdims=True)
    for name, x in (("layer_norm", centred), ("rms_norm", sample)):
        wanted = x / np.sqrt(np.mean(x**2, axis=reduced, keepdims=True))
        if np.allclose(made, wanted, rtol=1e-3, atol=1e-3):
            return name, axis
    return None


def _take_affine(match: Match, view: View, taken: set[str]) -> None:
    """Extend a norm by the scale and bias that follow it, where their shape is that of the normalised axes."""
    wanted = view.value(match.source).shape[match.axis :]
    for op, part in (("Mul", "scale"), ("Add", "bias")):
        user = view.only_user(match.output)
        if user is None or user.op != op or user.label in taken or len(user.inputs) != 2:
            return
        constants = [i for i in user.inputs if view.constant(i)]
        if len(constants) != 1 or view.value(constants[0]).shape != wanted:
            return
        if (part == "bias") and match.scale is None:
            return
        setattr(match, part, constants[0])
        match.nodes.append(user)
        taken.add(user.label)
        match.output = user.outputs[0]
