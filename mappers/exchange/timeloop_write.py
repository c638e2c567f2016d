"""Mappings written as Timeloop v0.4 mapping files.

Timeloop cuts every tensor of a level at the same place; a nest that holds tensors of one level at different depths has
no such form and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from hw_models.hierarchy.tree import MemoryTree
from hw_models.importers.timeloop_arch import TimeloopArch
from hw_models.importers.timeloop_tree import axis_name
from mappers.nests.mapping import Hold, NestMapping
from mappers.nests.problem import NestProblem
from workloads.errors import InputError


def timeloop_mapping(problem: NestProblem, tree: MemoryTree, mapping: NestMapping, fanouts: Mapping[str, str]) -> str:
    """Return `mapping` as the text of a Timeloop v0.4 mapping file.

    Parameters
    ----------
    fanouts : mapping of axis to target
        Which container a spatial directive along an axis names; see `fanout_targets`.

    Raises
    ------
    InputError
        If a level holds its tensors at different depths, or a tile does not divide.
    """
    extents = mapping.extents(problem)
    depth = {level.name: _depth(mapping, level.name) for level in tree.levels}
    dims = list(problem.sizes)
    lines = ["mapping:"]
    timed: dict[str, list[tuple[str, int]]] = {level.name: [] for level in tree.levels}
    along: dict[str, list[tuple[str, int]]] = {axis.name: [] for axis in tree.axes}
    for at, (loop, extent) in enumerate(zip(mapping.loops, extents, strict=True)):
        if extent % loop.tile:
            raise InputError(
                f"mapping: {loop.dim} is cut into tiles of {loop.tile} out of {extent}, the last of them ragged; "
                "Timeloop's form here has whole factors only; use tiles that divide"
            )
        if extent == loop.tile:
            continue
        if loop.axis is not None:
            along[loop.axis].append((loop.dim, extent // loop.tile))
            continue
        places = [(d, i) for i, level in enumerate(tree.levels) if (d := depth[level.name]) is not None and d <= at]
        timed[tree.levels[max(places, key=lambda pair: pair[1])[1]].name].append((loop.dim, extent // loop.tile))
    done: set[str] = set()
    for level in tree.levels:
        lines += _spatial_lines(tree, along, fanouts, level.serves, done, dims)
        held = {role for role in (t.role for t in problem.tensors) if level.name in dict(mapping.holds(role))}
        order = [dim for dim, _ in reversed(timed[level.name])]
        order += [dim for dim in dims if dim not in order]
        totals = {dim: prod(f for d, f in timed[level.name] if d == dim) for dim in dims}
        if len(timed[level.name]) != len({dim for dim, _ in timed[level.name]}):
            raise InputError(
                f"mapping: level '{level.name}' loops twice over one dimension; Timeloop has one loop per dimension "
                "and level; merge the loops where they stand together"
            )
        lines += [f"  - target: {level.name}", "    type: temporal", f"    factors: [{_factors(totals)}]"]
        lines.append(f"    permutation: [{', '.join(order)}]")
        roles = [tensor.role for tensor in problem.tensors]
        keep, bypass = [r for r in roles if r in held], [r for r in roles if r not in held]
        lines += [f"  - target: {level.name}", "    type: dataspace"]
        lines.append(f"    keep: [{', '.join(keep)}]")
        lines.append(f"    bypass: [{', '.join(bypass)}]")
    lines += _spatial_lines(tree, along, fanouts, (), done, dims)
    return "\n".join(lines) + "\n"


def _factors(totals: Mapping[str, int]) -> str:
    return ", ".join(f"{dim}={factor}" for dim, factor in totals.items())


def _depth(mapping: NestMapping, level: str) -> int | None:
    """Return the number of loops above the holds of `level`, which must stand together but for loops along axes."""
    depths = sorted(
        {
            d
            for role in {n.role for n in mapping.nodes if isinstance(n, Hold)}
            for name, d in mapping.holds(role)
            if name == level
        }
    )
    if len(depths) > 1 and any(loop.axis is None for loop in mapping.loops[depths[0] : depths[-1]]):
        raise InputError(
            f"mapping: level '{level}' holds tensors above and below a loop in time; Timeloop cuts all tensors of a "
            "level at one place; use a mapping with even cuts"
        )
    return depths[-1] if depths else None


def _spatial_lines(
    tree: MemoryTree, along: Mapping[str, list[tuple[str, int]]], fanouts: Mapping[str, str], served: tuple[str, ...],
    done: set[str], dims: list[str],
) -> list[str]:  # fmt: skip
    """Return spatial directives of the fan-outs that end above a level serving `served`."""
    lines: list[str] = []
    open_ = [axis.name for axis in tree.axes if axis.name not in served and axis.name not in done]
    for target in dict.fromkeys(fanouts[axis] for axis in open_):
        axes = [axis for axis in open_ if fanouts[axis] == target]
        done.update(axes)
        pairs = [(dim, factor) for axis in axes for dim, factor in along[axis]]
        order = [dim for axis in axes for dim, _ in reversed(along[axis])]
        order += [dim for dim in dims if dim not in order]
        totals = {dim: prod(f for d, f in pairs if d == dim) for dim in dims}
        lines += [f"  - target: {target}", "    type: spatial", f"    factors: [{_factors(totals)}]"]
        lines += [
            f"    permutation: [{', '.join(order)}]",
            f"    split: {len(along[axes[0]]) if len(axes) > 1 else len(dims)}",
        ]
    return lines


def fanout_targets(arch: TimeloopArch) -> dict[str, str]:
    """Return the target of the spatial directives of each axis of `arch`'s hierarchy."""
    found = {}
    for node in arch.nodes:
        for letter, size in zip("XY", node.fanout, strict=True):
            if size > 1:
                found[axis_name(node, letter)] = node.fanout_name
    return found
