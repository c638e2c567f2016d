"""Where tensors lie in DRAM, and the DMA descriptors that move their tiles.

Activations lie with channels innermost: an image (N, C, [D, Y,] X) as [N][D][Y][X][C], any other tensor (..., F) row by row.
A tensor may be a view: the slice of a wider image's channels (concatenation and splitting without a copy). Weights lie as
packed tiles in the order in which the mapping takes them, so a tile is one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from mappers.commands import Transfer
from workloads.tensor import Tensor


@dataclass(frozen=True, slots=True)
class ImageView:
    """A tensor as a five-dimensional image in DRAM: batch, depth, rows, columns, channels (innermost).

    Parameters
    ----------
    sizes : tuple of int
        (n, d, y, x, c).
    pitches_bytes : tuple of int
        Of n, d, y, x; channels are adjacent.
    """

    address: int
    sizes: tuple[int, int, int, int, int]
    pitches_bytes: tuple[int, int, int, int]
    element_bytes: int

    def tile(self, ranges: Sequence[tuple[int, int]]) -> tuple[Transfer, ...]:
        """Return the descriptor of the box ``ranges`` = ((start, stop) of n, d, y, x, c); empty if the box is."""
        if any(stop <= start for start, stop in ranges):
            return ()
        address = self.address + ranges[4][0] * self.element_bytes
        address += sum(start * pitch for (start, _), pitch in zip(ranges[:4], self.pitches_bytes, strict=True))
        run = (ranges[4][1] - ranges[4][0]) * self.element_bytes
        axes: list[tuple[int, int]] = []
        for (start, stop), pitch in zip(reversed(ranges[:4]), reversed(self.pitches_bytes), strict=True):
            count = stop - start
            if count == 1:
                continue
            if not axes and pitch == run:
                run *= count
            elif axes and axes[0][1] * axes[0][0] == pitch:
                axes[0] = (axes[0][0] * count, axes[0][1])
            else:
                axes.insert(0, (count, pitch))
        return (Transfer(address, run, tuple(c for c, _ in axes), tuple(p for _, p in axes)),)

    def channels(self, start: int, stop: int) -> ImageView:
        """Return the view of channels `start` to `stop`."""
        return ImageView(
            self.address + start * self.element_bytes,
            (*self.sizes[:4], stop - start),
            self.pitches_bytes,
            self.element_bytes,
        )


def image_sizes(shape: Sequence[int], matrices: int = 1) -> tuple[int, int, int, int, int]:
    """Return (n, d, y, x, c) of a tensor shape.

    Parameters
    ----------
    matrices : int
        For tensors of rank 3 and less read by a matrix product: leading batch of matrices.

    Examples
    --------
    >>> image_sizes((1, 64, 56, 56)), image_sizes((2, 12, 128, 64), matrices=24), image_sizes((1000,))
    ((1, 1, 56, 56, 64), (24, 1, 1, 128, 64), (1, 1, 1, 1, 1000))
    """
    if matrices > 1:
        return matrices, 1, 1, prod(shape[:-1]) // matrices, shape[-1]
    if len(shape) in (4, 5):
        spatial = (1,) * (3 - len(shape[2:])) + tuple(shape[2:])
        return shape[0], spatial[0], spatial[1], spatial[2], shape[1]
    return 1, 1, 1, prod(shape[:-1]), shape[-1] if shape else 1


def dense(address: int, sizes: tuple[int, int, int, int, int], element_bytes: int) -> ImageView:
    """Return the view of a tensor that lies by itself."""
    _, d, y, x, c = sizes
    x_pitch = c * element_bytes
    return ImageView(address, sizes, (d * y * x * x_pitch, y * x * x_pitch, x * x_pitch, x_pitch), element_bytes)


class DramImage:
    """Hands out addresses; every block starts on a beat."""

    def __init__(self, beat_bytes: int) -> None:
        self._beat = beat_bytes
        self._top = 0
        self._at: dict[str, int] = {}

    @property
    def size_bytes(self) -> int:
        """Value of the image's size."""
        return self._top

    def blocks(self) -> dict[str, int]:
        """Return the address of every block."""
        return dict(self._at)

    def block(self, name: str, size_bytes: int) -> int:
        """Return the address of block `name`, making it on first use."""
        if name not in self._at:
            self._at[name] = self._top
            self._top += -(-size_bytes // self._beat) * self._beat
        return self._at[name]

    def tensor(self, tensor: Tensor, element_bytes: int) -> int:
        """Return the address of `tensor`."""
        return self.block(tensor.name, tensor.elements * element_bytes)
