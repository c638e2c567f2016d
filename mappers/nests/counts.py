"""Access counts of a mapping in closed form, exact integers.

A tile is fetched when a loop in time at or above the innermost loop that the tensor depends on steps; loops below
that one and above the hold leave the tile where it is (stationarity). Under ``timeloop`` a tile that moves along
its innermost such loop fetches only what the tile before it did not hold, and the multipliers read every operand in
every step. Under ``zigzag`` every fetch is whole, and the multipliers keep a word while it does not change.

Sources: A. Parashar et al., Timeloop, ISPASS 2019, section VI; L. Mei et al., ZigZag, IEEE TC 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from mappers.nests.boxes import Tiles, full_tile, moved_elements
from mappers.nests.problem import ProblemTensor
from mappers.nests.views import Nest, Transfer, ViewLoop, count_steps, positions

Counting = Literal["timeloop", "zigzag"]
COUNTINGS: tuple[Counting, ...] = ("timeloop", "zigzag")


@dataclass(frozen=True, slots=True)
class Flow:
    """What one transfer moves, in elements over the whole run, summed over instances.

    Parameters
    ----------
    parent, child : str
        Names of the holders; an empty child is the multipliers.
    parent_elements, child_elements : int
        Elements that leave or enter the parent and the child. They differ by multicast and spatial reduction.
    parent_first, child_first : int
        Of an output: those of the first visit of each element, which bring nothing in; as many leave for the last time,
        finished.
    fetches : int
        Times a tile of one child is replaced, the first fetch included.
    parent_tile, child_tile : int
        Elements of a whole tile: what one fetch moves at the parent (all children it feeds) and at one child.
    parent_copies, child_copies : int
        Instances of parent and child that the mapping uses.
    idle_steps : int
        Product of the loops in time that leave a fetched tile in place before it is first used up: those between the
        loop that fetches and the next loop below that the tensor depends on.
    finished : bool
        Of an output: what leaves for the last time is a finished sum, not a part that another instance completes.
    """

    role: str
    output: bool
    parent: str
    child: str
    parent_elements: int
    child_elements: int
    parent_first: int
    child_first: int
    fetches: int
    parent_tile: int
    child_tile: int
    parent_copies: int
    child_copies: int
    idle_steps: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Access:
    """Elements that one level reads and writes of one tensor.

    Parameters
    ----------
    reads : int
        To the level below (``tl``).
    fills : int
        From the level above (``fh``).
    updates : int
        From the level below (``fl``).
    drains : int
        To the level above (``th``); not counted under ``timeloop``.
    """

    reads: int = 0
    fills: int = 0
    updates: int = 0
    drains: int = 0


def flows(nest: Nest, counting: Counting) -> tuple[Flow, ...]:
    """Return every transfer of every tensor, tensors in the problem's order, outermost first."""
    return tuple(
        flow_of(nest, transfer, counting)
        for tensor in nest.problem.tensors
        for transfer in nest.transfers(tensor, latched=counting == "zigzag")
    )


def flow_of(nest: Nest, transfer: Transfer, counting: Counting) -> Flow:
    """Return one transfer's flow; loops below its hold do not matter, but for `idle_steps`."""
    tensor = transfer.tensor
    inside = set(tensor.dims)
    timed = [x for x in transfer.above if x.axis is None]
    seen = [x for x in timed if x.dim in inside and x.trips > 1]
    pivot = seen[-1] if seen else None
    last = (pivot.index if pivot else -1) if transfer.latched else len(nest.loops)
    slides = counting == "timeloop" and transfer.latched and pivot is not None
    child_axes = {x.index for x in (*transfer.above, *transfer.fan) if x.axis is not None and x.trips > 1}
    parent_axes = {x.index for x in transfer.above if x.axis is not None and x.trips > 1}
    counted = {x.index for x in timed if x.index <= last}

    def elements(fan: bool, still: bool) -> int:
        tiles = {}
        for dim in inside:
            chain = [x for x in (*transfer.above, *(transfer.fan if fan else ())) if x.dim == dim]
            moving = pivot if slides and not still and pivot is not None and pivot.dim == dim else None
            if moving is not None and not _overlap(tensor, dim):
                moving = None
            tiles[dim] = _tiles(nest, chain, dim, moving)
        return moved_elements(tensor, tiles, nest.problem.fetch_padding)

    others = [dim for dim in nest.problem.sizes if dim not in inside]
    feeds = transfer.parent.reduces if tensor.output else transfer.parent.casts(tensor.role)
    child_visits = prod(_combinations(nest, dim, counted | child_axes) for dim in others)
    parent_visits = prod(_combinations(nest, dim, counted | parent_axes) for dim in others)
    child_elements = elements(True, False) * child_visits
    parent_elements = elements(False, False) * parent_visits if feeds else child_elements
    child_first = parent_first = 0
    if tensor.output:
        child_first = elements(True, True) * prod(_combinations(nest, dim, child_axes) for dim in others)
        parent_first = (
            elements(False, True) * prod(_combinations(nest, dim, parent_axes) for dim in others)
            if feeds
            else child_first
        )
    every = list(nest.problem.sizes)
    fetches = prod(_combinations(nest, dim, counted) for dim in every)
    return Flow(
        tensor.role,
        tensor.output,
        transfer.parent.name,
        "" if transfer.child is None else transfer.child.name,
        parent_elements,
        child_elements,
        parent_first,
        child_first,
        fetches,
        _whole(nest, tensor, transfer.above),
        _whole(nest, tensor, (*transfer.above, *transfer.fan)),
        prod(_trips(nest, index) for index in parent_axes),
        prod(_trips(nest, index) for index in child_axes),
        _idle(nest, transfer, last if transfer.latched else len(nest.loops)),
        not any(nest.loops[index].dim in others for index in (parent_axes if feeds else child_axes)),
    )


