"""A network: a checked directed acyclic graph of layers over named tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any

from workloads.errors import InputError
from workloads.layer import Layer
from workloads.mac_layers import MacLayer
from workloads.nearest import nearest
from workloads.tensor import Tensor


@dataclass(frozen=True)
class Network:
    """A network of layers.

    Parameters
    ----------
    name : str
        Name, for example ``resnet50``.
    tensors : mapping of str to Tensor
        Every tensor by name.
    layers : tuple of Layer
        In any order; `order` is the order of execution.
    inputs, outputs : tuple of str
        Names of the tensors that come from and go to the outside.
    source : str
        Where the shapes come from.

    Raises
    ------
    InputError
        If the graph is not sound; every mistake is listed.
    """

    name: str
    tensors: Mapping[str, Tensor]
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        mistakes = _name_mistakes(self)
        # order and shapes are only meaningful on a graph whose names are sound
        mistakes = mistakes or _cycle_mistakes(self) or _shape_mistakes(self)
        if mistakes:
            head = f"network '{self.name}': {len(mistakes)} mistake{'s' * (len(mistakes) > 1)}"
            raise InputError("\n  ".join([head, *mistakes]))

    def __hash__(self) -> int:
        return hash(self.sha256)

    # --- graph ------------------------------------------------------------------------------------------------------

    @cached_property
    def _producers(self) -> dict[str, Layer]:
        return {tensor: layer for layer in self.layers for tensor in layer.outputs}

    @cached_property
    def _consumers(self) -> dict[str, tuple[Layer, ...]]:
        found: dict[str, list[Layer]] = {name: [] for name in self.tensors}
        for layer in self.order:
            for name in dict.fromkeys(layer.inputs):
                found[name].append(layer)
        return {name: tuple(layers) for name, layers in found.items()}

    @cached_property
    def order(self) -> tuple[Layer, ...]:
        """Value of the layers in topological order; among ready layers the one given first comes first."""
        return _order(self)

    def producer(self, tensor: str) -> Layer | None:
        """Return the layer that writes `tensor`; None for inputs and weights."""
        self.tensor(tensor)
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> tuple[Layer, ...]:
        """Return the layers that read `tensor`, in execution order."""
        self.tensor(tensor)
        return self._consumers[tensor]

    def storage(self, tensor: str) -> str:
        """Return the tensor whose bytes `tensor` is: aliases (reshapes) followed back to what was first written."""
        layer = self.producer(tensor)
        while layer is not None and layer.is_alias:
            tensor = layer.inputs[0]
            layer = self.producer(tensor)
        return tensor

    def tensor(self, name: str) -> Tensor:
        """Return the tensor called `name`."""
        if name not in self.tensors:
            raise InputError(f"network '{self.name}': no tensor '{name}'{nearest(name, self.tensors)}")
        return self.tensors[name]

    def layer(self, name: str) -> Layer:
        """Return the layer called `name`."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"network '{self.name}': no layer '{name}'{nearest(name, [x.name for x in self.layers])}")

    def liveness(self) -> dict[str, tuple[int, int]]:
        """Return, per tensor that is not a weight, the (first, last) step of `order` at which its contents must exist.

        A tensor exists from the step that writes it to the last that reads it. An input exists from step 0, an output
        up to the last step; a tensor nobody reads exists at its own step only. Weights are constant and not listed.
        Each name is treated alone: tensors that share bytes are found by `storage`.
        """
        end = max(len(self.order) - 1, 0)
        first = dict.fromkeys(self.inputs, 0)
        last = dict(first)
        for step, layer in enumerate(self.order):
            for name in layer.outputs:
                first[name] = last[name] = step
            for name in layer.inputs:
                if name in first:
                    last[name] = step
        return {name: (first[name], end if name in self.outputs else last[name]) for name in first}

    # --- totals -----------------------------------------------------------------------------------------------------

    @property
    def macs(self) -> int:
        """Value of the MACs of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def mac_layers(self) -> tuple[MacLayer, ...]:
        """Value of the MAC layers in execution order."""
        return tuple(layer for layer in self.order if isinstance(layer, MacLayer))

    @property
    def operations(self) -> int:
        """Value of the arithmetic operations of all layers."""
        return sum(layer.operations for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Value of the trainable constants: elements of all weight tensors, each counted once.

        A folded batch normalisation counts as its scale and bias (two per channel); running statistics are buffers of
        the published model, not parameters, and are folded into these two.
        """
        return sum(tensor.elements for tensor in self.tensors.values() if tensor.kind == "weight")

    @property
    def parameter_bytes(self) -> int:
        """Value of the storage of all weight tensors, in bytes, in their formats."""
        return sum(tensor.bytes for tensor in self.tensors.values() if tensor.kind == "weight")

    # --- description ------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return the canonical description, made of JSON types only; `from_json` reads it back equal."""
        from workloads.network_json import encode_network

        return encode_network(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Network:
        """Return the network of a description made by `to_json`.

        Raises
        ------
        InputError
            If the description is malformed or the network in it unsound.
        """
        from workloads.network_json import decode_network

        return decode_network(document)

    @cached_property
    def sha256(self) -> str:
        """Value of the SHA-256 of the canonical description."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _order(network: Network) -> tuple[Layer, ...]:
    """Return the layers in topological order (Kahn, least position first); layers on a cycle are left out."""
    waiting: list[int] = []
    readers: dict[str, list[int]] = {}
    made = {tensor for layer in network.layers for tensor in layer.outputs}
    ready: list[int] = []
    for position, layer in enumerate(network.layers):
        needs = [name for name in dict.fromkeys(layer.inputs) if name in made]
        waiting.append(len(needs))
        for name in needs:
            readers.setdefault(name, []).append(position)
        if not needs:
            heappush(ready, position)
    order = []
    while ready:
        layer = network.layers[heappop(ready)]
        order.append(layer)
        for name in layer.outputs:
            for reader in readers.get(name, ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    heappush(ready, reader)
    return tuple(order)


def _name_mistakes(network: Network) -> list[str]:
    """Return what is wrong with names, producers and kinds."""
    tensors = network.tensors
    found = [
        f"tensor '{tensor.name}' is stored under the name '{key}'; use one name"
        for key, tensor in tensors.items()
        if key != tensor.name
    ]
    if not network.layers:
        found.append("there is no layer; give at least one")
    names: set[str] = set()
    producer: dict[str, str] = {}
    read: set[str] = set()
    for layer in network.layers:
        if layer.name in names:
            found.append(f"two layers are called '{layer.name}'; rename one")
        names.add(layer.name)
        found += [
            f"layer '{layer.name}' uses tensor '{name}', which does not exist{nearest(name, tensors)}"
            for name in (*layer.inputs, *layer.outputs)
            if name not in tensors
        ]
        read.update(layer.inputs)
        for name in layer.outputs:
            if name in producer:
                found.append(f"tensor '{name}' is written by '{producer[name]}' and by '{layer.name}'; keep one")
            producer[name] = layer.name
    for name, tensor in tensors.items():
        if tensor.kind == "activation" and name not in producer:
            found.append(f"activation '{name}' is written by no layer; make it an input or a weight, or add its layer")
        if tensor.kind != "activation" and name in producer:
            found.append(f"{tensor.kind} '{name}' is written by layer '{producer[name]}'; make it an activation")
        if (tensor.kind == "input") != (name in network.inputs):
            found.append(
                f"tensor '{name}' has kind {tensor.kind} and the network inputs are {list(network.inputs)}; agree"
            )
        if tensor.kind == "weight" and name not in read:
            found.append(f"weight '{name}' is read by no layer; remove it")
    for label, listed in (("input", network.inputs), ("output", network.outputs)):
        found += [f"network {label} '{n}' is no tensor{nearest(n, tensors)}" for n in listed if n not in tensors]
        found += [
            f"network {label} '{n}' is listed twice; keep one" for n in dict.fromkeys(listed) if listed.count(n) > 1
        ]
    if not network.outputs:
        found.append("there is no output; name at least one")
    return found


def _cycle_mistakes(network: Network) -> list[str]:
    """Return the layers that no order can place."""
    placed = {layer.name for layer in network.order}
    stuck = [layer.name for layer in network.layers if layer.name not in placed]
    if not stuck:
        return []
    return [f"layers {', '.join(repr(name) for name in stuck[:8])} wait for each other; break the cycle"]


def _shape_mistakes(network: Network) -> list[str]:
    """Return where tensors disagree with the shapes the layers infer."""
    found = []
    tensors = network.tensors
    for layer in network.order:
        try:
            inferred = layer.infer_shapes([tensors[name].shape for name in layer.inputs])
        except InputError as error:
            found.append(str(error))
            continue
        for name, shape in zip(layer.outputs, inferred, strict=True):
            if tensors[name].shape != shape:
                found.append(
                    f"tensor '{name}' has shape {tensors[name].shape}, layer '{layer.name}' makes {shape}; correct one"
                )
        if isinstance(layer, MacLayer) and layer.weight_is_activation == (
            tensors[layer.weight_tensor].kind == "weight"
        ):
            found.append(
                f"layer '{layer.name}': weight_is_activation is {layer.weight_is_activation}, tensor "
                f"'{layer.weight_tensor}' has kind {tensors[layer.weight_tensor].kind}; make them agree"
            )
    return found
