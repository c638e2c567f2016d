"""What disappears into a neighbour: batch norm, bias and padding into a product, scalar factors into scales."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from workloads.onnx_import.graph import Node
from workloads.onnx_import.patterns import Match, find_patterns
from workloads.onnx_import.shape_rules_data import pad_widths
from workloads.onnx_import.view import View

PRODUCTS = {"Conv", "ConvTranspose", "ConvInteger", "MatMul", "MatMulInteger", "Gemm"}
_FLOATS = {1, 10, 11, 16}  # float, float16, double, bfloat16


@dataclass
class Plan:
    """The view with everything foldable decided.

    Parameters
    ----------
    matches : dict
        Recognised function by the label of its last node.
    scale, bias : dict
        Constant per-channel tensors that a product takes over, by the product's label.
    perms : dict
        Replaced permutation of a Transpose, by label: its reader takes the matrix the other way round.
    swapped : set
        MatMul nodes whose second operand is stored with its last two axes exchanged.
    """

    view: View
    matches: dict[str, Match] = field(default_factory=dict)
    scale: dict[str, str] = field(default_factory=dict)
    bias: dict[str, str] = field(default_factory=dict)
    perms: dict[str, tuple[int, ...]] = field(default_factory=dict)
    swapped: set[str] = field(default_factory=set)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Replaced output shape of a Reshape between such a Transpose and its reader, by label."""
    pads: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Explicit zero padding in front of a convolution, by the convolution's label."""
    parameters: set[str] = field(default_factory=set)
    """Run-time scalars that are scales or zero points of dynamic quantisation, by root."""

    def drop(self, node: Node, reason: str) -> None:
        """Record that a node costs nothing."""
        self.view.folded[node.label] = reason


def plan(view: View) -> Plan:
    """Decide every fold, in the order: functions, normalisation and bias, scalar factors, transpositions."""
    made = Plan(view)
    _take_matches(made)
    _dynamic_scales(made)
    changed = True
    while changed:  # a bias behind a scalar behind a convolution becomes visible once the scalar is gone
        changed = _scalar_factors(made) | _channel_terms(made)
    _zero_padding(made)
    _transposed_operands(made)
    return made


def _take_matches(made: Plan) -> None:
    view = made.view
    gone: set[str] = set()
    for match in find_patterns(view):
        last = match.nodes[-1]
        made.matches[last.label] = match
        for node in match.nodes[:-1]:
            gone.add(node.label)
            made.drop(node, f"part of {match.kind} '{last.label}'")
    view.place(n for n in view.nodes if n.label not in gone)
    for match in made.matches.values():  # uses inside the region are gone: only the source is read
        view.users.setdefault(match.source, {})[match.nodes[-1].label] = match.nodes[-1]


def _remove(made: Plan, node: Node, kept: str, reason: str) -> None:
    """Take a node out: its output becomes another name of `kept`."""
    view = made.view
    root, out = view.root(kept), node.outputs[0]
    if out in view.kept:
        view.kept.add(root)
    view.join(out, root)
    made.drop(node, reason)
    view.makers.pop(out, None)
    users = view.users.setdefault(root, {})
    users.pop(node.label, None)
    users.update(view.users.pop(out, {}))


def _dynamic_scales(made: Plan) -> None:
    """Follow the run-time scales of dynamic quantisation: arithmetic on them alone is a few scalars per layer."""
    view = made.view
    kept: list[Node] = []
    for node in view.nodes:
        if node.op == "DynamicQuantizeLinear":
            made.parameters.update(o for o in node.outputs[1:] if o)
        runtime = view.runtime_inputs(node)
        if runtime and node.op in ("Mul", "Div") and all(r in made.parameters for r in runtime):
            made.parameters.add(node.outputs[0])
            made.drop(node, "a scale of dynamic quantisation, one number per layer")
        else:
            kept.append(node)
    view.place(kept) if len(kept) < len(view.nodes) else None


def _scalar_factors(made: Plan) -> bool:
    """Absorb multiplications by one constant into the scale of the tensor. Returns whether any was found."""
    view = made.view
    gone: set[str] = set()
    for node in view.nodes:
        if node.op not in ("Mul", "Div") or node.domain or len(node.inputs) != 2 or node.label in made.matches:
            continue
        a, b = node.inputs
        if node.op == "Mul" and (view.scalar(a) or view.root(a) in made.parameters):
            a, b = b, a
        if view.constant(a) or view.value(node.outputs[0]).dtype not in _FLOATS:
            continue
        if view.value(node.outputs[0]).shape != view.value(a).shape:
            continue
        if view.root(b) in made.parameters or view.scalar(b):
            _remove(made, node, a, "a constant factor, absorbed in the scale of the tensor")
            gone.add(node.label)
    view.nodes = tuple(n for n in view.nodes if n.label not in gone)
    return bool(gone)


