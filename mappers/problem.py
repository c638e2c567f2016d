"""What the layer search is asked: one MAC layer with what is fused to it, and the room it may use.

A `TileProblem` holds no names, so that equal layers are one problem and are solved once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from mappers.mapping import TILED_DIMS
from workloads.errors import InputError
from workloads.mac_layers import MacLayer
from workloads.window import Window

CHANNEL_TERM_BYTES = 8
"""Bytes loaded per output channel for requantisation: int32 bias, 24-bit multiplier, 8-bit shift."""

Place = Literal["dram", "resident"]


@dataclass(frozen=True, slots=True)
class TileProblem:
    """One layer to be tiled.

    Parameters
    ----------
    sizes : tuple of (str, int)
        Loop sizes by name, all ten.
    windows : tuple of Window
        Along D, Y, X.
    groups_interleaved : bool
        True for convolutions: channels of all groups lie innermost; False for batched products, where each group is a
        matrix of its own.
    input_bytes, weight_bytes, output_bytes, sum_bytes : int
        Bytes of one element; `sum_bytes` of a partial sum.
    input_place, output_place : {"dram", "resident"}
        Resident tensors live whole in one input half and cost no DRAM traffic.
    residual : {"", "dram", "resident"}
        Where the second operand of a fused addition comes from, if there is one.
    input_slot_bytes, weight_slot_bytes, sum_slot_bytes, operand_slot_bytes, output_slot_bytes : int
        Room for one of the two tiles in flight of each tensor.
    pool : tuple of int
        (rows, columns) of outputs that a fused pooling window spans; (1, 1) without. Tiles hold whole windows.
    whole_plane : bool
        A fused global pooling needs all outputs of a channel in one tile.
    simple_passes, special_passes : int
        Vector work per output element.
    chained_functions : int
        Functions fused into those passes; each costs a lane operation's energy and no time.
    places, kept : int
        Input channels that a PE takes at once and its multipliers: M and N for constant weights on an N:M array, N and
        N for weights made at run time there, else 1 and 1. Every tap starts a group of its own.
    stored_places, word_bits : int
        Input channels and bits of a stored weight word: M and its slots for compressed weights, else 1 and the bits of
        `weight_bytes` (written as 0). Words of one tap and group of channels lie side by side, a row of them in whole
        bytes.
    sum_lanes : int
        Output channels of one pixel that a row of the accumulator takes, filled or not; 1 where sums lie densely. Of
        the output channels that one tile of sums holds, each compute command then starts at a row of its own.
    sums_stay : bool
        No DMA engine reaches the accumulator: a tile of sums stays until it is whole.
    channel_terms : bool
        Weight tiles carry bias and scale of their output channels.
    weights_ready : bool
        The first weight tile has arrived under the layer before (prefetch), so its load does not delay the start.
    """

    sizes: tuple[tuple[str, int], ...]
    windows: tuple[Window, Window, Window]
    groups_interleaved: bool
    input_bytes: int
    weight_bytes: int
    output_bytes: int
    sum_bytes: int
    input_place: Place
    output_place: Place
    residual: Literal["", "dram", "resident"]
    input_slot_bytes: int
    weight_slot_bytes: int
    sum_slot_bytes: int
    operand_slot_bytes: int
    output_slot_bytes: int
    pool: tuple[int, int]
    whole_plane: bool
    simple_passes: int
    special_passes: int
    channel_terms: bool = True
    weights_ready: bool = False
    chained_functions: int = 0
    places: int = 1
    kept: int = 1
    stored_places: int = 1
    word_bits: int = 0
    sum_lanes: int = 1
    sums_stay: bool = False

    @property
    def lane_operations(self) -> int:
        """Value of the lane operations per element, for energy."""
        return self.simple_passes + self.special_passes + self.chained_functions

    def __post_init__(self) -> None:
        if any(w.transposed for w in self.windows):
            raise InputError("tile problem: a transposed window has no tiles of its own; use the phases of the layer")

    @property
    def size(self) -> dict[str, int]:
        """Value of the loop sizes by name."""
        return dict(self.sizes)

    @property
    def taps(self) -> int:
        """Value of the filter positions, FD x FY x FX."""
        return prod(self.size[dim] for dim in ("FD", "FY", "FX"))

    @property
    def macs(self) -> int:
        """Value of the products that are computed: those of the loops that the pattern of the weights keeps."""
        size = self.size
        return prod(value for dim, value in self.sizes if dim != "C") * self.kept_of(size["C"])

    def kept_of(self, channels: int) -> int:
        """Return the products that `channels` input channels in a row, from the start of a group, need per output."""
        return channels // self.places * self.kept + min(channels % self.places, self.kept)

    @property
    def stored_bits(self) -> int:
        """Value of the bits of a stored weight word."""
        return self.word_bits or 8 * self.weight_bytes

    @property
    def read_bits(self) -> int:
        """Value of the bits of weights that a PE takes at once."""
        return self.stored_bits * self.places // self.stored_places

    def stored_bytes(self, outputs: int, channels: int) -> int:
        """Return the bytes of the weights between `channels` and `outputs` channels of one group, all taps."""
        row = -(-outputs * self.stored_bits // 8)
        return self.taps * -(-channels // self.stored_places) * row

    def window(self, dim: str) -> Window:
        """Return the window of spatial loop `dim` ("OD", "OY" or "OX")."""
        return self.windows[("OD", "OY", "OX").index(dim)]

    @property
    def sees_border_alone(self) -> bool:
        """Value telling whether some output sees nothing but padding, so that a tile may have no input at all."""
        spans = [w.span(o, 1) for w in self.windows for o in (0, w.size_out - 1)]
        return any(start == stop for start, stop in spans)

    def input_tile_bytes(self, held: Mapping[str, int]) -> int:
        """Return the bytes of the largest input tile that covers `held`, halo included, borders not fetched."""
        spatial = 1
        for dim in ("OD", "OY", "OX"):
            window = self.window(dim)
            spatial *= max(1, min(window.extent(held[dim]), window.size_in))
        return held["N"] * held["G"] * held["C"] * spatial * self.input_bytes

    def weight_tile_bytes(self, held: Mapping[str, int]) -> int:
        """Return the bytes of the weight tile that covers `held`, with its channel terms."""
        terms = held["G"] * held["K"] * CHANNEL_TERM_BYTES if self.channel_terms else 0
        return held["G"] * self.stored_bytes(held["K"], held["C"]) + terms

    def output_elements(self, held: Mapping[str, int]) -> int:
        """Return the partial sums of the output tile that covers `held`."""
        return prod(held[dim] for dim in ("N", "G", "K", "OD", "OY", "OX"))

    def sum_room_bytes(self, held: Mapping[str, int]) -> int:
        """Return the accumulator bytes of the output tile that covers `held`, unfilled lanes included."""
        lanes = self.sum_lanes
        return self.output_elements({**held, "K": -(-held["K"] // lanes) * lanes}) * self.sum_bytes

    def stored_elements(self, held: Mapping[str, int]) -> int:
        """Return the elements that remain of the tile after the fused pooling."""
        plane = 1 if self.whole_plane else -(-held["OY"] // self.pool[0]) * -(-held["OX"] // self.pool[1])
        depth = 1 if self.whole_plane else held["OD"]
        return held["N"] * held["G"] * held["K"] * depth * plane

    def smallest(self) -> dict[str, int]:
        """Return the smallest tile that the fused operations allow."""
        held = dict.fromkeys(TILED_DIMS, 1) | {"C": min(self.stored_places, self.size["C"])}
        if self.whole_plane:
            held |= {dim: self.size[dim] for dim in ("OD", "OY", "OX")}
        else:
            held |= {"OY": min(self.pool[0], self.size["OY"]), "OX": min(self.pool[1], self.size["OX"])}
        return held


def layer_sizes(layer: MacLayer) -> tuple[tuple[str, int], ...]:
    """Return the loop sizes of `layer`, in a fixed order."""
    return tuple(layer.dims.as_dict().items())