def _trips(nest: Nest, index: int) -> int:
    return nest.loops[index].trips


def _combinations(nest: Nest, dim: str, counted: set[int]) -> int:
    """Return the combinations of iterations of the loops of `dim` in `counted`."""
    return count_steps([x for x in nest.loops if x.dim == dim], nest.problem.sizes[dim], counted)


def _tiles(nest: Nest, chain: list[ViewLoop], dim: str, moving: ViewLoop | None) -> Tiles:
    size, perfect = nest.problem.sizes[dim], dim not in nest.ragged
    if moving is None:
        return Tiles.still(*positions(chain, size, perfect))
    at = chain.index(moving)
    outer_starts, outer_sizes = positions(chain[:at], size, perfect)
    return _slid(outer_starts, outer_sizes, chain[at:], perfect)


def _overlap(tensor: ProblemTensor, dim: str) -> bool:
    """Tell whether tiles along `dim` can overlap: where an axis adds another dimension to it."""
    return any(len(axis.terms) > 1 for axis in tensor.axes if dim in [own for _, own in axis.terms])


def _slid(outer_starts: np.ndarray, outer_sizes: np.ndarray, chain: list[ViewLoop], perfect: bool) -> Tiles:
    """Return the tiles below `chain`, of which the first loop slides, inside each of the outer tiles."""
    moving, inner = chain[0], chain[1:]
    if perfect:  # every tile has the same size: all of them at once
        tile = int(outer_sizes[0]) // moving.trips
        new_starts, new_sizes = positions(inner, tile, perfect)
        trips = np.arange(moving.trips, dtype=np.int64)[None, :, None]
        starts = outer_starts[:, None, None] + trips * tile + new_starts
        sizes = np.broadcast_to(new_sizes, starts.shape)
        later = np.broadcast_to(trips > 0, starts.shape)
        before, old = np.where(later, starts - tile, starts), np.where(later, sizes, 0)
        return Tiles(starts.ravel(), sizes.ravel(), before.ravel(), old.ravel())
    parts: list[tuple[np.ndarray, ...]] = []
    for start, size in zip(outer_starts.tolist(), outer_sizes.tolist(), strict=True):
        tile = moving.tile
        for trip in range(-(-size // tile)):
            low = start + trip * tile
            new_starts, new_sizes = positions(inner, min(tile, start + size - low), perfect)
            if trip:
                old_starts, old_sizes = positions(inner, tile, perfect)
                old_starts, old_sizes = old_starts[: len(new_starts)] + low - tile, old_sizes[: len(new_starts)]
            else:
                old_starts, old_sizes = new_starts + low, np.zeros_like(new_sizes)
            parts.append((new_starts + low, new_sizes, old_starts, old_sizes))
    return Tiles(*(np.concatenate([part[k] for part in parts]) for k in range(4)))


def _whole(nest: Nest, tensor: ProblemTensor, above: tuple[ViewLoop, ...]) -> int:
    tile = {}
    for dim in tensor.dims:
        tile[dim] = nest.problem.sizes[dim]
        for loop in above:
            if loop.dim == dim:
                tile[dim] = min(loop.tile, tile[dim]) if dim in nest.ragged else tile[dim] // loop.trips
    return full_tile(tensor, tile, nest.problem.fetch_padding)


def _idle(nest: Nest, transfer: Transfer, last: int) -> int:
    """Return the product of the loops in time below loop `last` and above the next that the tensor depends on."""
    idle = 1
    for loop in nest.loops[last + 1 :]:
        if loop.axis is not None or loop.trips == 1:
            continue
        if loop.dim in transfer.tensor.dims:
            break
        idle *= loop.trips
    return idle


def accesses(nest: Nest, counting: Counting) -> dict[tuple[str, str], Access]:
    """Return the elements read and written, by (level, role), levels outermost first.

    Examples
    --------
    The worked case of `docs/layer_mapper.md`: a filter of 3 over 16 outputs, outputs stationary.

    >>> from mappers.nests.example import worked_case
    >>> table = accesses(worked_case(), "timeloop")
    >>> table["Buffer", "O"]
    Access(reads=32, fills=16, updates=48, drains=0)
    >>> table["DRAM", "I"].reads, table["Buffer", "I"].reads
    (18, 48)
    """
    table: dict[tuple[str, str], dict[str, int]] = {}

    def add(level: str, role: str, what: str, elements: int) -> None:
        if level:
            row = table.setdefault((level, role), {})
            row[what] = row.get(what, 0) + elements

    for flow in flows(nest, counting):
        if not flow.output:
            add(flow.parent, flow.role, "reads", flow.parent_elements)
            add(flow.child, flow.role, "fills", flow.child_elements)
            continue
        back = flow.child_elements - flow.child_first
        add(flow.parent, flow.role, "updates", flow.parent_elements)
        add(flow.parent, flow.role, "reads", flow.parent_elements - flow.parent_first)
        add(flow.child, flow.role, "fills", flow.child_elements if counting == "timeloop" else back)
        add(flow.child, flow.role, "drains", 0 if counting == "timeloop" else flow.child_elements)
    order: Callable[[tuple[str, str]], tuple[int, int]] = lambda key: (  # noqa: E731
        [level.name for level in nest.tree.levels].index(key[0]),
        [tensor.role for tensor in nest.problem.tensors].index(key[1]),
    )
    return {key: Access(**table[key]) for key in sorted(table, key=order)}