def _channel_terms(made: Plan) -> bool:
    """Fold batch norm and constant bias into the product before them. Returns whether any was found."""
    view = made.view
    gone: set[str] = set()
    for node in view.nodes:
        if node.domain or node.op not in ("BatchNormalization", "Add"):
            continue
        runtime = view.runtime_inputs(node)
        maker = view.makers.get(runtime[0]) if len(runtime) == 1 else None
        if maker is None or maker.op not in PRODUCTS or maker.domain or view.only_user(runtime[0]) is not node:
            continue
        if node.op == "BatchNormalization":
            if maker.op.startswith("Conv") and maker.label not in made.scale:
                made.scale[maker.label], made.bias[maker.label] = node.inputs[1], node.inputs[2]
                _remove(made, node, runtime[0], f"folded into '{maker.label}'")
                gone.add(node.label)
            continue
        constants = [i for i in node.inputs if view.constant(i)]
        if len(constants) != 1 or maker.label in made.bias or _has_bias(maker, view):
            continue
        if _per_channel(view.value(constants[0]).shape, maker, view):
            made.bias[maker.label] = constants[0]
            _remove(made, node, runtime[0], f"folded into '{maker.label}' as its bias")
            gone.add(node.label)
    view.nodes = tuple(n for n in view.nodes if n.label not in gone)
    return bool(gone)


def _has_bias(node: Node, view: View) -> bool:
    return node.op in ("Conv", "ConvTranspose", "Gemm") and len(node.inputs) > 2 and bool(node.inputs[2])


def _per_channel(shape: tuple[int, ...], product: Node, view: View) -> bool:
    """Tell whether a constant has one value per output channel of a product."""
    out = view.value(product.outputs[0]).shape
    place = 1 if product.op.startswith("Conv") else len(out) - 1
    aligned = (1,) * (len(out) - len(shape)) + shape
    return len(aligned) == len(out) and prod(aligned) == out[place] == aligned[place]


def _zero_padding(made: Plan) -> None:
    """Give a convolution the zero padding that stands in front of it as a node."""
    view = made.view
    gone: set[str] = set()
    for node in view.nodes:
        if node.op != "Pad" or node.domain or node.s("mode", "constant") != "constant":
            continue
        user = view.only_user(node.outputs[0])
        if (
            user is None
            or user.op not in ("Conv", "ConvInteger")
            or user.domain
            or user.s("auto_pad", "NOTSET") != "NOTSET"
        ):
            continue
        if view.root(user.inputs[0]) != node.outputs[0] or not _pads_with_zero(node, view):
            continue
        before, after = pad_widths(node, [view.inferred.values.get(i) if i else None for i in node.inputs])
        if any(before[:2] + after[:2]) or min(*before, *after) < 0:
            continue
        made.pads[user.label] = tuple(zip(before[2:], after[2:], strict=True))
        _remove(made, node, node.inputs[0], f"folded into '{user.label}' as its padding")
        gone.add(node.label)
    view.nodes = tuple(n for n in view.nodes if n.label not in gone)


def _pads_with_zero(node: Node, view: View) -> bool:
    if len(node.inputs) < 3 or not node.inputs[2]:
        return True
    data = view.value(node.inputs[2]).data
    return data is not None and data.size == 1 and float(data.reshape(-1)[0]) == 0.0


def _transposed_operands(made: Plan) -> None:
    """Give a product its second operand untransposed where that keeps rows contiguous (K of attention)."""
    view = made.view
    for node in view.nodes:
        if node.op != "MatMul" or node.domain or view.constant(node.inputs[1]):
            continue
        name = node.inputs[1]
        if view.root(node.inputs[0]) == view.root(name) or view.only_user(name) is not node:
            continue
        maker = view.maker(name)
        between = maker if maker is not None and maker.op == "Reshape" else None
        if between is not None:
            # exporters merge batch and heads for the transposition and split them behind it
            inner, outer = view.value(between.inputs[0]).shape, view.value(between.outputs[0]).shape
            if inner[-2:] != outer[-2:] or view.only_user(between.inputs[0]) is not between:
                continue
            maker = view.maker(between.inputs[0])
        if maker is None or maker.op != "Transpose" or maker.domain:
            continue
        rank = len(view.value(maker.inputs[0]).shape)
        perm = maker.ints("perm") or tuple(reversed(range(rank)))
        if rank < 2 or perm[-2] != rank - 1:
            continue
        made.perms[maker.label] = (*perm[:-2], perm[-1], perm[-2])
        made.swapped.add(node.label)
        if between is not None:
            shape = view.value(between.outputs[0]).shape
            made.shapes[between.label] = (*shape[:-2], shape[-1], shape[-2])


def attention_nodes(view: View) -> set[str]:
    """Return the nodes of attention: product, mask, softmax and product over tensors made at run time."""
    found: set[str] = set()
    between = {"Add", "Where", "Reshape", "Transpose", "Dropout"}
    for node in view.nodes:
        if node.op != "Softmax":
            continue
        chain, name = [node.label], node.inputs[0]
        for _ in range(4):
            maker = view.maker(name)
            if maker is None:
                break
            chain.append(maker.label)
            if maker.op == "MatMul":
                break
            sources = [i for i in maker.inputs if i and not view.constant(i)]
            if maker.op not in between or not sources:
                maker = None
                break
            # of a mask and the scores, the scores are the one that has the full shape
            name = max(sources, key=lambda i: view.value(i).elements)
        user = view.only_user(node.outputs[0])
        while user is not None and user.op in between:
            chain.append(user.label)
            user = view.only_user(user.outputs[0])
        if maker is not None and maker.op == "MatMul" and user is not None and user.op == "MatMul":
            found.update(chain, [user.label])
    return found
