"""Timeloop's mapping files (``mapping: [{target, type, factors, permutation, ...}]``), read strictly.

Permutations list the innermost loop first; a factor of 0 stands for what remains of the dimension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from hw_models.importers.timeloop_arch import TimeloopArch, TimeloopNode
from hw_models.importers.timeloop_attributes import factors_of
from hw_models.importers.timeloop_tree import axis_name
from mappers.nests.mapping import Hold, Loop, NestMapping
from mappers.nests.problem import NestProblem
from workloads.importers.cursor import Cursor

_TYPES = ("temporal", "spatial", "bypass", "dataspace", "datatype")


@dataclass
class _Place:
    """Directives of one target."""

    temporal: list[tuple[str, int]] = field(default_factory=list)  # outermost first
    spatial: list[tuple[str, int, str]] = field(default_factory=list)  # with the letter of the axis
    bypass: tuple[str, ...] = ()


def read_timeloop_mapping(top: Cursor, arch: TimeloopArch, problem: NestProblem) -> NestMapping:
    """Return the nest under `top`, a file with the key ``mapping`` or that list.

    Raises
    ------
    InputError
        With every mistake: unknown targets and keys, factors that do not multiply to the dimension, loops along a mesh
        that is too small, bypasses at the outermost storage.
    """
    body = top
    if isinstance(top.value, dict):
        others = ("architecture", "problem", "architecture_constraints", "compound_components", "mapper", "mapspace")
        body = top.fields(("mapping",), (*others, "globals", "variables", "dumped_by_timeloop_front_end"))["mapping"]
        top.finish()
    storages = [node for node in arch.nodes if not node.compute]
    places = {node.name: _Place() for node in arch.nodes}
    fanouts = {node.fanout_name: node for node in arch.nodes if prod(node.fanout) > 1}
    dims = tuple(problem.sizes)
    for item in body.items():
        fields = item.fields(("target", "type"), ("factors", "permutation", "split", "keep", "bypass"))
        if "target" not in fields or "type" not in fields:
            continue
        kind, target = fields["type"].choice(_TYPES), str(fields["target"].value)
        if kind == "spatial":
            _read_spatial(fields, target, fanouts, places, dims)
        elif target not in {node.name for node in storages}:
            _check_idle(fields, target, fanouts, [node.name for node in storages], kind)
        elif kind == "temporal":
            places[target].temporal = _ordered(fields, dims)
        else:
            places[target].bypass = _names(fields.get("bypass"), problem)
            _names(fields.get("keep"), problem)
            if places[target].bypass and target == storages[0].name:
                fields["bypass"].fail("is at the outermost storage", "it keeps everything; remove the bypass")
    top.finish()
    _fill(body, problem, places, [node.name for node in arch.nodes])
    top.finish()
    return _nest(arch, problem, places)


def _names(cursor: Cursor | None, problem: NestProblem) -> tuple[str, ...]:
    roles = [tensor.role for tensor in problem.tensors]
    return tuple(item.choice(roles) for item in cursor.items()) if cursor is not None else ()


def _check_idle(
    fields: dict[str, Cursor], target: str, fanouts: Mapping[str, TimeloopNode], storages: list[str], kind: str
) -> None:
    """Accept directives at a dummy that do nothing (all factors 1, everything bypassed); refuse the rest."""
    if target not in fanouts:
        fields["target"].fail(f"is '{target}'", f"storages: {', '.join(storages)}; fan-outs: {', '.join(fanouts)}")
    elif kind == "temporal" and any(factor != 1 for factor in factors_of(fields["factors"]).values()):
        fields["factors"].fail("loops in time at a fan-out", "move the loops to a storage")


def _ordered(fields: dict[str, Cursor], dims: tuple[str, ...]) -> list[tuple[str, int]]:
    """Return (dimension, factor) outermost first; factors of 1 are left out, 0 stays for `_fill`."""
    factors = factors_of(fields["factors"]) if "factors" in fields else {}
    for dim in factors:
        if dim not in dims:
            fields["factors"].fail(f"names {dim}", f"the problem has {', '.join(dims)}")
    order = _permutation(fields.get("permutation"), dims)
    loose = [dim for dim, factor in factors.items() if factor != 1 and dim not in order]
    if loose and "permutation" in fields:
        fields["permutation"].fail(f"leaves out {', '.join(loose)}", "list every dimension that has a factor")
    order = [*order, *loose]
    return [(dim, factors[dim]) for dim in reversed(order) if factors.get(dim, 1) != 1]


def _permutation(cursor: Cursor | None, dims: tuple[str, ...]) -> list[str]:
    if cursor is None:
        return []
    if isinstance(cursor.value, str):
        text = cursor.value
        parts = re.split(r"[,\s]+", text.strip()) if re.search(r"[,\s]", text.strip()) or text in dims else list(text)
    else:
        parts = [str(item.value) for item in cursor.items()]
    parts = [part for part in parts if part]
    if len(set(parts)) != len(parts) or any(part not in dims for part in parts):
        cursor.fail(f"is {parts}", f"each of {', '.join(dims)} at most once, innermost first")
        return []
    return parts


def _read_spatial(
    fields: dict[str, Cursor], target: str, fanouts: Mapping[str, TimeloopNode], places: dict[str, _Place],
    dims: tuple[str, ...],
) -> None:  # fmt: skip
    loops = _ordered(fields, dims)
    if target not in fanouts:
        if loops:
            fields["target"].fail(f"is '{target}', which has no copies", f"fan-outs: {', '.join(fanouts) or 'none'}")
        return
    node = fanouts[target]
    order = _permutation(fields.get("permutation"), dims)
    split = fields["split"].integer(0, 1 << 20, "position") if "split" in fields else None
    place = places[node.name]
    for dim, factor in loops:
        if min(node.fanout) == 1:
            letter = "X" if node.fanout[0] > 1 else "Y"
        else:
            at = order.index(dim) if dim in order else 0
            letter = "X" if split is None or at < split else "Y"
        place.spatial.append((dim, factor, letter))
    for letter, size in zip("XY", node.fanout, strict=True):
        used = prod(factor for _, factor, where in place.spatial if where == letter)
        if used > size:
            fields["factors"].fail(f"use {used} copies along {letter}", f"'{target}' has {size}")


def _fill(body: Cursor, problem: NestProblem, places: dict[str, _Place], order: list[str]) -> None:
    """Replace factors of 0 by what remains and report dimensions whose factors do not multiply to their size."""
    for dim, size in problem.dims:
        given = [factor for place in places.values() for d, factor in place.temporal if d == dim]
        given += [factor for place in places.values() for d, factor, _ in place.spatial if d == dim]
        known, zeros = prod(factor for factor in given if factor), given.count(0)
        left = size // known
        if zeros > 1 or known * (left if zeros else 1) != size:
            body.fail(f"has factors of {dim} that multiply to {known}", f"its size is {size}; one factor may be 0")
        for name in order:
            place = places[name]
            place.temporal = [(d, left if d == dim and not f else f) for d, f in place.temporal]
            place.spatial = [(d, left if d == dim and not f else f, x) for d, f, x in place.spatial]


def _nest(arch: TimeloopArch, problem: NestProblem, places: dict[str, _Place]) -> NestMapping:
    nodes: list[Loop | Hold] = []
    left = dict(problem.sizes)

    def loop(dim: str, factor: int, axis: str | None) -> None:
        left[dim] //= factor
        if factor > 1:
            nodes.append(Loop(dim, left[dim], axis))

    for node in arch.nodes:
        place = places[node.name]
        for dim, factor, letter in place.spatial:
            loop(dim, factor, axis_name(node, letter))
        if node.compute:
            continue
        held = [tensor.role for tensor in problem.tensors if tensor.role not in (*place.bypass, *node.bypass)]
        nodes += [Hold(node.name, role) for role in held]
        for dim, factor in place.temporal:
            loop(dim, factor, None)
    return NestMapping(tuple(nodes))
