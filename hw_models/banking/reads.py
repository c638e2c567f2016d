"""What a pass of the array reads of its two tiles, as plain numbers: boxes in tiles, laid out in bytes.

Nothing is copied into windows first (no im2col): an operand is read where the tile holds it. A position outside the
tile is border; it is not read and disturbs nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

from hw_models.banking.banks import Banks, Layout

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class InputRead:
    """The input tile of a pass and the windows that it reads.

    Parameters
    ----------
    tile : tuple of int
        Extents (n, g, z, y, x, c) of the tile, channels of one group last.
    first : tuple of int
        Where in the tile the first tap of the first pixel lies, in the same order; z, y, x may be negative (border).
    groups, channels : int
        Of the pass.
    pixels : tuple of int
        Output pixels (n, z, y, x) of the pass.
    taps, stride, dilation : Triple
        Of the filter, (z, y, x).
    element_bytes : int
    start_bytes : int
        Address of the tile in its buffer.
    padding_bytes : int
        Behind every row (all x of one y, z and so on) of the tile, by `row_padding`.
    """

    tile: tuple[int, int, int, int, int, int]
    first: tuple[int, int, int, int, int, int]
    groups: int
    channels: int
    pixels: tuple[int, int, int, int]
    taps: Triple
    stride: Triple
    dilation: Triple
    element_bytes: int
    start_bytes: int = 0
    padding_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WeightRead:
    """The weight tile of a pass and the part of it that is read.

    Parameters
    ----------
    tile : tuple of int
        Extents (g, taps, c, k) of the tile.
    first : tuple of int
        (g, c, k) at which the pass starts; it reads all taps.
    groups, channels, outputs : int
        Of the pass.
    element_bytes : int
    start_bytes : int
        Address of the first weight in its buffer, behind the terms of the output channels.
    places : int
        Consecutive input channels of a tap that a PE takes at once, of the input too; the last of a tap are what is
        left.
    word_bits : int
        Of packed N:M weights, the bits of the word that holds the kept weights of `places` channels and their indices;
        words of one tap and group of channels lie side by side, a row of them in whole bytes. 0: every weight is an
        element of its own.
    """

    tile: tuple[int, int, int, int]
    first: tuple[int, int, int]
    groups: int
    channels: int
    outputs: int
    element_bytes: int
    start_bytes: int = 0
    places: int = 1
    word_bits: int = 0

    @property
    def words(self) -> int:
        """Value of the operands of a PE per tap."""
        return -(-self.channels // self.places)


def input_pitches(read: InputRead, layout: Layout) -> tuple[int, int, int, int, int, int]:
    """Return the distance in bytes between neighbours along (n, g, z, y, x, c).

    ``channel_last``: [n][g][z][y][x][c]; ``planar``: [n][g][c][z][y][x].
    """
    _, g, z, y, x, c = read.tile
    unit = read.element_bytes
    planar = layout.startswith("planar")
    px = unit if planar else c * unit
    row = x * px + read.padding_bytes
    plane = y * row
    if planar:
        return g * c * z * plane, c * z * plane, plane, row, px, z * plane
    return g * z * plane, z * plane, plane, row, px, unit


def input_bytes(read: InputRead, layout: Layout) -> int:
    """Return the bytes that the tile takes in `layout`, padding included."""
    return read.tile[0] * input_pitches(read, layout)[0]


def row_padding(read: InputRead, layout: Layout, banks: Banks, pixels_in_row: int) -> int:
    """Return the padding that `layout` puts behind a row of the tile of `read`, in bytes.

    The padded layouts lengthen a row by the fewest elements that let a read go on in the next row as if there were no
    row end, as far as the banks tell: ``channel_last_padded`` from the last tap of a window row to the first of the
    next, ``planar_padded`` from the last of `pixels_in_row` outputs to the first of the next row. 0 where none does.
    """
    unit = read.element_bytes
    if layout == "channel_last_padded":
        row, rows = read.tile[4] * read.tile[5] * unit, read.dilation[1]
        wanted = read.taps[2] * read.dilation[2] * read.tile[5] * unit
    elif layout == "planar_padded":
        row, rows = read.tile[4] * unit, read.stride[1]
        wanted = pixels_in_row * read.stride[2] * unit
    else:
        return 0
    turn = banks.count * banks.word_bytes
    if (wanted - rows * row) % gcd(rows * unit, turn):
        return 0
    return next(p for p in range(0, turn + unit, unit) if (rows * (row + p) - wanted) % turn == 0)


def packed_pitches(read: WeightRead) -> tuple[int, int, int]:
    """Return the distance in bytes between groups, taps and rows of packed words, [g][tap][group of c][k]."""
    _, taps, c, k = read.tile
    row = -(-k * read.word_bits // 8)
    rows = -(-c // read.places)
    return taps * rows * row, rows * row, row


def weight_pitches(read: WeightRead, layout: Layout) -> tuple[int, int, int, int]:
    """Return the distance in bytes between neighbours along (g, tap, c, k) of weights that are not packed.

    ``output_last``: [g][tap][c][k], the order in which weights are packed; ``output_first``: [g][k][tap][c].
    """
    _, taps, c, k = read.tile
    unit = read.element_bytes
    group = prod((taps, c, k, unit))
    if layout == "output_first":
        return group, c * unit, unit, taps * c * unit
    return group, c * k * unit, k * unit, unit
