"""Loop nests as YAML text (schema ``tilewright.nest/1``), and back to the identical object.

::

    schema: tilewright.nest/1
    nest:                                   # outermost first
      - hold: {level: DRAM, tensors: [I, W, O]}
      - for: {dim: K, tile: 16}             # in time
      - hold: {level: GLB, tensors: [I]}
      - par: {dim: C, tile: 1, axis: x}     # along an axis of the array
"""

from __future__ import annotations

from typing import Any

from hw_models.yaml_edge import YamlDocument, YamlPath, parse_yaml
from mappers.nests.mapping import Hold, Loop, NestMapping
from workloads.errors import InputError

SCHEMA = "tilewright.nest/1"
_KEYS: dict[str, dict[str, type]] = {"hold": {"level": str, "tensors": list}, "for": {"dim": str, "tile": int}}
_KEYS["par"] = {**_KEYS["for"], "axis": str}
_KINDS: dict[type, str] = {str: "text", int: "an integer", list: "a list"}


def nest_lines(mapping: NestMapping) -> list[str]:
    """Return the entries of the ``nest`` list, one line each; holds of one level that stand together share a line."""
    lines: list[str] = []
    nodes = list(mapping.nodes)
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, Loop):
            where = "" if node.axis is None else f", axis: {node.axis}"
            lines.append(f"- {'for' if node.axis is None else 'par'}: {{dim: {node.dim}, tile: {node.tile}{where}}}")
            continue
        roles = [node.role]
        while nodes and isinstance(nodes[0], Hold) and nodes[0].level == node.level:
            roles.append(nodes.pop(0).role)  # type: ignore[union-attr]
        lines.append(f"- hold: {{level: {node.level}, tensors: [{', '.join(roles)}]}}")
    return lines


def dump_nest(mapping: NestMapping) -> str:
    """Return `mapping` as YAML text."""
    lines = nest_lines(mapping)
    return "\n".join([f"schema: {SCHEMA}", "nest:" if lines else "nest: []", *(f"  {line}" for line in lines)]) + "\n"


def load_nest(text: str, origin: str = "nest") -> NestMapping:
    """Return the nest that `text` describes; `origin` names it in messages.

    Raises
    ------
    InputError
        With every entry that is malformed.

    Examples
    --------
    >>> load_nest("schema: tilewright.nest/1\\nnest:\\n  - for: {dim: K, tile: 1}\\n").loops
    (Loop(dim='K', tile=1, axis=None),)
    """
    document = parse_yaml(text, origin)
    tree = document.tree
    if not isinstance(tree, dict) or set(tree) != {"schema", "nest"} or not isinstance(tree["nest"], list):
        raise InputError(f"{origin}: is not a nest; give schema: {SCHEMA} and a list nest:")
    if tree["schema"] != SCHEMA:
        raise InputError(f"{document.where(('schema',))}: schema is '{tree['schema']}', bound is '{SCHEMA}'")
    return NestMapping(read_nodes(document, ("nest",), tree["nest"]))


def read_nodes(document: YamlDocument, path: YamlPath, entries: list[Any]) -> tuple[Loop | Hold, ...]:
    """Return the nodes of a ``nest`` list that stands at `path` of `document`."""
    nodes: list[Loop | Hold] = []
    mistakes: list[str] = []
    for at, entry in enumerate(entries):
        place = document.where((*path, at))
        kind = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else None
        if kind not in _KEYS or not isinstance(entry[kind], dict):
            mistakes.append(f"{place}: entry {at} of nest is not one of hold, for, par with a table; correct it")
            continue
        table, keys = entry[kind], _KEYS[kind]
        wrong = [key for key in keys if type(table.get(key)) is not keys[key]] + [
            key for key in table if key not in keys
        ]
        if wrong:
            needed = ", ".join(f"{key} ({_KINDS[keys[key]]})" for key in keys)
            mistakes.append(f"{place}: {kind} has a wrong or missing '{wrong[0]}', keys are {needed}; correct it")
        elif kind == "hold":
            nodes += [Hold(table["level"], str(role)) for role in table["tensors"]]
        else:
            nodes.append(Loop(table["dim"], table["tile"], table.get("axis")))
    if mistakes:
        raise InputError("\n".join(mistakes))
    return tuple(nodes)
