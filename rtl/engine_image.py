"""The DRAM of a command list: activations where their views lie, weights packed tile by tile as commands load them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hw_models.layer_engine import EngineParams, LayerConstants
from mappers.commands import ComputeCommand, LoadCommand, Program
from mappers.views import Axis, View
from workloads.errors import InputError

IntArray = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def element_addresses(view: View, address: int) -> IntArray:
    """Return the byte address of every element of `view`, in its logical shape; `address` is that of its block."""
    offsets = np.zeros((), dtype=np.int64)
    for axis in view.axes:
        offsets = offsets[..., None] + _along(axis)
    return offsets.reshape(view.shape) + address + view.offset_bytes


def _along(axis: Axis) -> IntArray:
    offsets = np.zeros(1, dtype=np.int64)
    for size, stride in axis:
        offsets = (offsets[:, None] + np.arange(size, dtype=np.int64) * stride).ravel()
    return offsets


def make_image(
    program: Program,
    views: Mapping[str, View],
    addresses: Mapping[str, int],
    constants: Mapping[str, LayerConstants],
    inputs: Mapping[str, IntArray],
    params: EngineParams,
) -> Bytes:
    """Return the DRAM content before the run: weights of every tile, and the network's inputs.

    Bytes that nobody writes are 0xA5, so that a command that reads them shows.
    """
    size = -(-program.dram_bytes // params.beat_bytes) * params.beat_bytes
    image = np.full(size, 0xA5, dtype=np.uint8)
    for name, values in inputs.items():
        view = views[name]
        if values.shape != view.shape:
            raise InputError(f"input '{name}': shape is {values.shape}, the network has {view.shape}; reshape it")
        image[element_addresses(view, addresses[view.storage])] = (values & 0xFF).astype(np.uint8)
    streamed = _streamed(program)
    for command in program.commands:
        if not isinstance(command, LoadCommand) or command.part is None:
            continue
        record = program.layers[command.layer]
        layer, groups = constants[record.name], dict(record.dims).get("G", 1)
        part, (k, c) = command.part, layer.weights.shape[:2]
        k //= groups
        if part.groups[1] > groups or not (
            0 <= part.outputs[0] < part.outputs[1] <= k and 0 <= part.channels[0] < part.channels[1] <= c
        ):
            raise InputError(
                f"layer '{program.layers[command.layer].name}': a tile of outputs {part.outputs} and channels "
                f"{part.channels}, the layer has {k} and {c}; lower it again"
            )
        first = part.groups[0] * k
        outputs = (first + part.outputs[0], first + part.outputs[1])
        packed = pack_weights(layer, outputs, part.channels, params, command.writes[0].tag in streamed)
        (transfer,) = command.transfers
        if packed.size != transfer.bytes:
            raise InputError(
                f"layer '{program.layers[command.layer].name}': constants give {packed.size} bytes for a tile, the "
                f"commands load {transfer.bytes}; give weights of shape (K, C, FY, FX) of the layer"
            )
        image[transfer.address : transfer.address + packed.size] = packed
    return image


def _streamed(program: Program) -> set[int]:
    """Return the tags of the weight tiles whose vectors stream past activations that stay."""
    return {
        slot.tag
        for command in program.commands
        if isinstance(command, ComputeCommand) and command.dataflow == "is"
        for slot in command.reads
        if slot.memory == "weight"
    }


def pack_weights(
    layer: LayerConstants,
    outputs: tuple[int, int],
    channels: tuple[int, int],
    params: EngineParams,
    streamed: bool = False,
) -> Bytes:
    """Return the bytes of a weight tile: 8 per output channel (bias, multiplier, shift), then tap, channel, output.

    Weights of an N:M engine come as tap, group of channels, output: a word each, rows of words in whole bytes. Those
    that stream past activations that stay come as tap, output, channel, in the order in which the array takes them.

    Raises
    ------
    InputError
        If weights of an N:M engine break its pattern.
    """
    k = slice(*outputs)
    terms = np.zeros((outputs[1] - outputs[0], 2), dtype="<u4")
    terms[:, 0] = layer.bias[k] & 0xFFFFFFFF
    terms[:, 1] = layer.multiplier[k] | layer.shift[k] << 24
    weights = layer.weights[k, slice(*channels)]
    if params.sparsity is not None:
        codes = _words(weights, params)
    else:
        codes = weights.transpose((2, 3, 0, 1) if streamed else (2, 3, 1, 0)) & 0xFF
    return np.concatenate([np.frombuffer(terms.tobytes(), dtype=np.uint8), codes.astype(np.uint8).ravel()])


def _words(weights: IntArray, params: EngineParams) -> IntArray:
    """Return the rows of weight words of an N:M engine, one per tap and group of channels."""
    assert params.sparsity is not None
    values, index = params.sparsity.slots(weights)  # (K, groups, N, FY, FX)
    value_bits = params.weight_format.bits
    slots = (values & ((1 << value_bits) - 1)) | index << value_bits
    slot_bits = value_bits + params.sparsity.index_bits
    bits = slots.transpose(3, 4, 1, 0, 2)[..., None] >> np.arange(slot_bits) & 1  # (FY, FX, groups, K, N, bit)
    rows = bits.reshape(-1, weights.shape[0] * params.word_bits).astype(np.uint8)
    return np.packbits(rows, axis=1, bitorder="little").astype(np.int64)


def read_tensor(image: Bytes, view: View, addresses: Mapping[str, int]) -> IntArray:
    """Return the int8 codes of a tensor in DRAM, in its logical shape."""
    codes = image[element_addresses(view, addresses[view.storage])]
    return codes.astype(np.uint8).view(np.int8).astype(np.int64)
