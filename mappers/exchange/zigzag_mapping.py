"""ZigZag's mapping files and loop lists: read strictly, made into nests, and written.

A file entry fixes the unrolling of each array axis and may fix the order of loops in time (innermost first); which
memory holds which loops ZigZag decides itself. What it decided, and what its cost model takes, is a list of loops per
operand and memory; `nest_of_loops` and `loops_of_nest` go between that and a `NestMapping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem
from workloads.errors import InputError
from workloads.importers.cursor import Cursor

_AXES = tuple(f"D{number}" for number in range(1, 10))
Pairs = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ZigZagEntry:
    """One entry of a mapping file.

    Parameters
    ----------
    unrolling : tuple of (axis, pairs)
        ``spatial_mapping``; empty if the entry leaves it to the search.
    links : tuple of (role, memory operand)
        ``memory_operand_links``.
    order : tuple of (dimension, size)
        ``temporal_ordering``, innermost first; size 0 stands for ``*``, all that remains.
    """

    name: str
    unrolling: tuple[tuple[str, Pairs], ...]
    links: tuple[tuple[str, str], ...]
    order: Pairs = ()

    def unrolled(self, sizes: Mapping[str, int], axes: Mapping[str, int]) -> dict[str, Pairs]:
        """Return the unrolling for a layer on an array, as ZigZag cuts it.

        Dimensions that the layer has not are dropped, factors cut to the dimension and to the axis, in the order given.
        """
        found: dict[str, Pairs] = {}
        for axis, pairs in self.unrolling:
            if axis not in axes:
                raise InputError(f"mapping '{self.name}': axis {axis} is not one of {', '.join(axes)} of the array")
            left, cut = axes[axis], []
            for dim, factor in pairs:
                if dim in sizes:
                    cut.append((dim, max(1, min(factor, sizes[dim], left))))
                    left //= cut[-1][1]
            found[axis] = tuple(cut)
        return found


def read_mapping(top: Cursor) -> tuple[ZigZagEntry, ...]:
    """Return the entries of a mapping file.

    Raises
    ------
    InputError
        With every mistake: unknown keys, hints (a search rule that is not followed here), orders beyond `*`.
    """
    found = []
    for item in top.items():
        fields = item.fields(
            ("name",), ("spatial_mapping", "memory_operand_links", "temporal_ordering", "spatial_mapping_hint")
        )
        if "spatial_mapping_hint" in fields:
            fields["spatial_mapping_hint"].fail(
                "steers ZigZag's own choice of axes", "supported: spatial_mapping, or neither of them for a free choice"
            )
        links: tuple[tuple[str, str], ...] = (("I", "I1"), ("W", "I2"), ("O", "O"))
        if "memory_operand_links" in fields:
            given = fields["memory_operand_links"].fields(("O", "W", "I"))
            links = tuple((role, entry.choice(("I1", "I2", "O"))) for role, entry in given.items())
            if len({operand for _, operand in links}) != len(links):
                fields["memory_operand_links"].fail("links two tensors to one operand", "link each to its own")
        unrolling: list[tuple[str, Pairs]] = []
        if "spatial_mapping" in fields and fields["spatial_mapping"].value is not None:
            for axis, entry in fields["spatial_mapping"].fields((), _AXES).items():
                unrolling.append((axis, tuple(_pair(pair) for pair in entry.items())))
        order = (
            tuple(_step(step) for step in fields["temporal_ordering"].items()) if "temporal_ordering" in fields else ()
        )
        name = fields["name"].text() if "name" in fields else ""
        found.append(ZigZagEntry(name, tuple(unrolling), links, order))
    if not any(entry.name == "default" for entry in found):
        top.fail("has no entry 'default'", "add one for the layers that no other entry names")
    top.finish()
    return tuple(found)


def _pair(cursor: Cursor) -> tuple[str, int]:
    text = cursor.text(r"[A-Z]+[0-9]*, *[0-9]+", "'DIMENSION, FACTOR' such as 'K, 32'")
    dim, _, factor = text.partition(",")
    if text and int(factor) < 1:
        cursor.fail(f"is '{text}'", "a factor >= 1 is needed")
    return (dim, max(1, int(factor))) if text else ("", 1)


def _step(cursor: Cursor) -> tuple[str, int]:
    items = cursor.items()
    if len(items) != 2:
        cursor.fail("is not a pair", "supported: [DIMENSION, SIZE] or [DIMENSION, '*']")
        return "", 1
    size = 0 if items[1].value == "*" else items[1].integer(1, 1 << 40, "iterations, or '*'")
    return items[0].text(r"[A-Z]+[0-9]*", "a dimension"), size


def entry_for(entries: Iterable[ZigZagEntry], layer: str, kind: str) -> ZigZagEntry:
    """Return the entry that ZigZag takes for a layer: by its name, else by its operator, else the default."""
    known = {entry.name: entry for entry in reversed(tuple(entries))}
    for name in (layer, kind, "default"):
        if name in known:
            return known[name]
    raise InputError(f"mapping: no entry for layer '{layer}'; add 'default'")


def nest_of_loops(
    problem: NestProblem, tree: MemoryTree, temporal: Mapping[str, Sequence[Sequence[tuple[str, int]]]],
    unrolling: Mapping[str, Sequence[tuple[str, int]]],
) -> NestMapping:  # fmt: skip
    """Return the nest of a ZigZag mapping.

    Parameters
    ----------
    temporal : mapping of role to levels of (dimension, factor)
        Innermost memory first and innermost loop first. All roles hold the same loops in the same order, each cut into
        its own memories.
    unrolling : mapping of axis to (dimension, factor) pairs

    Raises
    ------
    InputError
        If two roles order the loops differently, or a role has not one list per memory.
    """
    orders = {role: [(dim, n) for level in levels for dim, n in level] for role, levels in temporal.items()}
    first: str = next(iter(orders))
    for role, order in orders.items():
        if order != orders[first]:
            raise InputError(f"mapping: {role} has the loops {order}, {first} has {orders[first]}; one order is needed")
    cuts: dict[int, list[Hold]] = {}  # loops inside the hold -> holds there, outermost first
    for role, levels in temporal.items():
        chain = [level.name for level in tree.levels if role in level.roles]
        if len(chain) != len(levels):
            raise InputError(f"mapping: {role} has {len(levels)} levels, '{tree.name}' holds it in {chain}")
        inside = 0
        for name, loops in zip(reversed(chain), levels, strict=True):
            inside += len(loops)
            cuts.setdefault(inside, []).insert(0, Hold(name, role))
    names = [level.name for level in tree.levels]
    tile = dict.fromkeys(problem.sizes, 1)
    inner: list[Loop | Hold] = []
    for axis, pairs in unrolling.items():
        for dim, factor in pairs:
            if factor > 1:
                inner.insert(0, Loop(dim, tile[dim], axis))
                tile[dim] = min(tile[dim] * factor, problem.sizes[dim])
    for at in range(len(orders[first]) + 1):
        if at:
            dim, factor = orders[first][at - 1]
            if dim not in tile:
                raise InputError(f"mapping: loop over {dim}, dimensions are {list(tile)}; correct it")
            if factor > 1:
                inner.insert(0, Loop(dim, tile[dim]))
                tile[dim] = min(tile[dim] * factor, problem.sizes[dim])
        inner = [*sorted(cuts.get(at, ()), key=lambda hold: names.index(hold.level)), *inner]
    for dim, size in problem.dims:
        if tile[dim] != size:
            raise InputError(f"mapping: factors of {dim} multiply to {tile[dim]}, its size is {size}; correct them")
    return NestMapping(tuple(inner))


@dataclass(frozen=True, slots=True)
class ZigZagLoops:
    """A mapping as ZigZag's cost model takes it; see `nest_of_loops`."""

    temporal: tuple[tuple[str, tuple[Pairs, ...]], ...]
    unrolling: tuple[tuple[str, Pairs], ...]

    @property
    def order(self) -> Pairs:
        """Value of the loops in time, innermost first."""
        return tuple(loop for level in self.temporal[0][1] for loop in level)


