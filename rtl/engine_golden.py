"""Golden run of a network of integer layers: what the layer engine must leave in DRAM, computed from the definition.

Works on the groups of the plan (a layer and what is fused to it), never on tiles, addresses or commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hw_models.layer_engine import EngineParams, LayerConstants, convolve, pool, requantise
from mappers.group import Group
from rtl.engine_words import vector_functions
from workloads.data_layers import Reshape
from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.network import Network

IntArray = npt.NDArray[np.int64]


def golden_run(
    network: Network,
    groups: Sequence[Group],
    constants: Mapping[str, LayerConstants],
    inputs: Mapping[str, IntArray],
    params: EngineParams,
) -> dict[str, IntArray]:
    """Return every tensor that a group leaves behind, in its logical shape.

    Raises
    ------
    InputError
        If a group is not one that the engine runs.
    """
    made: dict[str, IntArray] = dict(inputs)

    def value(name: str) -> IntArray:
        source = name
        while source not in made:  # a reshape has no bytes of its own
            producer = network.producer(source)
            if not isinstance(producer, Reshape):
                raise InputError(f"tensor '{name}': made by no layer that the layer engine runs; map it elsewhere")
            source = producer.inputs[0]
        return made[source].reshape(network.tensor(name).shape)

    for group in groups:
        lead = group.lead
        if not isinstance(lead, MacLayer):
            raise InputError(f"layer '{lead.name}' ({lead.op}): not on the array; the layer engine runs MAC layers")
        layer = constants[lead.name]
        image = lead.spatial_rank > 0
        source = value(lead.input_tensor)
        channels_last = _channels_last(source) if image else source.reshape(1, 1, -1, source.shape[-1])
        y, x = lead.windows[-2:] if image else (None, None)
        stride = (y.stride, x.stride) if y and x else (1, 1)
        dilation = (y.dilation, x.dilation) if y and x else (1, 1)
        pads = ((y.pad_before, y.pad_after), (x.pad_before, x.pad_after)) if y and x else ((0, 0), (0, 0))
        parts = np.split(channels_last, lead.dims.G, axis=-1), np.split(layer.weights, lead.dims.G)
        groups_sums = [
            convolve(inputs, weights, stride, dilation, pads, params.accumulator_bits)
            for inputs, weights in zip(*parts, strict=True)
        ]
        sums = np.concatenate(groups_sums, axis=-1)
        functions = vector_functions([member.op for member in group.fused], f"layer '{lead.name}'")
        second = None
        if functions.second:
            other = value(group.residual)
            second = _channels_last(other) if image else other.reshape(sums.shape)
        codes = requantise(sums, layer, functions.relu, second)
        if group.pool is not None:
            sizes = (
                (sums.shape[1], sums.shape[2]) if group.pool.is_global else tuple(w.taps for w in group.pool.windows)
            )
            window = (1, sizes[-1]) if len(sizes) == 1 else (sizes[-2], sizes[-1])
            codes = pool(codes, window, functions.mean, layer)
        made[group.output] = codes.transpose(0, 3, 1, 2) if image else codes.reshape(-1, codes.shape[-1])
    return made


def _channels_last(values: IntArray) -> IntArray:
    if values.ndim == 3:  # one spatial axis
        values = values[:, :, None, :]
    return values.transpose(0, 2, 3, 1)
