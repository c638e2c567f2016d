"""The network under construction: tensors keep the model's names, layers remember the node they come from."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto

from workloads.builder_core import BuilderCore
from workloads.data_layers import DataLayer
from workloads.errors import InternalError
from workloads.formats import Format, Int, parse_format
from workloads.layer import Layer, ShapedLayer
from workloads.onnx_import.fuse import Plan
from workloads.onnx_import.graph import Node
from workloads.onnx_import.shape_rules import Refusal
from workloads.tensor import Shape

_FORMATS: dict[int, str] = {
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.INT16: "int16",
    TensorProto.UINT16: "uint16",
    TensorProto.INT32: "int32",
    TensorProto.UINT32: "uint32",
    TensorProto.INT64: "int32",
    TensorProto.UINT64: "uint32",
    TensorProto.BOOL: "uint8",
    TensorProto.INT4: "int4",
    TensorProto.UINT4: "uint4",
}
"""Formats of integer element types; 64-bit indices are kept in 32 bits, truth values in a byte."""


class Emitter(BuilderCore):
    """Adds layers for one node at a time; `layers_of` tells which layers a node became."""

    def __init__(self, name: str, source: str, plan: Plan) -> None:
        super().__init__(name, source)
        self.plan = plan
        self.view = plan.view
        self.layers_of: dict[str, list[Layer]] = {}
        self.node: Node | None = None
        self._names = {node.label for node in plan.view.graph.nodes}
        self._renamed = {plan.view.root(name) for name in list(plan.view.alias)}

    # --- formats ----------------------------------------------------------------------------------------------------

    def format_of(self, name: str) -> Format:
        """Return the format of a tensor: quantisation's, else its integer type, else the default for float tensors."""
        root = self.view.root(name)
        kind = self.view.formats.get(root) or self.view.inferred.values[root].dtype
        if kind in _FORMATS:
            # an int32 sum whose casts and factors were absorbed is rescaled where it is made
            rescaled = kind == TensorProto.INT32 and root in self._renamed
            return self.activation if rescaled else parse_format(_FORMATS[kind])
        return self.activation

    # --- operands ---------------------------------------------------------------------------------------------------

    def operand(self, name: str, fmt: Format | None = None, shape: Shape | None = None) -> str:
        """Return the tensor that stands for `name`, adding it if it is a constant used for the first time."""
        if not self.view.constant(name):
            return self.view.root(name)
        root, _ = self.view.weight_root(name)
        if self.view.value(root).shape != self.view.value(name).shape:
            root = name
        wanted = self.view.value(root).shape if shape is None else shape
        kind = self.view.value(root).dtype
        fmt = parse_format(_FORMATS[kind]) if kind in _FORMATS else fmt or self.weight
        if root in self._tensors and self._tensors[root].shape != wanted:
            root = f"{root}@{'x'.join(map(str, wanted))}"
        if root not in self._tensors:
            self.tensor(root, wanted, fmt, "weight")
        return root

    def weight_matrix(self, name: str) -> tuple[str, bool]:
        """Return a constant as a tensor and whether its two axes are exchanged in it."""
        root, swapped = self.view.weight_root(name)
        if swapped:
            return self.operand(root), True
        return self.operand(name), False

    def is_weight(self, tensor: str) -> bool:
        """Tell whether a tensor of the network is a constant."""
        return self._tensors[tensor].kind == "weight"

    # --- layers -----------------------------------------------------------------------------------------------------

    def put(self, layer: Layer, formats: Sequence[Format] | None = None) -> str:
        """Add a layer for the current node and return its first output."""
        assert self.node is not None
        given = formats or [
            self.format_of(o) if o in self.view.inferred.values else self.activation for o in layer.outputs
        ]
        made = self.add_layer(layer, given)
        turned = self.node.label in self.plan.perms or self.node.label in self.plan.shapes
        for out in layer.outputs:
            known = self.view.inferred.values.get(out)
            if known is not None and known.shape != self.shape(out) and not turned:
                raise InternalError(
                    f"node '{self.node.label}' ({self.node.kind}): lowered to shape {self.shape(out)}, its rule says "
                    f"{known.shape}; report this as a bug"
                )
        self.layers_of.setdefault(self.node.label, []).append(layer)
        return made[0]

    def make(
        self,
        cls: type[ShapedLayer],
        op: str,
        inputs: Sequence[str],
        output: str | None = None,
        fmt: Format | None = None,
        **fields: object,
    ) -> str:
        """Add a one-output layer over tensors of the network; without `output` a name is derived from the node's."""
        assert self.node is not None
        label = self.step_name(op)
        out = output or self.free_name(f"{label}.out")
        shapes = tuple(self.shape(x) for x in inputs)
        layer = cls(label, op, tuple(inputs), (out,), shapes, **fields)
        # moved data keep their format, unless quantisation states one for the result
        moved = issubclass(cls, DataLayer) or op == "max_pool"
        if fmt is None and (output is None or moved) and self.view.root(out) not in self.view.formats:
            fmt = self.format(inputs[0]) if moved else self.activation
        return self.put(layer, [fmt] if fmt else None)

    def free_name(self, name: str) -> str:
        """Return `name`, changed until no tensor of the model or the network has it."""
        while name in self._tensors or name in self.view.inferred.values:
            name += "_"
        return name

    def step_name(self, op: str) -> str:
        """Return the name of the current node's next layer: the node's own for the first one."""
        assert self.node is not None
        if not self.layers_of.get(self.node.label):
            return self.node.label
        index = len(self.layers_of[self.node.label])
        name = f"{self.node.label}.{op}{index}"
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def refuse(self, reason: str, host: bool = False) -> Refusal:
        """Return the refusal of the current node."""
        return Refusal(reason, host)


def unsigned_byte() -> Format:
    """Return the format of truth values and of dynamically quantised tensors."""
    return Int(8, signed=False)