def loops_of_nest(problem: NestProblem, tree: MemoryTree, mapping: NestMapping) -> ZigZagLoops:
    """Return `mapping` as loops per operand and memory.

    ZigZag knows factors, not tiles: the factor of a loop is its trip count, which is exact for divisors; ragged tiles
    are accepted only where the steps of the dimension come out as ZigZag's own ceiling.

    Raises
    ------
    InputError
        If a role is not held in a memory that ZigZag would place it in, or ragged tiles cannot be expressed.
    """
    extents = mapping.extents(problem)
    trips = [ceil(extent / loop.tile) for extent, loop in zip(extents, mapping.loops, strict=True)]
    unrolling: dict[str, dict[str, int]] = {axis.name: {} for axis in tree.axes}
    for loop, trip in zip(mapping.loops, trips, strict=True):
        if loop.axis is not None and trip > 1:
            unrolling[loop.axis][loop.dim] = unrolling[loop.axis].get(loop.dim, 1) * trip
    for dim, size in problem.dims:
        space = prod(factors.get(dim, 1) for factors in unrolling.values())
        steps = prod(t for loop, t in zip(mapping.loops, trips, strict=True) if loop.dim == dim and loop.axis is None)
        if steps != ceil(size / space):
            raise InputError(
                f"mapping: {dim} (size {size}) takes {steps} steps over {space} positions, ZigZag counts "
                f"{ceil(size / space)}; use tiles that divide"
            )
    timed = [(at, loop) for at, loop in enumerate(mapping.loops) if loop.axis is None and trips[at] > 1]
    temporal = []
    for tensor in problem.tensors:
        chain = [level.name for level in tree.levels if tensor.role in level.roles]
        holds = dict(mapping.holds(tensor.role))
        missing = [name for name in chain if name not in holds]
        if missing:
            raise InputError(
                f"mapping: {tensor.role} bypasses {', '.join(missing)}; ZigZag holds every operand in every memory "
                "that lists it"
            )
        levels = []
        for name, inner in zip(chain, [*chain[1:], None], strict=True):
            low = holds[name]
            high = len(mapping.loops) if inner is None else holds[inner]
            levels.append(tuple((loop.dim, trips[at]) for at, loop in reversed(timed) if low <= at < high))
        temporal.append((tensor.role, tuple(reversed(levels))))
    pairs = tuple((axis, tuple(factors.items())) for axis, factors in unrolling.items())
    return ZigZagLoops(tuple(temporal), pairs)


def dump_mapping(loops: ZigZagLoops, name: str = "default") -> str:
    """Return `loops` as the text of a ZigZag mapping file with one entry: unrolling and the order in time.

    The memory of each loop is ZigZag's to choose; `loops.temporal` carries it for its cost model.
    """
    lines = [f"- name: {name}", "  spatial_mapping:"]
    for axis, pairs in loops.unrolling:
        lines += [f"    {axis}:", *(f"      - {dim}, {factor}" for dim, factor in pairs or (("K", 1),))]
    if loops.order:
        lines += ["  temporal_ordering:", *(f"    - [{dim}, {factor}]" for dim, factor in loops.order)]
    lines += ["  memory_operand_links: {O: O, W: I2, I: I1}"]
    return "\n".join(lines) + "\n"
