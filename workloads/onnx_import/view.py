"""The graph as the lowering sees it: constants folded, dead nodes dropped, copies collapsed, uses counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from workloads.onnx_import.graph import Graph, Node, Value
from workloads.onnx_import.infer import Inferred

_COPIES = {
    "Identity": "a copy",
    "Dropout": "dropout does nothing at inference",
    "Cast": "a change of element type; the importer chooses the number formats",
    "CastLike": "a change of element type; the importer chooses the number formats",
    "QuantizeLinear": "gives the tensor its number format",
    "DequantizeLinear": "gives the tensor its number format",
}


@dataclass
class View:
    """What remains of a graph for the accelerator.

    Parameters
    ----------
    graph, inferred
        The graph and what is known of its tensors.
    nodes : tuple of Node
        Nodes to place, in execution order: neither constant, nor dead, nor refused, nor a copy.
    alias : dict
        Tensor that is another tensor under a new name.
    folded : dict
        Why a node costs nothing, by label.
    """

    graph: Graph
    inferred: Inferred
    nodes: tuple[Node, ...] = ()
    alias: dict[str, str] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    """Element type that quantisation gives a tensor, by root name."""
    makers: dict[str, Node] = field(default_factory=dict)
    users: dict[str, dict[str, Node]] = field(default_factory=dict)
    """Placed nodes that read a tensor, by root and label."""
    kept: set[str] = field(default_factory=set)
    """Roots that must exist as tensors: graph outputs and inputs of host nodes."""

    @classmethod
    def of(cls, graph: Graph, inferred: Inferred) -> View:
        """Return the view of a graph before patterns are recognised."""
        view = cls(graph, inferred)
        alive = _alive(graph)
        placed = []
        for node in graph.nodes:
            outs = [inferred.values.get(o) for o in node.outputs if o]
            if node.label in inferred.refusals:
                continue
            if node.label not in alive:
                view.folded[node.label] = "its result is not used"
            elif outs and all(v is not None and v.constant for v in outs):
                view.folded[node.label] = "computed from constants before run time"
            elif node.op in _COPIES and not node.domain:
                view.folded[node.label] = _COPIES[node.op]
                view.join(node.outputs[0], node.inputs[0])
                if node.op == "QuantizeLinear":
                    view.formats[view.root(node.inputs[0])] = outs[0].dtype if outs[0] else 0
                elif node.op == "DequantizeLinear" and node.inputs[0] in graph.inputs:
                    view.formats[node.inputs[0]] = graph.inputs[node.inputs[0]].dtype
            else:
                placed.append(node)
        for node in graph.nodes:
            if node.label in inferred.refusals and inferred.refusals[node.label].host:
                view.kept.update(view.root(i) for i in node.inputs if i)
        view.kept.update(view.root(o) for o in graph.outputs)
        view.place(placed)
        return view

    def place(self, nodes: Iterable[Node]) -> None:
        """Set the nodes and recount makers and users."""
        self.nodes = tuple(nodes)
        self.makers = {out: node for node in self.nodes for out in node.outputs if out}
        self.users = {}
        for node in self.nodes:
            for name in dict.fromkeys(self.root(i) for i in node.inputs if i):
                self.users.setdefault(name, {})[node.label] = node

    def join(self, name: str, other: str) -> None:
        """Make `name` another name of `other`."""
        self.alias[name] = self.root(other)

    def root(self, name: str) -> str:
        """Return the tensor that `name` stands for."""
        seen = name
        while seen in self.alias:
            seen = self.alias[seen]
        if seen != name:
            self.alias[name] = seen
        return seen

    def value(self, name: str) -> Value:
        """Return what is known of a tensor (shape of the name used, not of its root)."""
        return self.inferred.values[name]

    def maker(self, name: str) -> Node | None:
        """Return the placed node that makes a tensor."""
        return self.makers.get(self.root(name))

    def only_user(self, name: str) -> Node | None:
        """Return the one placed node that reads a tensor, None where there are several or the tensor is kept."""
        root = self.root(name)
        users = self.users.get(root, {})
        return next(iter(users.values())) if len(users) == 1 and root not in self.kept else None

    def constant(self, name: str) -> bool:
        """Tell whether a tensor is known before run time."""
        value = self.inferred.values.get(name)
        return value is not None and value.constant

    def scalar(self, name: str) -> bool:
        """Tell whether a tensor is a constant of one element."""
        return self.constant(name) and self.value(name).elements == 1

    def runtime_inputs(self, node: Node) -> list[str]:
        """Return the roots of the inputs that are made at run time, each once."""
        return list(dict.fromkeys(self.root(i) for i in node.inputs if i and not self.constant(i)))

    def weight_root(self, name: str) -> tuple[str, bool]:
        """Return the initializer behind a constant and whether it is transposed (two axes swapped) on the way.

        Follows copies, casts, dequantisation and a transposition of a matrix: a table used twice stays one tensor.
        """
        makers = self._constant_makers
        swapped = False
        while name in makers:
            node = makers[name]
            if node.op in ("Identity", "Cast", "DequantizeLinear"):
                name = node.inputs[0]
            elif node.op == "Transpose" and len(self.value(name).shape) == 2 and node.ints("perm") in (None, (1, 0)):
                name, swapped = node.inputs[0], not swapped
            else:
                break
        return name, swapped

    @cached_property
    def _constant_makers(self) -> dict[str, Node]:
        return {
            out: node for node in self.graph.nodes for out in node.outputs if out and self.constant(out) and node.inputs
        }


def _alive(graph: Graph) -> set[str]:
    """Return the labels of nodes that some graph output depends on."""
    maker = {out: node for node in graph.nodes for out in node.outputs if out}
    wanted = [o for o in graph.outputs if o in maker]
    alive: set[str] = set()
    while wanted:
        node = maker[wanted.pop()]
        if node.label in alive:
            continue
        alive.add(node.label)
        wanted.extend(i for i in node.inputs if i in maker)
    return alive
