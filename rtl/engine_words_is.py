"""Words of input-stationary array commands (`engine_array_is.sv`), and of the vector commands that read their sums.

Columns hold output pixels and channels stream past, so a cycle's sums are those of one channel. The accumulator keeps
the sum of channel k of a pixel in bank ``(turn + k) mod cols``, where `turn` counts the pixels of a command in their
order. Every command of one tile of sums works on a box of its pixels; from the boxes the vector unit knows each pixel's
turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from mappers.commands import ComputeCommand, Program
from mappers.walk import ArrayWalk
from workloads.errors import InputError

FLAG = 4
"""Bit of word 20 of an array command that says input-stationary."""
TURNED = 8
"""Bit of word 16 of a vector command: its sums were made by an input-stationary array."""


@dataclass(frozen=True, slots=True)
class StationaryPlaces:
    """Addresses of one command: first tap of its first pixel, sum of its first pixel and channel, its weight tile."""

    pixel_byte: int
    sums_vector: int
    weight_byte: int


@dataclass(frozen=True, slots=True)
class PixelPath:
    """How pixels of a command follow each other: distances from one to the next along x, y and n.

    Parameters
    ----------
    pixels : (n, y, x)
        Of the command.
    distances : (n, y, x)
        Bytes in the input tile, or sums in the accumulator.
    """

    pixels: tuple[int, int, int]
    distances: tuple[int, int, int]

    def over(self, count: int) -> int:
        """Return the distance to the pixel `count` further on, where neither x nor y carries."""
        _, y, x = self.pixels
        to_image, to_line, to_pixel = self.distances
        return count % x * to_pixel + count // x % y * to_line + count // (x * y) * to_image

    @property
    def carries(self) -> tuple[int, int]:
        """Value of what a carry of x, and one of y, adds to a distance."""
        _, y, x = self.pixels
        to_image, to_line, to_pixel = self.distances
        return to_line - x * to_pixel, to_image - y * to_line


def turn_of(walk: ArrayWalk, cols: int) -> int:
    """Return how far the sums of the first pixel of `walk` are turned."""
    n, y, x = walk.sums_first[:3]
    _, height, width = walk.pixels
    return (x + width * y + width * height * n) % cols


def over_pixels(walk: ArrayWalk, cols: int) -> tuple[int, int]:
    """Return how far (y, x) in the input tile `cols` pixels further on lie, where neither x nor y carries."""
    _, y, x = walk.pixels
    return cols // x % y * walk.stride[0], cols % x * walk.stride[1]


def input_path(walk: ArrayWalk, width: int, height: int) -> PixelPath:
    """Return the path of the pixels of `walk` through an input tile of `height` lines of `width` elements."""
    channels = walk.tile[3]
    line = walk.stride[0] * width * channels
    return PixelPath(walk.pixels, (height * width * channels, line, walk.stride[1] * channels))


def sums_path(walk: ArrayWalk) -> PixelPath:
    """Return the path of the pixels of `walk` through the held sums."""
    _, y, x, _ = walk.sums_tile
    return PixelPath(walk.pixels, (y * x, x, 1))


def turn_words(program: Program, tag: int, cols: int, subject: str) -> tuple[int, int, int, int]:
    """Return words 7, 8 and 9 and the flag of the vector command that reads the sums `tag`.

    Raises
    ------
    InputError
        If the commands that made the sums are of an input-stationary array and others, or their boxes no grid.
    """
    walks = [
        (command.dataflow, command.walk)
        for command in program.commands
        if isinstance(command, ComputeCommand) and any(slot.tag == tag for slot in command.writes)
    ]
    stay = [walk for flow, walk in walks if flow == "is" and walk is not None]
    if not stay:
        return 0, 0, 0, 0
    if len(stay) != len(walks):
        raise InputError(f"{subject}: its sums are made under {sorted({flow for flow, _ in walks})}, the layer engine "
                         f"takes is alone or others; choose another mapping")  # fmt: skip
    y_last, height, last_height = _boxes([(walk.sums_first[1], walk.pixels[1]) for walk in stay], subject)
    x_last, width, last_width = _boxes([(walk.sums_first[2], walk.pixels[2]) for walk in stay], subject)
    widths = (width, last_width)
    images = (*(side * height for side in widths), *(side * last_height for side in widths))
    return y_last << 16 | x_last, _bytes(widths, cols), _bytes(images, cols), TURNED


def _boxes(spans: Sequence[tuple[int, int]], subject: str) -> tuple[int, int, int]:
    """Return where the last of boxes of (first, size) begins, the size of the others, and its own."""
    sizes = dict(spans)
    last = max(sizes)
    size = sizes[min(sizes)]
    if any(sizes[first] != extent for first, extent in spans) or any(
        first % size or (extent != size and first != last) for first, extent in spans
    ):
        raise InputError(f"{subject}: its sums are made in pieces {sorted(set(spans))} along an axis, the layer engine "
                         f"takes pieces of one size and a last one; choose another mapping")  # fmt: skip
    return last, size, sizes[last]


def _bytes(turns: Sequence[int], cols: int) -> int:
    """Return `turns` modulo `cols`, a byte each, the first lowest."""
    return sum(turn % cols << 8 * place for place, turn in enumerate(turns))


def array_words(
    command: ComputeCommand, walk: ArrayWalk, tile: tuple[int, int], places: StationaryPlaces, cols: int
) -> list[int]:
    """Return words 2 to 29 of an input-stationary command on an input tile of `tile` (y, x) elements."""
    y, x = tile
    channels, (held_c, held_k) = walk.tile[3], walk.weight_tile
    inputs, sums = input_path(walk, x, y), sums_path(walk)
    return [
        command.job.stream,
        command.job.row_folds,
        command.job.col_folds,
        places.sums_vector,
        prod(walk.sums_tile[:3]),
        *map(word, sums.carries),
        places.weight_byte + walk.weight_first[1] * held_c + walk.weight_first[0],
        held_c,
        held_k * held_c,
        word(sums.over(cols)),
        walk.channels,
        word(places.pixel_byte),
        pair(walk.pixels[1] * walk.stride[0], walk.pixels[2] * walk.stride[1]),
        prod(walk.pixels),
        inputs.distances[2],
        *map(word, inputs.carries),
        turn_of(walk, cols) << 16 | FLAG | command.accumulate,
        pair(*walk.taps),
        walk.dilation[1] * channels,
        walk.dilation[0] * x * channels,
        pair(y, x),
        pair(*walk.first[1:3]),
        pair(*walk.stride),
        pair(*walk.dilation),
        word(inputs.over(cols)),
        pair(*over_pixels(walk, cols)),
    ]


def word(value: int) -> int:
    """Return `value` as 32 bits; negative ones in two's complement."""
    return value & 0xFFFFFFFF


def pair(high: int, low: int) -> int:
    """Return two 16-bit fields; negative ones in two's complement.

    Sizes and places are compared as signed numbers (`engine_pixels`), so 32767 is the greatest.
    """
    for value in (high, low):
        if not -(1 << 15) <= value < 1 << 15:
            raise InputError(
                f"layer engine: a field of a command is {value}, bound is -32768..32767 (16 bits, signed); use smaller "
                f"tiles"
            )
    return (high & 0xFFFF) << 16 | (low & 0xFFFF)
