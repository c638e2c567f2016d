"""Strided views of DRAM: how a tensor's logical axes lie in memory, and the DMA descriptors of its boxes.

An axis is a tuple of factors (size, stride), outermost first: a plain axis has one, an axis merged by a reshape of a
transposed tensor has several. Reshape, transposition, slicing and broadcasting are then changes of view; what they
cost is the length of the contiguous runs that a reader or writer finds, and that falls out of the descriptor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from mappers.commands import Transfer

Range = tuple[int, int]
Factor = tuple[int, int]
Axis = tuple[Factor, ...]
Piece = tuple[int, Axis]
"""Part of an axis that nested strides can walk: (offset in bytes, factors)."""

UNIT: Axis = ()
"""Axis of size one."""


def axis_size(axis: Axis) -> int:
    """Return the number of elements along `axis`."""
    return prod(size for size, _ in axis)


def join(axes: Sequence[Axis]) -> Axis:
    """Return the axis that walks `axes` in row-major order, neighbours of matching stride merged."""
    merged: list[Factor] = []
    for size, stride in (factor for axis in axes for factor in axis):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    return tuple(merged)


def pieces(axis: Axis, start: int, stop: int) -> list[Piece]:
    """Return the parts of `axis` from `start` to `stop` in order; their sizes sum to ``stop - start``.

    Examples
    --------
    >>> pieces(((3, 100), (4, 1)), 2, 9)
    [(2, ((2, 1),)), (100, ((1, 100), (4, 1))), (200, ((1, 1),))]
    """
    if stop <= start:
        return []
    if not axis:
        return [(0, ())]
    (_, stride), inner = axis[0], axis[1:]
    if not inner:
        return [(start * stride, ((stop - start, stride),))]
    width = axis_size(inner)
    first, last = start // width, (stop - 1) // width
    if first == last:
        return [(first * stride + at, rest) for at, rest in pieces(inner, start - first * width, stop - first * width)]
    made: list[Piece] = []
    if start % width:
        made += [(first * stride + at, rest) for at, rest in pieces(inner, start % width, width)]
        first += 1
    whole = stop // width - first
    if whole:
        made.append((first * stride, ((whole, stride), *inner)))
    if stop % width:
        made += [(stop // width * stride + at, rest) for at, rest in pieces(inner, 0, stop % width)]
    return made


def descriptors(address: int, axes: Sequence[list[Piece]], element_bytes: int) -> tuple[Transfer, ...]:
    """Return the transfers of the product of one list of pieces per axis; empty if some list is."""
    return tuple(
        _descriptor(address + sum(at for at, _ in choice), [f for _, axis in choice for f in axis], element_bytes)
        for choice in product(*axes)
    )


def _descriptor(address: int, factors: list[Factor], element_bytes: int) -> Transfer:
    """Return one transfer: factors sorted by stride, contiguous ones joined to the run, matching ones to each other."""
    run = element_bytes
    nest: list[list[int]] = []
    for stride, count in sorted((stride, count) for count, stride in factors if count > 1):
        if stride == run and not (nest and nest[-1][1]):
            run *= count
        elif nest and nest[-1][1] and nest[-1][0] * nest[-1][1] == stride:
            nest[-1][0] *= count
        else:
            nest.append([count, stride])
    nest.reverse()
    return Transfer(address, run, tuple(count for count, _ in nest), tuple(stride for _, stride in nest))


@dataclass(frozen=True, slots=True)
class View:
    """A tensor in DRAM.

    Parameters
    ----------
    storage : str
        Name of the block of DRAM it lies in.
    offset_bytes : int
        Of its first element in the block.
    axes : tuple of Axis
        One per logical axis, strides in bytes; a stride of zero repeats.
    element_bytes : int
        Bytes of one element.
    """

    storage: str
    offset_bytes: int
    axes: tuple[Axis, ...]
    element_bytes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Value of the logical shape."""
        return tuple(axis_size(axis) for axis in self.axes)

    def permute(self, order: Sequence[int]) -> View:
        """Return the transposed view: axis i is axis ``order[i]`` of this one."""
        return View(self.storage, self.offset_bytes, tuple(self.axes[i] for i in order), self.element_bytes)

    def reshape(self, shape: Sequence[int]) -> View | None:
        """Return the view under `shape`, row major over the logical axes, or None if some factor would have to be torn.

        Examples
        --------
        >>> View("t", 0, (((6, 4),), ((4, 1),)), 1).permute((1, 0)).reshape((2, 2, 6)).axes
        (((2, 2),), ((2, 1),), ((6, 4),))
        """
        left = list(join(self.axes))
        axes: list[Axis] = []
        for size in reversed(shape):
            taken: list[Factor] = []
            need = size
            while need > 1:
                count, stride = left.pop()
                if need % count == 0:
                    taken.insert(0, (count, stride))
                    need //= count
                elif count % need == 0:
                    taken.insert(0, (need, stride))
                    left.append((count // need, stride * need))
                    need = 1
                else:
                    return None
            axes.insert(0, tuple(taken))
        return View(self.storage, self.offset_bytes, tuple(axes), self.element_bytes)

    def narrow(self, axis: int, start: int, stop: int, step: int = 1) -> View | None:
        """Return the view of elements ``start : stop : step`` of `axis`, or None if strides cannot say it."""
        parts = pieces(self.axes[axis], start, stop)
        if len(parts) != 1 or (step > 1 and len(parts[0][1]) > 1):
            return None
        at, factors = parts[0]
        if step > 1 and factors:
            count, stride = factors[0]
            factors = ((-(-count // step), stride * step),)
        return self._with(axis, factors, at)

    def expand(self, shape: Sequence[int]) -> View:
        """Return the broadcast view: new and widened axes have stride zero."""
        missing = len(shape) - len(self.axes)
        axes: list[Axis] = []
        for place, size in enumerate(shape):
            axis = self.axes[place - missing] if place >= missing else UNIT
            axes.append(axis if axis_size(axis) == size else ((size, 0),))
        return View(self.storage, self.offset_bytes, tuple(axes), self.element_bytes)

    def transfers(self, address: int, box: Sequence[Range]) -> tuple[Transfer, ...]:
        """Return the descriptors of `box`, one (start, stop) per axis, of the storage block at `address`."""
        parts = [pieces(axis, start, stop) for axis, (start, stop) in zip(self.axes, box, strict=True)]
        return descriptors(address + self.offset_bytes, parts, self.element_bytes)

    def _with(self, axis: int, factors: Axis, shift: int) -> View:
        axes = (*self.axes[:axis], factors, *self.axes[axis + 1 :])
        return View(self.storage, self.offset_bytes + shift, axes, self.element_bytes)


def dense(storage: str, shape: Sequence[int], order: Sequence[int], element_bytes: int) -> View:
    """Return the view of a block that holds `shape` with its axes in `order`, outermost first."""
    axes: list[Axis] = [UNIT] * len(shape)
    stride = element_bytes
    for axis in reversed(order):
        axes[axis] = ((shape[axis], stride),) if shape[axis] > 1 else UNIT
        stride *= shape[axis]
    return View(storage, 0, tuple(axes), element_bytes)
