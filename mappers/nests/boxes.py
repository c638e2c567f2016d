"""Sums of tile sizes: how many elements of a tensor all tiles together hold, borders and overlaps exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mappers.nests.problem import ProblemTensor
from mappers.nests.views import IntArray
from workloads.loop_nest import Axis

MOST_POSITIONS = 1 << 24


@dataclass(frozen=True, slots=True)
class Tiles:
    """All tiles along one dimension, and for each the tile before it if it slides (size 0 if it does not)."""

    starts: IntArray
    sizes: IntArray
    before: IntArray
    before_sizes: IntArray

    @staticmethod
    def still(starts: IntArray, sizes: IntArray) -> Tiles:
        """Return tiles of which none slides."""
        return Tiles(starts, sizes, starts, np.zeros_like(sizes))


def components(tensor: ProblemTensor) -> list[tuple[tuple[Axis, ...], tuple[str, ...]]]:
    """Return groups of axes that share no dimension with each other, with the dimensions of each."""
    groups: list[tuple[list[Axis], dict[str, None]]] = []
    for axis in tensor.axes:
        dims = dict.fromkeys(dim for _, dim in axis.terms)
        joined: tuple[list[Axis], dict[str, None]] = ([axis], dims)
        for group in [g for g in groups if set(g[1]) & set(dims)]:
            groups.remove(group)
            joined = (group[0] + joined[0], group[1] | joined[1])
        groups.append(joined)
    return [(tuple(axes), tuple(dims)) for axes, dims in groups]


def moved_elements(tensor: ProblemTensor, tiles: Mapping[str, Tiles], padding: bool) -> int:
    """Return the elements that all tiles of `tensor` together bring in: of a sliding tile only the new ones.

    Parameters
    ----------
    tiles : mapping of dimension to Tiles
        Every combination of tiles of the tensor's dimensions occurs once.
    padding : bool
        Whether elements outside an axis count.
    """
    total = 1
    for axes, dims in components(tensor):
        total *= _component(axes, [tiles[dim] for dim in dims], dims, padding)
    return total


def _component(axes: Sequence[Axis], tiles: Sequence[Tiles], dims: Sequence[str], padding: bool) -> int:
    plain = len(axes) == 1 and len(dims) == 1 and not tiles[0].before_sizes.any() and axes[0].terms[0][0] == 1
    if plain and (padding or (axes[0].offset == 0 and int((tiles[0].starts + tiles[0].sizes).max()) <= axes[0].size)):
        return int(tiles[0].sizes.sum())
    if prod(len(tile.starts) for tile in tiles) > MOST_POSITIONS:  # halve the longest, so that memory stays bounded
        longest = max(range(len(tiles)), key=lambda at: len(tiles[at].starts))
        half = len(tiles[longest].starts) // 2
        return sum(
            _component(axes, [*tiles[:longest], _part(tiles[longest], part), *tiles[longest + 1 :]], dims, padding)
            for part in (slice(None, half), slice(half, None))
        )
    shape = tuple(len(tile.starts) for tile in tiles)
    whole, kept = np.ones(shape, dtype=np.int64), np.ones(shape, dtype=np.int64)
    slides = False
    for axis in axes:
        low, high = _interval(axis, dims, [t.starts for t in tiles], [t.sizes for t in tiles], padding)
        whole = whole * np.maximum(high - low + 1, 0)
        sliding = [tile.before_sizes > 0 for tile in tiles]
        if any(flag.any() for flag in sliding):
            slides = True
            starts = [np.where(flag, tile.before, tile.starts) for flag, tile in zip(sliding, tiles, strict=True)]
            sizes = [np.where(flag, tile.before_sizes, tile.sizes) for flag, tile in zip(sliding, tiles, strict=True)]
            old_low, old_high = _interval(axis, dims, starts, sizes, padding)
            kept = kept * np.maximum(np.minimum(high, old_high) - np.maximum(low, old_low) + 1, 0)
    if not slides:
        return int(whole.sum())
    moving = np.zeros(shape, dtype=bool)
    for at, tile in enumerate(tiles):
        moving |= (tile.before_sizes > 0).reshape([-1 if at == other else 1 for other in range(len(tiles))])
    return int(whole.sum() - kept[moving].sum())


def _part(tile: Tiles, part: slice) -> Tiles:
    return Tiles(tile.starts[part], tile.sizes[part], tile.before[part], tile.before_sizes[part])


def _interval(
    axis: Axis, dims: Sequence[str], starts: Sequence[IntArray], sizes: Sequence[IntArray], padding: bool
) -> tuple[IntArray, IntArray]:
    """Return first and last index along `axis` of every combination of tiles, clipped to real elements."""
    low = np.full([1] * len(dims), axis.offset, dtype=np.int64)
    high = low
    for coefficient, dim in axis.terms:
        at = dims.index(dim)
        shape = [-1 if at == other else 1 for other in range(len(dims))]
        low = low + coefficient * starts[at].reshape(shape)
        high = high + coefficient * (starts[at] + sizes[at] - 1).reshape(shape)
    if padding:
        return low, high
    return np.maximum(low, 0), np.minimum(high, axis.size - 1)


def full_tile(tensor: ProblemTensor, tile: Mapping[str, int], padding: bool) -> int:
    """Return the elements of a whole tile away from the borders, never more than the tensor has along an axis."""
    elements = 1
    for axis in tensor.axes:
        extent = 1 + sum(coefficient * (tile[dim] - 1) for coefficient, dim in axis.terms)
        elements *= extent if padding else min(extent, axis.size)
    return elements


def distinct_elements(axes: Sequence[Axis], sizes: Mapping[str, int], fetch_padding: bool) -> int:
    """Return how many different elements `axes` name as the dimensions run over `sizes`, listing every index.

    Elements outside the tensor count only with `fetch_padding`.
    """
    dims = list(sizes)
    grids = np.indices(list(sizes.values())).reshape(len(dims), -1)
    inside, key = np.ones(grids.shape[1], dtype=bool), np.zeros(grids.shape[1], dtype=np.int64)
    for axis in axes:
        at = np.full(grids.shape[1], axis.offset, dtype=np.int64)
        for coefficient, dim in axis.terms:
            at += coefficient * grids[dims.index(dim)]
        if not fetch_padding:
            inside &= (at >= 0) & (at < axis.size)
        key = key * (int(at.max()) - int(at.min()) + 1) + (at - int(at.min()))
    return len(np.unique(key[inside]))
