"""Names of the leaves of a description, and how a short path finds one of them (``--set PATH=VALUE``).

A full path is written without list positions: ``cores.array.rows``. A short path is any selection of its names in the
same order that ends with the same name (``core.rows``, ``array.rows``, ``rows``), as long as it fits one path only. As
first name ``core``, ``clock``, ``channel`` and ``scratchpad`` stand for the plural or the part they are in. A clock
domain is named after ``clocks`` (``clocks.bus.frequency``); without a name it is the first.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from hw_models.description_schema import AcceleratorNode
from hw_models.yaml_edge import YamlPath
from workloads.errors import InputError
from workloads.nearest import nearest

ALIASES = {"core": "cores", "clock": "clocks", "channel": "dram", "scratchpad": "scratchpads"}


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the node class inside an annotation, and whether it stands in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    origin = typing.get_origin(annotation)
    if origin in (list, typing.Union, types.UnionType, typing.Annotated):
        for argument in typing.get_args(annotation):
            model, listed = _model_of(argument)
            if model is not None:
                return model, listed or origin is list
    return None, False


def walk(model: type[BaseModel] = AcceleratorNode, path: YamlPath = ()) -> Iterator[tuple[YamlPath, bool]]:
    """Yield (full path with list position 0, is a leaf) for every key of the schema, parents first."""
    for name, field in model.model_fields.items():
        if model is AcceleratorNode and name == "sources":
            continue
        inner, listed = _model_of(field.annotation)
        here = (*path, name)
        yield here, inner is None
        if inner is not None:
            yield from walk(inner, (*here, 0) if listed else here)


def names(path: YamlPath) -> tuple[str, ...]:
    """Return the names of `path` without list positions."""
    return tuple(part for part in path if isinstance(part, str))


def dotted(path: YamlPath) -> str:
    """Return `path` as users write it."""
    return ".".join(names(path))


def resolve(short: str, *, leaves_only: bool, subject: str) -> YamlPath:
    """Return the one full path that `short` names.

    Raises
    ------
    InputError
        If it names none (with the nearest) or several (with all of them).
    """
    asked = tuple(ALIASES.get(part, part) if index == 0 else part for index, part in enumerate(short.split(".")))
    known = [path for path, leaf in walk() if leaf or not leaves_only]
    exact = [path for path in known if names(path) == asked]
    found = exact or [path for path in known if names(path)[-1] == asked[-1] and _in_order(asked, names(path))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{subject}: '{short}' fits {', '.join(map(dotted, found))}; write one of them")
    parts = [
        path for path, leaf in walk() if not leaf and names(path)[-1] == asked[-1] and _in_order(asked, names(path))
    ]
    if len(parts) == 1:
        inside = [names(path)[-1] for path, _ in walk() if names(path)[:-1] == names(parts[0])]
        raise InputError(f"{subject}: '{short}' is a part, not a leaf; add one of its keys: {', '.join(inside)}")
    candidates = [dotted(path) for path in known]
    near = [path for path in candidates if path.endswith(f".{asked[-1]}")]
    hint = nearest(".".join(asked), near or candidates) or nearest(asked[-1], {p.split(".")[-1] for p in candidates})
    raise InputError(f"{subject}: '{short}' names no key{hint or '; run: tilewright list archs --schema'}")


def _in_order(asked: tuple[str, ...], full: tuple[str, ...]) -> bool:
    rest = iter(full)
    return all(part in rest for part in asked)


def settle_dram(tree: Any, path: YamlPath) -> None:
    """Take the keys of a fixed channel out of the description where an override names a DRAM standard, or back."""
    if names(path)[:1] != ("dram",) or len(names(path)) != 2 or not tree["dram"]:
        return
    node, key = tree["dram"][0], path[-1]
    if key == "standard":
        for fixed in ("bandwidth", "latency", "beat", "burst", "energy"):
            node.pop(fixed, None)


def settle_energy(tree: Any, path: YamlPath, source: str) -> None:
    """Make the energy part around an overridden leaf whole: its source is the override, its alternative goes."""
    if len(path) < 3 or path[-2] != "energy" or path[-1] == "source":
        return
    part = tree
    for step in path[:-1]:
        part = part[step]
    if path[-1] == "standard":
        part.pop("per_byte", None)
        part.pop("source", None)
    else:
        part.pop("standard", None)
        part["source"] = source


def split_clock(short: str) -> tuple[str, str | None]:
    """Return a path without the name of the clock domain that stands in it, and that name, None without one."""
    parts = short.split(".")
    if len(parts) == 3 and ALIASES.get(parts[0], parts[0]) == "clocks":
        return f"{parts[0]}.{parts[2]}", parts[1]
    return short, None


def pick_clock(tree: Any, short: str, subject: str) -> tuple[str, int | None]:
    """Return a path without the name of the clock domain that it has, and which of the domains that is.

    Raises
    ------
    InputError
        If the description has no clock of that name.
    """
    plain, domain = split_clock(short)
    clocks = tree.get("clocks")
    if domain is None or not isinstance(clocks, list):
        return short, None
    known = [str(clock.get("name")) if isinstance(clock, dict) else "" for clock in clocks]
    if domain not in known:
        raise InputError(f"{subject}: {no_clock(domain, known)}")
    return plain, known.index(domain)


def no_clock(name: str, known: Sequence[str]) -> str:
    """Return the complaint that `name` is none of the clocks `known`."""
    hint = nearest(name, known) or f"; use one of {', '.join(known)}"
    return f"clock '{name}' is unknown{hint}"


def put(tree: Any, path: YamlPath, value: Any, subject: str) -> None:
    """Set the leaf `path` of a plain tree, making missing mappings on the way.

    Raises
    ------
    InputError
        If the tree has something else where a mapping or list is needed.
    """
    node = tree
    for part, following in zip(path, (*path[1:], None), strict=True):
        if isinstance(part, int):
            if not isinstance(node, list) or not node:
                raise InputError(f"{subject}: the description has no list to set it in; add the part to the file first")
            if len(node) > 1 and node is not tree.get("clocks"):
                raise InputError(f"{subject}: the description lists {len(node)} of that part; edit the file instead")
        elif not isinstance(node, dict):
            raise InputError(f"{subject}: the description has no mapping to set it in; correct the file first")
        if following is None:
            node[part] = value
        elif isinstance(part, str):
            node = node.setdefault(part, {})
        else:
            node = node[part]
