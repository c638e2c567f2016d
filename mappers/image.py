"""Bus beats of the tiles of one image in DRAM, exact, for every candidate tiling at once.

An image is a dense array: outer axes, then channels innermost. A tile is a box in it; its DMA descriptor is the set of
maximal contiguous runs of the box, and a run of b bytes pays ``ceil(b / B)`` beats of B bytes. A box runs on through an
axis when it covers all inner axes whole, so with s the extent of the tile along an axis of size S and u the bytes
below it:

* a tile with ``s < S`` is one run of ``s * u`` bytes per line of the outer axes;
* a tile with ``s == S`` joins its lines into the next outer axis.

Summed over all tiles this is a recursion over the axes with two numbers per candidate and axis, the beats of the
partial tiles and the count of whole ones, because the tiles of a tiling are the product of the tiles of its axes.
Where channels are split, every pixel is a run of its own. The alignment of a run within a beat is left out: it can
only add beats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Index = Mapping[str, IntArray]


def ceil_div(a: IntArray, b: IntArray | int) -> IntArray:
    """Return ``ceil(a / b)`` of non-negative integers."""
    result: IntArray = -(-a // b)
    return result


@dataclass(frozen=True, slots=True)
class ImageAxis:
    """One outer axis of an image under each candidate tile of one loop.

    Parameters
    ----------
    size : int
        Elements of the image along the axis.
    total : ndarray
        Elements moved by one pass over the tiles (halo counted each time).
    whole : ndarray
        Tiles that cover the axis.
    partial_beats : ndarray
        Beats of one line of the tiles that do not.
    first, last : ndarray
        Extent of the first and of the last tile.
    """

    size: int
    total: IntArray
    whole: IntArray
    partial_beats: IntArray
    first: IntArray
    last: IntArray


class Image:
    """Beats of a channels-innermost image.

    Parameters
    ----------
    extents : mapping of str to (int, sequence of ndarray)
        Per outer axis, outermost first: size, and per candidate the extents of its tiles.
    channel_bytes : int
        Bytes of all channels of one pixel.
    beat_bytes : int
        Bytes of one bus beat.
    """

    def __init__(
        self, extents: Mapping[str, tuple[int, Sequence[IntArray]]], channel_bytes: int, beat_bytes: int
    ) -> None:
        self.channel_bytes, self.beat_bytes = channel_bytes, beat_bytes
        self.axes: dict[str, ImageAxis] = {}
        below = channel_bytes
        for dim in reversed(list(extents)):
            size, tiles = extents[dim]
            beats = [int(ceil_div(t[t < size] * below, beat_bytes).sum()) for t in tiles]
            self.axes[dim] = ImageAxis(
                size,
                np.array([t.sum() for t in tiles], dtype=np.int64),
                np.array([(t == size).sum() for t in tiles], dtype=np.int64),
                np.array(beats, dtype=np.int64),
                np.array([t[0] for t in tiles], dtype=np.int64),
                np.array([t[-1] for t in tiles], dtype=np.int64),
            )
            below *= size
        self.order = tuple(extents)
        self.whole_beats = -(-below // beat_bytes)

    def pixels(self, ix: Index) -> IntArray | int:
        """Return the pixels that one pass over all tiles moves."""
        count: IntArray | int = 1
        for dim in self.order:
            count = count * self.axes[dim].total[ix[dim]]
        return count

    def beats(self, ix: Index, split: BoolArray, pixel_beats: IntArray) -> IntArray:
        """Return the beats of one pass over all tiles.

        Parameters
        ----------
        split : ndarray of bool
            Whether tiles share pixels.
        pixel_beats : ndarray
            Beats of one pixel over all tiles that share it, used where `split`.
        """
        lines: IntArray | int = 1
        beats: IntArray | int = self.whole_beats
        for dim in self.order:
            axis, at = self.axes[dim], ix[dim]
            beats = lines * axis.partial_beats[at] + axis.whole[at] * beats
            lines = lines * axis.total[at]
        return np.where(split, lines * pixel_beats, beats)

    def tile_beats(self, ix: Index, end: str, split: BoolArray, pixel_beats: IntArray) -> IntArray:
        """Return the beats of the ``first`` or the ``last`` tile; `pixel_beats` of that tile alone."""
        run: IntArray | int = self.channel_bytes
        below, runs, pixels = self.channel_bytes, np.ones_like(pixel_beats), np.ones_like(pixel_beats)
        joined = np.ones_like(pixel_beats, dtype=bool)
        for dim in reversed(self.order):
            axis = self.axes[dim]
            extent = (axis.first if end == "first" else axis.last)[ix[dim]]
            run = np.where(joined, extent * below, run)
            runs = np.where(joined, runs, runs * extent)
            joined = joined & (extent == axis.size)
            pixels = pixels * extent
            below *= axis.size
        return np.where(split, pixels * pixel_beats, runs * ceil_div(np.asarray(run), self.beat_bytes))
