"""Transposed convolution as ordinary convolutions, one per residue of the output index."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from workloads.errors import InputError
from workloads.loop_dims import LoopDims
from workloads.mac_layers import MacLayer
from workloads.window import Window, WindowPhase


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a transposed convolution.

    Parameters
    ----------
    layer : MacLayer
        Ordinary convolution on the whole input; its tensor names are those of the transposed layer, of whose weight it
        uses the taps, and of whose output it writes the positions, that `axes` name.
    axes : three WindowPhase
        Along D, Y, X.
    """

    layer: MacLayer
    axes: tuple[WindowPhase, WindowPhase, WindowPhase]


def phase_plan(layer: MacLayer) -> tuple[Phase, ...]:
    """Return the ordinary convolutions that make a transposed one, with the outputs and taps of each.

    A transposed convolution of stride s falls apart into up to s**rank stride-1 convolutions with sub-filters, one
    per residue of the output index. Cropping is a padding that is smaller (or negative, skipping inputs), so the
    products that the scatter form makes and throws away never arise; `effective_macs` of the phases sum to
    exactly that of the layer. Outputs with no tap at all (filter shorter than stride) belong to no phase.
    """
    if not layer.transposed:
        raise InputError(f"layer '{layer.name}': only a transposed convolution has phases; use the layer itself")
    plan = []
    for index, axes in enumerate(product(*(window.phases() for window in layer.windows))):
        windows = [axis.window for axis in axes]
        sizes = layer.dims.as_dict()
        for letter, window in zip("DYX", windows, strict=True):
            sizes[f"O{letter}"], sizes[f"F{letter}"] = window.size_out, window.taps
        made = MacLayer(
            name=f"{layer.name}.phase{index}",
            op="conv",
            inputs=layer.inputs,
            outputs=layer.outputs,
            dims=LoopDims(**sizes),
            spatial_rank=layer.spatial_rank,
            input_spatial=layer.input_spatial,
            dilations=(windows[0].dilation, windows[1].dilation, windows[2].dilation),
            padding=(_pads(windows[0]), _pads(windows[1]), _pads(windows[2])),
            has_bias=layer.has_bias,
            has_scale=layer.has_scale,
        )
        plan.append(Phase(made, (axes[0], axes[1], axes[2])))
    return tuple(plan)


def _pads(window: Window) -> tuple[int, int]:
    return window.pad_before, window.pad_after
