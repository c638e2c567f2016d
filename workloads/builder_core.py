"""What every builder method needs: names, tensors and layers under construction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workloads.errors import InputError
from workloads.formats import Format, Int
from workloads.layer import Layer
from workloads.nearest import nearest
from workloads.network import Network
from workloads.tensor import Shape, Tensor, TensorKind


class BuilderCore:
    """Names, tensors and layers under construction; the layer methods are in the subclasses."""

    def __init__(
        self,
        name: str,
        source: str,
        *,
        activation: Format | None = None,
        weight: Format | None = None,
        bias: Format | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.activation = activation or Int(8)
        self.weight = weight or Int(8)
        self.bias = bias or Int(32)
        self._tensors: dict[str, Tensor] = {}
        self._layers: list[Layer] = []
        self._prefix: list[str] = []
        self._count: dict[str, int] = {}

    @contextmanager
    def scope(self, prefix: str) -> Iterator[None]:
        """Prefix the names made inside with ``prefix.``."""
        self._prefix.append(prefix)
        try:
            yield
        finally:
            self._prefix.pop()

    def full_name(self, name: str | None, op: str) -> str:
        """Return the scoped name, numbered per `op` within the scope where `name` is None."""
        prefix = ".".join(self._prefix)
        if name is None:
            key = f"{prefix}.{op}"
            self._count[key] = self._count.get(key, 0) + 1
            name = f"{op}{self._count[key]}"
        return f"{prefix}.{name}" if prefix else name

    def local_name(self, op: str) -> str:
        """Return a numbered name, without the scope, to be passed as `name`."""
        return self.full_name(None, op).removeprefix("".join(f"{part}." for part in self._prefix))

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a tensor made so far."""
        if tensor not in self._tensors:
            raise InputError(f"network '{self.name}': no tensor '{tensor}'{nearest(tensor, self._tensors)}")
        return self._tensors[tensor].shape

    def format(self, tensor: str) -> Format:
        """Return the format of a tensor made so far."""
        self.shape(tensor)
        return self._tensors[tensor].format

    def tensor(self, name: str, shape: Sequence[int], fmt: Format, kind: TensorKind) -> str:
        """Add a tensor under exactly this name."""
        if name in self._tensors:
            raise InputError(f"network '{self.name}': tensor '{name}' exists already; choose another name")
        self._tensors[name] = Tensor(name, tuple(shape), fmt, kind)
        return name

    def input(self, name: str, shape: Sequence[int], fmt: Format | None = None) -> str:
        """Add a network input."""
        return self.tensor(self.full_name(name, "input"), shape, fmt or self.activation, "input")

    def constant(self, name: str, shape: Sequence[int], fmt: Format | None = None) -> str:
        """Add a weight tensor (embedding table, class token, per-channel scale)."""
        return self.tensor(self.full_name(name, "constant"), shape, fmt or self.weight, "weight")

    def add_layer(self, layer: Layer, formats: Sequence[Format] | None = None) -> tuple[str, ...]:
        """Add a finished layer, make its output tensors and return their names."""
        shapes = layer.infer_shapes([self.shape(name) for name in layer.inputs])
        for index, (name, shape) in enumerate(zip(layer.outputs, shapes, strict=True)):
            self.tensor(name, shape, formats[index] if formats else self.activation, "activation")
        self._layers.append(layer)
        return layer.outputs

    def build(self, *outputs: str) -> Network:
        """Return the checked network with these outputs."""
        inputs = tuple(t.name for t in self._tensors.values() if t.kind == "input")
        return Network(self.name, self._tensors, tuple(self._layers), inputs, outputs, self.source)
