"""How a command walks its tiles: plain numbers that a machine needs beside the timing to compute it.

Taken from the mapping at lowering (`mappers.walks`); nothing here has a time. The event model does not read them, the
layer engine's encoder does (`rtl.engine_words`) and refuses what the engine cannot walk.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[int, int]


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
    planes : int
        Output planes among `depth`.
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
    planes: int = 1


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
