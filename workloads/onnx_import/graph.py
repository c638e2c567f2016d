"""The graph of a model as plain Python objects, checked: names, order, cycles, dimensions, data references."""

from __future__ import annotations

import heapq
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from workloads.errors import InputError
from workloads.tensor import MAX_ELEMENTS

MIN_OPSET = 11
MAX_VALUES = 4096
"""Bound on the elements of a constant whose values are kept (it may be a shape); more are known by shape only."""
MAX_RANK = 16
MAX_DIM = (1 << 31) - 1

Array = npt.NDArray[Any]


class NodeError(InputError):
    """A node whose inputs or attributes contradict its operator: the model is invalid."""


@dataclass(frozen=True)
class Value:
    """What is known of one tensor of the graph.

    Parameters
    ----------
    dtype : int
        Element type code of ONNX (`TensorProto.DataType`).
    shape : tuple of int
    constant : bool
        Known before run time: an initializer, or computed from initializers alone.
    data : ndarray or None
        The values, where constant, small and present in the file.
    """

    dtype: int
    shape: tuple[int, ...]
    constant: bool = False
    data: Array | None = None

    @property
    def elements(self) -> int:
        """Value of the element count."""
        return prod(self.shape)


@dataclass(frozen=True)
class Node:
    """One operator of the graph; `domain` is empty for the standard operators, `label` names it in messages."""

    label: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Value of the operator name with its domain, as messages print it."""
        return f"{self.domain}.{self.op}" if self.domain else self.op

    def i(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise NodeError(f"attribute '{name}' must be an integer; export the model again")
        return value

    def ints(self, name: str) -> tuple[int, ...] | None:
        """Return an integer-list attribute, None where absent."""
        value = self.attributes.get(name)
        if value is not None and not (isinstance(value, tuple) and all(isinstance(v, int) for v in value)):
            raise NodeError(f"attribute '{name}' must be a list of integers; export the model again")
        return value

    def f(self, name: str, default: float) -> float:
        """Return a floating-point attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise NodeError(f"attribute '{name}' must be a number; export the model again")
        return float(value)

    def s(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise NodeError(f"attribute '{name}' must be a string; export the model again")
        return value


@dataclass
class Graph:
    """A checked graph: nodes in an order in which they can run, initializers, inputs with concrete shapes, outputs."""

    path: str
    opset: int
    nodes: tuple[Node, ...]
    constants: dict[str, Value]
    inputs: dict[str, Value]
    outputs: tuple[str, ...]
    declared: dict[str, Value] = field(default_factory=dict)
    """Concrete shapes that the file states for other tensors, used only behind operators that we cannot infer."""


class Subgraph:
    """Marks an attribute that holds a graph (control flow); its content is not read."""


def read_graph(serialised: bytes, path: Path, dims: Mapping[str, int], max_nodes: int) -> Graph:
    """Parse and check a skimmed model.

    Raises
    ------
    InputError
        For anything malformed or out of bounds, and for a symbolic dimension that `dims` does not give.
    """
    name = path.name
    try:
        model = onnx.ModelProto.FromString(serialised)
    except Exception as error:
        raise InputError(
            f"model '{name}': not a readable ONNX protobuf ({_first_line(error)}); export it again"
        ) from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.initializer or model.graph.output):
        raise InputError(f"model '{name}': the file holds no graph; it is empty or not an ONNX model, export it again")
    if len(model.graph.node) > max_nodes:
        raise InputError(
            f"model '{name}': {len(model.graph.node)} nodes, bound is {max_nodes}; split the model or raise max_nodes"
        )
    _check_text(model.graph, name)
    opset = _opset(model, name)
    if model.functions:
        model = _inline(model, name)
    graph = model.graph
    if graph.sparse_initializer:
        raise InputError(f"model '{name}': sparse initializers are not supported; export dense tensors")
    constants = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise InputError(f"model '{name}': initializer '{tensor.name}' appears twice; names must be unique")
        constants[tensor.name] = constant_of(tensor, f"model '{name}': initializer '{tensor.name}'", path.parent)
    inputs = _inputs(graph, constants, name, dims)
    nodes = _ordered(_nodes(graph, name, path.parent), set(constants) | set(inputs), name)
    made = {out for node in nodes for out in node.outputs}
    outputs = tuple(o.name for o in graph.output)
    for out in outputs:
        if out not in made and out not in constants and out not in inputs:
            raise InputError(f"model '{name}': output '{out}' is made by no node; correct the graph")
    if not outputs:
        raise InputError(f"model '{name}': the graph has no outputs; export it again")
    declared = {}
    for info in graph.value_info:
        shape = _concrete(info, dims)
        if shape is not None:
            declared[info.name] = Value(info.type.tensor_type.elem_type, shape)
    return Graph(name, opset, nodes, constants, inputs, outputs, declared)


