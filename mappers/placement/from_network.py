"""From a network to a tensor graph, at a stated granularity.

One operator per layer, except: layers that only rename bytes (reshapes) vanish, and functions of one operand
(activation, change of format, folded batch normalisation) belong to the layer that writes their operand where they
are its only reader, else to the one layer that reads their result. Additions, concatenations, splits, transpositions
and pads are operators of their own. With parameters, matrices and tables are tensors too; per-channel vectors (bias,
scale, the constants of a normalisation) are not, they lie in the vector unit. Of a table that is gathered from, the
rows read count.
"""

from __future__ import annotations

from mappers.placement.graph import GraphTensor, Operator, TensorGraph
from workloads.errors import InputError
from workloads.layer import Layer
from workloads.network import Network
from workloads.norm_layers import Norm
from workloads.vector_layers import Activation, Quantize

ELEMENT_BITS = 8


def network_graph(
    network: Network, *, parameters: bool = False, element_bits: int | None = ELEMENT_BITS
) -> TensorGraph:
    """Return the tensor graph of `network`.

    Parameters
    ----------
    parameters : bool
        Whether weight matrices and tables take part.
    element_bits : int or None
        Bits of every element; None keeps each tensor's own format.

    Raises
    ------
    InputError
        If nothing is left to place.
    """
    return _Lowering(network, parameters, element_bits).run()


class _Lowering:
    def __init__(self, network: Network, parameters: bool, element_bits: int | None) -> None:
        self.network, self.parameters, self.element_bits = network, parameters, element_bits
        self.host: dict[str, str] = {}
        """Layer that a fused layer belongs to."""
        self.prologue: dict[str, str] = {}
        """Tensor that stands for the result of a function fused into its reader."""
        self.result: dict[str, str] = {}
        """Tensor that an operator leaves behind under the name of what its first layer writes."""
        self.sizes: dict[str, int] = {}

    def run(self) -> TensorGraph:
        network = self.network
        kept = [layer for layer in network.order if not layer.is_alias]
        for layer in kept:
            self._fuse(layer)
        operators = []
        for layer in kept:
            if layer.name in self.host or layer.name in self.prologue:
                continue
            inputs = [name for own in (layer, *self._of(layer, kept)) for name in own.inputs]
            outputs = tuple(self.result.get(name, name) for name in layer.outputs)
            made = {*layer.outputs, *outputs, *(n for own in self._of(layer, kept) for n in own.outputs)}
            read = []
            for position, name in enumerate(inputs):
                tensor = self._stored(name)
                if tensor in made or not self._counts(tensor):
                    continue
                self._size(tensor, layer if position < len(layer.inputs) else None, position)
                read.append(tensor)
            for name in outputs:
                self._size(name, None, 0)
            operators.append(Operator(layer.name, tuple(dict.fromkeys(read)), outputs))
        if not operators:
            raise InputError(f"network '{network.name}': no layer moves data; there is nothing to place")
        tensors = tuple(GraphTensor(name, size) for name, size in self.sizes.items())
        return TensorGraph(tensors, tuple(operators), network.name)

    # --- fusion -----------------------------------------------------------------------------------------------------

    def _fuse(self, layer: Layer) -> None:
        """Decide to whom a function of one operand belongs."""
        if not _is_function(layer):
            return
        source, output = layer.inputs[0], layer.outputs[0]
        maker = self._maker(source)
        if maker is not None and self._readers(source) == [layer.name] and not self._leaves(source):
            owner = self.host.get(maker.name, maker.name)
            if owner in self.prologue:
                return
            self.host[layer.name] = owner
            first = next((k for k, v in self.result.items() if v == self._block(source)), self._block(source))
            self.result[first] = output
            return
        readers = self._readers(output)
        if len(readers) == 1 and not self._leaves(output):
            self.prologue[layer.name] = readers[0]

    def _of(self, layer: Layer, kept: list[Layer]) -> list[Layer]:
        return [own for own in kept if self.host.get(own.name) == layer.name]

    def _block(self, name: str) -> str:
        """Return the tensor whose bytes `name` is."""
        return self.network.storage(name)

    def _maker(self, name: str) -> Layer | None:
        return self.network.producer(self._block(name))

    def _names(self, name: str) -> list[str]:
        """Return all names of the bytes of `name`."""
        block = self._block(name)
        found, pending = [block], [block]
        while pending:
            for layer in self.network.consumers(pending.pop()):
                if layer.is_alias:
                    found.append(layer.outputs[0])
                    pending.append(layer.outputs[0])
        return found

    def _readers(self, name: str) -> list[str]:
        return [
            layer.name for alias in self._names(name) for layer in self.network.consumers(alias) if not layer.is_alias
        ]

    def _leaves(self, name: str) -> bool:
        return any(alias in self.network.outputs for alias in self._names(name))

    # --- tensors ----------------------------------------------------------------------------------------------------

    def _stored(self, name: str) -> str:
        """Return the tensor of the graph that holds what a layer reads as `name`."""
        block = self._block(name)
        maker = self.network.producer(block)
        while maker is not None and maker.name in self.prologue:
            block = self._block(maker.inputs[0])
            maker = self.network.producer(block)
        return self.result.get(block, block)

    def _counts(self, name: str) -> bool:
        tensor = self.network.tensor(name)
        if tensor.kind != "weight":
            return True
        return self.parameters and sum(size > 1 for size in tensor.shape) > 1

    def _size(self, name: str, reader: Layer | None, position: int) -> None:
        tensor = self.network.tensor(name)
        elements = tensor.elements
        if tensor.kind == "weight" and reader is not None:
            elements = reader.read_elements(position, tensor.shape)
        bits = elements * (self.element_bits or tensor.format.bits)
        self.sizes[name] = max(self.sizes.get(name, 0), -(-bits // 8))


def _is_function(layer: Layer) -> bool:
    """Tell whether `layer` maps every element by itself, with at most constants per channel."""
    if isinstance(layer, Norm):
        return layer.op == "batch_norm"
    return isinstance(layer, Quantize) or (isinstance(layer, Activation) and layer.op != "prelu")
