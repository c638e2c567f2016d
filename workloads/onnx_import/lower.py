"""From a planned graph to a network and a report of every node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workloads.data_layers import DataLayer
from workloads.errors import InputError
from workloads.layer import Layer
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.onnx_import import lower_data, lower_mac, lower_vector
from workloads.onnx_import.emit import Emitter
from workloads.onnx_import.fuse import attention_nodes, plan
from workloads.onnx_import.graph import Graph, Node
from workloads.onnx_import.infer import Inferred, infer
from workloads.onnx_import.report import NodeReport, Placement
from workloads.onnx_import.shape_rules import Refusal
from workloads.onnx_import.view import View

Lowering = Callable[[Emitter, Node], None]


def _table() -> dict[str, Lowering]:
    table: dict[str, Lowering] = {}
    table |= dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "QLinearConv"), lower_mac.lower_conv)
    table |= dict.fromkeys(("Gemm", "QGemm"), lower_mac.lower_gemm)
    table |= dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), lower_mac.lower_matmul)
    table["Attention"] = lower_mac.lower_attention
    table |= dict.fromkeys((*lower_vector.UNARY, "Gelu", "Clip", "Not"), lower_vector.lower_unary)
    table |= dict.fromkeys(lower_vector.BINARY, lower_vector.lower_binary)
    table |= dict.fromkeys(lower_vector.REDUCE, lower_vector.lower_reduce)
    norms = (
        "LayerNormalization",
        "RMSNormalization",
        "GroupNormalization",
        "InstanceNormalization",
        "BatchNormalization",
    )
    table |= dict.fromkeys(norms, lower_vector.lower_norm)
    table |= dict.fromkeys(("Softmax", "LogSoftmax", "QLinearSoftmax"), lower_vector.lower_softmax)
    pools = (
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "QLinearAveragePool",
        "QLinearGlobalAveragePool",
    )
    table |= dict.fromkeys(pools, lower_vector.lower_pool)
    table["IsNaN"] = lower_vector.lower_is_nan
    table |= {"Mish": lower_vector.lower_mish, "PRelu": lower_vector.lower_prelu}
    table |= {"ReduceSumSquare": lower_vector.lower_sum_square, "Resize": lower_vector.lower_resize}
    table["DynamicQuantizeLinear"] = lower_vector.lower_dynamic_quantise
    table |= dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), lower_data.lower_reshape)
    table |= dict.fromkeys(("Concat", "QLinearConcat"), lower_data.lower_concat)
    table |= dict.fromkeys(("DepthToSpace", "SpaceToDepth"), lower_data.lower_depth_space)
    table |= {"Transpose": lower_data.lower_transpose, "Split": lower_data.lower_split, "Slice": lower_data.lower_slice}
    table |= {"Gather": lower_data.lower_gather, "Expand": lower_data.lower_expand, "Tile": lower_data.lower_tile}
    table["Pad"] = lower_data.lower_pad
    return table


LOWERINGS = _table()
"""How each operator that reaches the accelerator becomes layers."""


@dataclass(frozen=True)
class Converted:
    """Outcome of a conversion: the network, or why there is none; the report of every node; notes."""

    network: Network | None
    problem: str
    nodes: tuple[NodeReport, ...]
    notes: tuple[str, ...]


def convert(graph: Graph, source: str) -> Converted:
    """Place every node and build the network of those that reach the accelerator."""
    inferred = infer(graph)
    view = View.of(graph, inferred)
    made = plan(view)
    name = graph.path.rsplit(".", 1)[0] or graph.path
    emitter = Emitter(name, source, made)
    read = {view.root(i) for node in view.nodes for i in node.inputs if i}
    read |= {view.root(match.source) for match in made.matches.values()}
    for tensor, value in graph.inputs.items():
        if tensor not in inferred.promoted and (view.root(tensor) in read or tensor in graph.outputs):
            emitter.tensor(tensor, value.shape, emitter.format_of(tensor), "input")
    for node in graph.nodes:
        if node.label in inferred.refusals:
            _stand_in(emitter, node)
    for node in view.nodes:
        try:
            _lower(emitter, node)
        except Refusal as refusal:
            _lose(inferred, emitter, node, refusal)
        except InputError as error:
            _lose(inferred, emitter, node, Refusal(str(error)))
    attention = attention_nodes(view)
    reports = tuple(_report(emitter, node, node.label in attention) for node in graph.nodes)
    problem = _problem(graph, inferred, emitter)
    if problem:
        return Converted(None, problem, reports, _notes(emitter, graph))
    return Converted(_network(emitter, graph), "", reports, _notes(emitter, graph))


def _lower(emitter: Emitter, node: Node) -> None:
    emitter.node = node
    view = emitter.view
    match = emitter.plan.matches.get(node.label)
    for name in node.inputs:
        if name and not view.constant(name) and match is None and not _exists(emitter, name):
            lost = view.inferred.lost.get(view.root(name))
            raise Refusal(
                f"its input '{name}' is made behind an operator that is not taken", lost.host if lost else False
            )
    if match is not None:
        lower_vector.lower_match(emitter, match)
        return
    if node.op not in LOWERINGS:
        raise Refusal("this operator cannot run on the array or the vector unit", host=True)
    LOWERINGS[node.op](emitter, node)


def _exists(emitter: Emitter, name: str) -> bool:
    root = emitter.view.root(name)
    return root in emitter._tensors or root in emitter.plan.parameters


def _stand_in(emitter: Emitter, node: Node) -> None:
    """Add the outputs of a node that is not placed as if they came from outside, so that those behind it are judged."""
    for out in node.outputs:
        value = emitter.view.inferred.values.get(out)
        if out and value is not None and all(s >= 1 for s in value.shape) and out not in emitter._tensors:
            emitter.tensor(out, value.shape, emitter.format_of(out), "input")


def _lose(inferred: Inferred, emitter: Emitter, node: Node, refusal: Refusal) -> None:
    """Record a node that turned out not to be placeable; layers made for it so far are taken back."""
    inferred.refusals[node.label] = refusal
    inferred.lost.update({out: refusal for out in node.outputs if out})
    for layer in emitter.layers_of.pop(node.label, []):
        emitter._layers.remove(layer)
        for out in layer.outputs:
            emitter._tensors.pop(out, None)
    _stand_in(emitter, node)


def _problem(graph: Graph, inferred: Inferred, emitter: Emitter) -> str:
    """Return why the graph cannot be simulated, or nothing; host work before and behind all layers is allowed."""
    bad = [n for n in graph.nodes if n.label in inferred.refusals and not inferred.refusals[n.label].host]
    bad = bad or _host_between(graph, inferred, emitter)
    if not bad:
        return ""
    first = bad[0]
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return (
        f"model '{graph.path}': node '{first.label}' ({first.kind}){more} cannot be simulated: "
        f"{inferred.refusals[first.label].reason}; see 'tilewright check'"
    )


def _host_between(graph: Graph, inferred: Inferred, emitter: Emitter) -> list[Node]:
    """Return host nodes that have layers both before and behind them."""
    root = emitter.view.root
    behind: set[str] = set()  # tensors that depend on a layer
    for node in graph.nodes:
        if emitter.layers_of.get(node.label) or any(root(i) in behind for i in node.inputs if i):
            behind.update(root(o) for o in node.outputs if o)
    ahead: set[str] = set()  # tensors that a layer depends on
    for node in reversed(graph.nodes):
        if emitter.layers_of.get(node.label) or any(root(o) in ahead for o in node.outputs if o):
            ahead.update(root(i) for i in node.inputs if i)
    return [
        node
        for node in graph.nodes
        if node.label in inferred.refusals
        and any(root(i) in behind for i in node.inputs if i)
        and any(root(o) in ahead for o in node.outputs if o)
    ]


def _network(emitter: Emitter, graph: Graph) -> Network:
    """Return the checked network: what the graph puts out, or what its host operators read."""
    view = emitter.view
    tensors = emitter._tensors
    used = {name for layer in emitter._layers for name in (*layer.inputs, *layer.outputs)}
    outputs = [r for r in dict.fromkeys(view.root(o) for o in graph.outputs) if r in tensors and r in used]
    hosts = [n for n in graph.nodes if n.label in view.inferred.refusals]
    read_by_host = dict.fromkeys(view.root(i) for n in hosts for i in n.inputs if i and not view.constant(i))
    outputs += [r for r in read_by_host if r in tensors and r in used and r not in outputs]
    if not emitter._layers or not outputs:
        raise InputError(f"model '{graph.path}': no operator of it runs on an accelerator; nothing to simulate")
    kept = {n: t for n, t in tensors.items() if n in used}
    inputs = tuple(n for n, t in kept.items() if t.kind == "input")
    return Network(emitter.name, kept, tuple(emitter._layers), inputs, tuple(outputs), emitter.source)


def _notes(emitter: Emitter, graph: Graph) -> tuple[str, ...]:
    """Return what a reader of the result must know about the import."""
    view = emitter.view
    notes = []
    if view.formats or any(n.op.startswith("QLinear") for n in graph.nodes):
        notes.append(
            "quantised model: tensors have the number formats of its quantisation; others are int8, sums int32"
        )
    elif any(n.op.endswith("Integer") for n in graph.nodes):
        notes.append(
            "integer model: products take the formats of the graph; everything between them is int8, sums int32"
        )
    else:
        notes.append("float model: simulated as int8 data and weights, int32 biases and sums; nothing was calibrated")
    missing = sum(v.data is None and v.elements <= 64 for v in graph.constants.values())
    if missing:
        notes.append(f"{missing} small constants have no data in the file; only their shapes are used")
    if view.inferred.promoted:
        notes.append(f"{len(view.inferred.promoted)} graph inputs are read as weights only and are taken as weights")
    hosts = [n.label for n in graph.nodes if n.label in view.inferred.refusals and view.inferred.refusals[n.label].host]
    if hosts:
        notes.append(f"{len(hosts)} nodes run on the host and are not simulated, the first is '{hosts[0]}'")
    if any(n.op == "Attention" and n.i("is_causal", 0) for n in graph.nodes):
        notes.append("causal attention computes the whole score matrix")
    return tuple(notes)


def _report(emitter: Emitter, node: Node, attention: bool) -> NodeReport:
    """Return where one node went, its MACs and its compulsory bytes."""
    view = emitter.view
    refusal = view.inferred.refusals.get(node.label)
    if refusal is not None:
        placement: Placement = "host" if refusal.host else "refused"
        return NodeReport(
            node.label, node.kind, placement, refusal.reason, _refused_macs(node, view), _bytes(node, view)
        )
    layers = emitter.layers_of.get(node.label, [])
    if not layers:
        return NodeReport(node.label, node.kind, "folded", view.folded.get(node.label, "costs nothing"), 0, 0)
    macs = sum(layer.macs for layer in layers)
    size = sum(layer.compulsory_bytes(emitter._tensors) for layer in layers)
    placement, reason = _placement(layers)
    match = emitter.plan.matches.get(node.label)
    if match is not None:
        reason = f"{match.kind} recognised from {len(match.nodes)} nodes"
    if attention:
        reason += ", part of attention"
    return NodeReport(node.label, node.kind, placement, reason, macs, size)


def _placement(layers: list[Layer]) -> tuple[Placement, str]:
    ops = ", ".join(dict.fromkeys(layer.op for layer in layers))
    if any(isinstance(layer, MacLayer) for layer in layers):
        return "mapped", ops
    if all(layer.is_alias for layer in layers):
        return "folded", f"{ops}: a view of the same bytes"
    if all(isinstance(layer, DataLayer) for layer in layers):
        return "mapped", f"{ops}: data movement"
    return "vector unit", ops


def _bytes(node: Node, view: View) -> int:
    """Return the bytes a refused node touches at one byte per element, as far as shapes are known."""
    names = dict.fromkeys((*node.inputs, *node.outputs))
    return sum(view.inferred.values[n].elements for n in names if n in view.inferred.values)


def _refused_macs(node: Node, view: View) -> int:
    """Return the MACs of a recurrent layer, so that its share is not shown as zero; 0 for other operators."""
    known = view.inferred.values
    if node.op not in ("LSTM", "GRU", "RNN") or len(node.inputs) < 3 or any(i not in known for i in node.inputs[:3]):
        return 0
    x, w, r = (known[i] for i in node.inputs[:3])
    steps = x.elements // x.shape[-1] if x.shape and x.shape[-1] else 0
    return steps * (w.elements + r.elements)