def _check_text(graph: onnx.GraphProto, name: str) -> None:
    """Refuse names that are not UTF-8: the protobuf reader hands those over as bytes."""
    infos = [*graph.input, *graph.output, *graph.value_info]
    texts = [
        t
        for n in graph.node
        for t in (n.name, n.op_type, n.domain, *n.input, *n.output, *(a.name for a in n.attribute))
    ]
    texts += [t.name for t in (*graph.initializer, *infos)]
    texts += [d.dim_param for i in infos for d in i.type.tensor_type.shape.dim]
    texts += [e.value for t in graph.initializer for e in t.external_data]
    bad = next((t for t in texts if not isinstance(t, str)), None)
    if bad is not None:
        raise InputError(f"model '{name}': the name {bytes(bad)!r} is not UTF-8; the file is damaged, export it again")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _opset(model: onnx.ModelProto, name: str) -> int:
    newest = onnx.defs.onnx_opset_version()
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if len(versions) != 1:
        raise InputError(
            f"model '{name}': {len(versions)} versions of the standard operator set named, need 1; export it again"
        )
    if not MIN_OPSET <= versions[0] <= newest:
        raise InputError(
            f"model '{name}': opset {versions[0]}, bound is {MIN_OPSET}..{newest}; export with an opset in that range"
        )
    return int(versions[0])


def _inline(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Expand model-local functions, as the dynamo exporter may leave them."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise InputError(
            f"model '{name}': its local functions cannot be expanded ({_first_line(error)}); inline them"
        ) from None


def check_dims(shape: tuple[int, ...], subject: str) -> tuple[int, ...]:
    """Return `shape` if its rank, sizes and element count are within bounds."""
    if len(shape) > MAX_RANK:
        raise InputError(f"{subject}: rank is {len(shape)}, bound is {MAX_RANK}; reduce it")
    for axis, size in enumerate(shape):
        if not 0 <= size <= MAX_DIM:
            raise InputError(f"{subject}: axis {axis} has size {size}, bound is 0..{MAX_DIM}; correct the shape")
    if prod(shape) > MAX_ELEMENTS:
        raise InputError(f"{subject}: {prod(shape)} elements, bound is {MAX_ELEMENTS}; reduce the shape {shape}")
    return shape


def constant_of(tensor: TensorProto, subject: str, folder: Path) -> Value:
    """Return what is known of a tensor stored in the model: always its shape, its values where small and present."""
    shape = check_dims(tuple(int(d) for d in tensor.dims), subject)
    if tensor.data_type == TensorProto.STRING:
        raise InputError(f"{subject}: string tensors are not supported; export the model without text processing")
    if tensor.data_type not in onnx.TensorProto.DataType.values() or tensor.data_type == TensorProto.UNDEFINED:
        raise InputError(f"{subject}: element type {tensor.data_type} is unknown; export it again")
    if tensor.data_location == TensorProto.EXTERNAL:
        _check_external(tensor, subject, folder)
        return Value(tensor.data_type, shape, True)
    stored = any(
        len(getattr(tensor, f))
        for f in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")
    )
    if not stored and 0 not in shape:
        return Value(tensor.data_type, shape, True)  # weightless: shape only
    if prod(shape) > MAX_VALUES:
        return Value(tensor.data_type, shape, True)
    try:
        data = np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        raise InputError(
            f"{subject}: its data does not fit shape {shape} ({_first_line(error)}); export it again"
        ) from None
    if data.dtype.kind not in "fiub":
        data = data.astype(np.float32)  # bfloat16, float8 and 4-bit types that numpy has no arithmetic for
    return Value(tensor.data_type, shape, True, data)


def _check_external(tensor: TensorProto, subject: str, folder: Path) -> None:
    """Refuse a reference that leaves the model's folder. The file itself is never opened and need not exist."""
    location = next((e.value for e in tensor.external_data if e.key == "location"), "")
    if not location:
        return
    parts = location.replace("\\", "/").split("/")
    escape = "\0" in location or Path(location).is_absolute() or ":" in parts[0] or ".." in parts
    if not escape:
        root = os.path.realpath(folder)
        target = os.path.realpath(folder / location)
        escape = os.path.commonpath([root, target]) != root
    if escape:
        raise InputError(
            f"{subject}: its external data {location!r} lies outside the model's folder; move it beside the model"
        )


