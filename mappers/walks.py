"""How a MAC command walks its tiles: what a machine needs beside the timing to compute it.

Plain numbers taken from the mapping at lowering; nothing here has a time. The event model does not read them, the layer
engine's encoder does (`rtl.engine_words`) and refuses what the engine cannot walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from mappers.group import Group
from mappers.problem import TileProblem
from mappers.views import Range

Ranges = Mapping[str, Range]


@dataclass(frozen=True, slots=True)
class ArrayWalk:
    """Walk of one compute command; pairs are (y, x), triples (n, y, x), in elements.

    Parameters
    ----------
    groups, depth : int
        Channel groups of the command; output planes times filter planes.
    channels, outputs : int
        Input channels of one tap and output channels that the command works on.
    pixels : (n, y, x)
        Output pixels.
    taps, stride, dilation : (y, x)
        Of the filter.
    tile : (n, y, x, channels)
        Input tile that is held.
    first : (n, y, x, channel)
        Where in that tile the first tap of the first pixel lies; negative y and x are border.
    weight_tile : (channels, outputs)
        Weight tile that is held, per tap.
    weight_first : (channel, output)
        Where in that tile the command starts.
    sums_tile : (n, y, x, outputs)
        Sums that are held.
    sums_first : (n, y, x, output)
        Where in them the command starts.
    """

    groups: int
    depth: int
    channels: int
    outputs: int
    pixels: tuple[int, int, int]
    taps: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    tile: tuple[int, int, int, int]
    first: tuple[int, int, int, int]
    weight_tile: tuple[int, int]
    weight_first: tuple[int, int]
    sums_tile: tuple[int, int, int, int]
    sums_first: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class VectorWalk:
    """Walk of one vector command behind the array.

    Parameters
    ----------
    groups, depth : int
        As in `ArrayWalk`.
    pixels : (n, y, x)
        Of the sums.
    outputs : int
        Output channels.
    pool : (y, x)
        Pooling window; (1, 1) without.
    functions : tuple of str
        Operations in order, after the sums; the leading requantisation is not named.
    coefficient : int
        First output channel in the program's table of channel terms.
    """

    groups: int
    depth: int
    pixels: tuple[int, int, int]
    outputs: int
    pool: tuple[int, int]
    functions: tuple[str, ...]
    coefficient: int


@dataclass(frozen=True, slots=True)
class WeightPart:
    """Packed weights of one load: terms of `outputs` channels first, then codes as [tap][channel][output].

    Parameters
    ----------
    outputs, channels : Range
        Of the layer, group by group.
    groups : Range
        Channel groups.
    coefficient : int
        As in `VectorWalk`.
    """

    groups: Range
    outputs: Range
    channels: Range
    coefficient: int


def array_walk(problem: TileProblem, step: Ranges, held_input: Ranges, held_weight: Ranges, sums: Ranges) -> ArrayWalk:
    """Return the walk of the command over `step` within the tiles that are held."""
    size = problem.size
    spans = {dim: problem.window(dim).span(held_input[dim][0], _length(held_input[dim])) for dim in ("OY", "OX")}
    windows = {dim: problem.window(dim) for dim in ("OY", "OX")}
    firsts = {dim: step[dim][0] * w.stride - w.pad_before - spans[dim][0] for dim, w in windows.items()}
    y, x = windows["OY"], windows["OX"]
    return ArrayWalk(
        groups=_length(step["G"]),
        depth=_length(step["OD"]) * size["FD"],
        channels=_length(step["C"]),
        outputs=_length(step["K"]),
        pixels=(_length(step["N"]), _length(step["OY"]), _length(step["OX"])),
        taps=(y.taps, x.taps),
        stride=(y.stride, x.stride),
        dilation=(y.dilation, x.dilation),
        tile=(_length(held_input["N"]), _length(spans["OY"]), _length(spans["OX"]), _length(held_input["C"])),
        first=(step["N"][0] - held_input["N"][0], firsts["OY"], firsts["OX"], step["C"][0] - held_input["C"][0]),
        weight_tile=(_length(held_weight["C"]), _length(held_weight["K"])),
        weight_first=(step["C"][0] - held_weight["C"][0], step["K"][0] - held_weight["K"][0]),
        sums_tile=(_length(sums["N"]), _length(sums["OY"]), _length(sums["OX"]), _length(sums["K"])),
        sums_first=tuple(step[dim][0] - sums[dim][0] for dim in ("N", "OY", "OX", "K")),  # type: ignore[arg-type]
    )


def vector_walk(problem: TileProblem, group: Group, sums: Ranges, coefficient: int) -> VectorWalk:
    """Return the walk of the vector command over `sums`."""
    pool = (_length(sums["OY"]), _length(sums["OX"])) if problem.whole_plane else problem.pool
    return VectorWalk(
        groups=_length(sums["G"]),
        depth=_length(sums["OD"]),
        pixels=(_length(sums["N"]), _length(sums["OY"]), _length(sums["OX"])),
        outputs=_length(sums["K"]),
        pool=pool,
        functions=tuple(layer.op for layer in group.fused),
        coefficient=coefficient + sums["G"][0] * problem.size["K"] + sums["K"][0],
    )


def channel_terms(problem: TileProblem) -> int:
    """Return how many output channels of the layer have terms of their own."""
    return prod((problem.size["G"], problem.size["K"])) if problem.channel_terms else 0


def _length(limits: Range) -> int:
    return limits[1] - limits[0]
