"""The operands of a MAC layer seen from its loops: which bytes of DRAM a box of loop indices touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mappers.commands import Transfer
from mappers.views import UNIT, Axis, Piece, Range, View, descriptors, join, pieces
from workloads.mac_layers import MacLayer
from workloads.transposed import Phase

Box = tuple[Range, Range, Range, Range, Range]
"""Index ranges of (batch or matrix, channel or column, depth, row, column or matrix row)."""


@dataclass(frozen=True, slots=True)
class LoopView:
    """A data operand with one axis per loop that it depends on.

    Parameters
    ----------
    view : View
        The tensor.
    batch : Axis
        Along N of an image, along G of a batched product.
    channels : Axis
        Channels of all groups of an image, columns of a matrix.
    spatial : three Axis
        Along D, Y, X; the rows of a matrix on X.
    width : int
        Channels of one group.
    interleaved : bool
        Channels of all groups lie on one axis (images).
    """

    view: View
    batch: Axis
    channels: Axis
    spatial: tuple[Axis, Axis, Axis]
    width: int
    interleaved: bool

    def transfers(
        self, address: int, n: Range, g: Range, channel: Range, spatial: Sequence[Range]
    ) -> tuple[Transfer, ...]:
        """Return the descriptors of a box of loop indices; `address` is that of the storage block."""
        batch = pieces(self.batch, *(n if self.interleaved else g))
        planes = [pieces(axis, *limits) for axis, limits in zip(self.spatial, spatial, strict=True)]
        parts = [batch, *planes, self._channel_pieces(g if self.interleaved else (0, 1), channel)]
        return descriptors(address + self.view.offset_bytes, parts, self.view.element_bytes)

    def box(self, n: Range, g: Range, channel: Range, spatial: Sequence[Range]) -> Box:
        """Return the bounding ranges of a box of loop indices in the tensor's own axes."""
        if not self.interleaved:
            return (g, channel, spatial[0], spatial[1], spatial[2])
        channels = (g[0] * self.width + channel[0], (g[1] - 1) * self.width + channel[1])
        return (n, channels, spatial[0], spatial[1], spatial[2])

    def _channel_pieces(self, g: Range, channel: Range) -> list[Piece]:
        groups, width = g[1] - g[0], self.width
        if groups == 1 or channel == (0, width):
            return pieces(self.channels, g[0] * width + channel[0], (g[1] - 1) * width + channel[1])
        if len(self.channels) == 1:
            stride = self.channels[0][1]
            start = (g[0] * width + channel[0]) * stride
            return [(start, ((groups, width * stride), (channel[1] - channel[0], stride)))]
        return [
            piece
            for group in range(*g)
            for piece in pieces(self.channels, group * width + channel[0], group * width + channel[1])
        ]


@dataclass(frozen=True, slots=True)
class WeightView:
    """A second operand made at run time: one matrix of K x C per group, in the order of its tensor."""

    view: View
    groups: Axis
    columns: Axis
    reduction: Axis

    def transfers(self, address: int, g: Range, k: Range, c: Range) -> tuple[Transfer, ...]:
        """Return the descriptors of a tile."""
        parts = [pieces(self.groups, *g), pieces(self.columns, *k), pieces(self.reduction, *c)]
        return descriptors(address + self.view.offset_bytes, parts, self.view.element_bytes)


def input_view(layer: MacLayer, view: View) -> LoopView:
    """Return the input of `layer` seen from its loops."""
    made = _loop_view(layer, view, layer.dims.C)
    if layer.spatial_rank == 0 and not layer.weight_is_activation:
        # the order of the reduction is free when the weights are packed offline: walk it as it lies in DRAM
        order = tuple(sorted(made.channels, key=lambda factor: -factor[1]))
        made = LoopView(view, made.batch, join([order]), made.spatial, made.width, made.interleaved)
    return made


def output_view(layer: MacLayer, view: View, phase: Phase | None) -> LoopView:
    """Return the output of `layer` (or of what is fused to it) seen from its loops; a phase writes its residues."""
    if phase is None:
        return _loop_view(layer, view, layer.dims.K)
    shifted: View | None = view
    for place, axis in enumerate(phase.axes[3 - layer.spatial_rank :]):
        size = view.shape[2 + place]
        shifted = shifted.narrow(2 + place, axis.offset, size, axis.step) if shifted is not None else None
    assert shifted is not None, "outputs have one factor per axis"
    return _loop_view(layer, shifted, layer.dims.K)


def weight_view(layer: MacLayer, view: View) -> WeightView:
    """Return the second operand of `layer`, which must be made at run time, seen from its loops."""
    columns, reduction = (-2, -1) if layer.weight_layout == "kc" else (-1, -2)
    return WeightView(view, join(view.axes[:-2]), view.axes[columns], view.axes[reduction])


def _loop_view(layer: MacLayer, view: View, width: int) -> LoopView:
    if layer.spatial_rank:
        spatial = (UNIT,) * (3 - layer.spatial_rank) + view.axes[2:]
        return LoopView(view, view.axes[0], view.axes[1], (spatial[0], spatial[1], spatial[2]), width, True)
    lead = view.axes[:-1]
    groups, rows = (UNIT, join(lead)) if layer.dims.G == 1 else (join(lead[:-1]), lead[-1])
    return LoopView(view, groups, view.axes[-1], (UNIT, UNIT, rows), width, False)