def _inputs(
    graph: onnx.GraphProto, constants: Mapping[str, Value], name: str, dims: Mapping[str, int]
) -> dict[str, Value]:
    """Return the runtime inputs with every symbolic dimension replaced."""
    inputs: dict[str, Value] = {}
    used: set[str] = set()
    for info in graph.input:
        if info.name in constants:
            continue  # before IR version 4 initializers are listed as inputs too
        subject = f"model '{name}': input '{info.name}'"
        if info.name in inputs:
            raise InputError(f"{subject} appears twice; names must be unique")
        if info.type.WhichOneof("value") != "tensor_type":
            raise InputError(f"{subject} is not a tensor; export the model with tensor inputs")
        tensor = info.type.tensor_type
        if tensor.elem_type == TensorProto.STRING:
            raise InputError(f"{subject}: string tensors are not supported; export the model without text processing")
        if not tensor.HasField("shape"):
            raise InputError(f"{subject} has no shape; export the model with input shapes")
        shape = []
        for axis, dim in enumerate(tensor.shape.dim):
            shape.append(_input_dim(dim, axis, info.name, name, dims, used))
        if any(size < 1 for size in shape):
            raise InputError(f"{subject}: shape {tuple(shape)}, bound is >= 1 per dimension; correct it or give --dim")
        inputs[info.name] = Value(tensor.elem_type, check_dims(tuple(shape), subject))
    unknown = sorted(set(dims) - used)
    if unknown:
        symbols = sorted({d.dim_param for i in graph.input for d in i.type.tensor_type.shape.dim if d.dim_param})
        raise InputError(
            f"model '{name}': --dim {unknown[0]}: no input has a symbolic dimension of that name; "
            f"{'known are ' + ', '.join(symbols) if symbols else 'every dimension is fixed, leave it out'}"
        )
    return inputs


def _input_dim(
    dim: onnx.TensorShapeProto.Dimension, axis: int, tensor: str, name: str, dims: Mapping[str, int], used: set[str]
) -> int:
    if dim.WhichOneof("value") == "dim_value":
        return int(dim.dim_value)
    key = dim.dim_param or f"{tensor}.{axis}"
    if key not in dims:
        what = f"'{key}'" if dim.dim_param else f"{axis}"
        raise InputError(f"model '{name}': dimension {what} of input '{tensor}' is symbolic; give --dim {key}=1")
    used.add(key)
    return int(dims[key])


def _concrete(info: onnx.ValueInfoProto, dims: Mapping[str, int]) -> tuple[int, ...] | None:
    tensor = info.type.tensor_type
    if info.type.WhichOneof("value") != "tensor_type" or not tensor.HasField("shape"):
        return None
    shape = []
    for dim in tensor.shape.dim:
        size = int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" else dims.get(dim.dim_param, 0)
        if not 1 <= size <= MAX_DIM:
            return None
        shape.append(size)
    return tuple(shape) if len(shape) <= MAX_RANK and prod(shape) <= MAX_ELEMENTS else None


def _nodes(graph: onnx.GraphProto, name: str, folder: Path) -> list[Node]:
    nodes = []
    labels: dict[str, int] = {}
    for index, proto in enumerate(graph.node):
        label = proto.name or f"{proto.op_type}_{index}"
        labels[label] = labels.get(label, 0) + 1
        if labels[label] > 1:
            label = f"{label}#{index}"
        subject = f"model '{name}': node '{label}' ({proto.op_type})"
        attributes: dict[str, Any] = {}
        for attribute in proto.attribute:
            if attribute.name in attributes:
                raise InputError(f"{subject}: attribute '{attribute.name}' appears twice; names must be unique")
            attributes[attribute.name] = _attribute(attribute, subject, folder)
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        nodes.append(Node(label, proto.op_type, domain, tuple(proto.input), tuple(proto.output), attributes))
    return nodes


def _attribute(attribute: AttributeProto, subject: str, folder: Path) -> Any:
    kind = attribute.type
    if kind == AttributeProto.FLOAT:
        return float(attribute.f)
    if kind == AttributeProto.INT:
        return int(attribute.i)
    if kind == AttributeProto.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == AttributeProto.TENSOR:
        return constant_of(attribute.t, f"{subject}: attribute '{attribute.name}'", folder)
    if kind == AttributeProto.FLOATS:
        return tuple(float(v) for v in attribute.floats)
    if kind == AttributeProto.INTS:
        return tuple(int(v) for v in attribute.ints)
    if kind == AttributeProto.STRINGS:
        return tuple(s.decode("utf-8", "replace") for s in attribute.strings)
    return Subgraph()  # graphs, sparse tensors, types: the node's operator is refused where they occur


def _ordered(nodes: list[Node], known: set[str], name: str) -> tuple[Node, ...]:
    """Return the nodes so that each follows its producers; the file's order is kept where it is valid."""
    maker: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for out in node.outputs:
            if not out:
                continue
            if out in maker or out in known:
                raise InputError(
                    f"model '{name}': node '{node.label}' ({node.kind}): tensor '{out}' is made twice; "
                    "names must be unique"
                )
            maker[out] = index
    waiting: list[int] = []
    users: list[list[int]] = [[] for _ in nodes]
    for index, node in enumerate(nodes):
        sources = set()
        for source in node.inputs:
            if source in maker:
                sources.add(maker[source])
            elif source and source not in known:
                raise InputError(
                    f"model '{name}': node '{node.label}' ({node.kind}): input '{source}' is made by no node; "
                    "correct the graph"
                )
        waiting.append(len(sources))
        for source_index in sources:
            users[source_index].append(index)
    ready = [i for i, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(nodes):
        stuck = next(i for i, count in enumerate(waiting) if count)
        raise InputError(
            f"model '{name}': node '{nodes[stuck].label}' ({nodes[stuck].kind}) is on a cycle; a graph must be acyclic"
        )
    return tuple(nodes[i] for i in order)
