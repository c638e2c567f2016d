"""Mappings as YAML text, and back to the identical object.

Format (schema ``tilewright.mapping/1``)::

    schema: tilewright.mapping/1
    layer: "conv1"
    core: "core0"
    dataflow: ws
    loops:                                  # outermost first
      - {dim: K, extent: 64, tile: 32}
    cuts: {I: 0, W: 1, O: 1}
    certificate: {...}                      # optional: what the search proved

The reader is the strict one of `hw_models.yaml_edge`; unknown, missing and mistyped keys of one text are reported
together.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from hw_models.yaml_edge import YamlDocument, YamlPath, parse_yaml
from mappers.mapping import Certificate, Mapping, TileLoop
from workloads.errors import InputError
from workloads.nearest import nearest

SCHEMA = "tilewright.mapping/1"
_KEYS: dict[str, type | tuple[type, ...]] = {
    "schema": str,
    "layer": str,
    "core": str,
    "dataflow": str,
    "loops": list,
    "cuts": dict,
}
_LOOP_KEYS: dict[str, type | tuple[type, ...]] = {"dim": str, "extent": int, "tile": int}
_CUT_KEYS: dict[str, type | tuple[type, ...]] = {"I": int, "W": int, "O": int}
_CERTIFICATE_KEYS: dict[str, type | tuple[type, ...]] = {
    "cost_model": str,
    "map_space": str,
    "objective": str,
    "value": (int, float),
    "bound": (int, float),
    "candidates": int,
    "covered": int,
    "proven_optimal": bool,
}


def dump_mapping(mapping: Mapping) -> str:
    """Return `mapping` as YAML text; equal mappings give equal text."""
    lines = [f"schema: {SCHEMA}", f"layer: {_quote(mapping.layer)}", f"core: {_quote(mapping.core)}"]
    lines += [f"dataflow: {mapping.dataflow}", "loops:" if mapping.loops else "loops: []"]
    lines += [f"  - {{dim: {x.dim}, extent: {x.extent}, tile: {x.tile}}}" for x in mapping.loops]
    lines.append("cuts: {" + ", ".join(f"{role}: {cut}" for role, cut in mapping.cuts) + "}")
    if mapping.certificate is not None:
        lines.append("certificate:")
        for field in fields(Certificate):
            value = getattr(mapping.certificate, field.name)
            lines.append(f"  {field.name}: {_scalar(value)}")
    return "\n".join(lines) + "\n"


def load_mapping(text: str, origin: str = "mapping") -> Mapping:
    """Return the mapping that `text` describes; `origin` names it in messages.

    Raises
    ------
    InputError
        On text that is not strict YAML, or with every key that is missing, unknown or of the wrong kind.

    Examples
    --------
    >>> text = "schema: tilewright.mapping/1\\nlayer: a\\ncore: c\\ndataflow: ws\\nloops: []\\ncuts: {I: 0, W: 0, O: 0}"
    >>> load_mapping(text)
    Mapping(layer='a', core='c', dataflow='ws', loops=(), cuts=(('I', 0), ('W', 0), ('O', 0)), certificate=None)
    """
    reader = _Reader(parse_yaml(text, origin))
    tree = reader.table((), _KEYS, optional={"certificate": dict})
    if not reader.mistakes and tree["schema"] != SCHEMA:
        reader.refuse(("schema",), f"schema is '{tree['schema']}', bound is '{SCHEMA}'; convert the file")
    if not reader.mistakes and tree["dataflow"] not in ("ws", "os", "is"):
        reader.refuse(("dataflow",), f"dataflow is '{tree['dataflow']}', bound is ws, os or is; choose one")
    loops = tree.get("loops")
    for index in range(len(loops) if isinstance(loops, list) else 0):
        reader.table(("loops", index), _LOOP_KEYS)
    if isinstance(tree.get("cuts"), dict):
        reader.table(("cuts",), _CUT_KEYS)
    certificate = tree.get("certificate")
    if isinstance(certificate, dict):
        reader.table(("certificate",), _CERTIFICATE_KEYS)
    reader.finish()
    return Mapping(
        layer=tree["layer"],
        core=tree["core"],
        dataflow=tree["dataflow"],
        loops=tuple(TileLoop(**loop) for loop in tree["loops"]),
        cuts=tuple((role, tree["cuts"][role]) for role in _CUT_KEYS),
        certificate=None if certificate is None else Certificate(**certificate),
    )


class _Reader:
    """Collects the mistakes of one document."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.mistakes: list[str] = []

    def refuse(self, path: YamlPath, message: str) -> None:
        """Note a mistake at `path`."""
        self.mistakes.append(f"{self.document.where(path)}: {message}")

    def finish(self) -> None:
        """Raise all mistakes as one error, if there are any."""
        if self.mistakes:
            raise InputError("\n".join(self.mistakes))

    def table(
        self,
        path: YamlPath,
        keys: dict[str, type | tuple[type, ...]],
        optional: dict[str, type | tuple[type, ...]] | None = None,
    ) -> dict[str, Any]:
        """Check the table at `path` against `keys` and return it, empty if it is none."""
        node = self.document.tree
        for step in path:
            node = node[step]
        name = ".".join(str(step) for step in path) or "mapping"
        if not isinstance(node, dict):
            self.refuse(path, f"{name} is not a table; give {', '.join(keys)}")
            return {}
        allowed = keys | (optional or {})
        for key, value in node.items():
            if key not in allowed:
                self.refuse((*path, key), f"{name} has an unknown key '{key}'{nearest(key, list(allowed))}")
            elif not _is(value, allowed[key]):
                self.refuse((*path, key), f"{key} is {value!r:.40}, {_kind(allowed[key])} is needed; correct it")
        missing = [key for key in keys if key not in node]
        if missing:
            self.refuse(path, f"{name} lacks {', '.join(missing)}; add them")
        return node


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    """Tell whether `value` is of `kind`; true and false are not integers here."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _kind(kind: type | tuple[type, ...]) -> str:
    names = {str: "text", int: "an integer", bool: "true or false", list: "a list", dict: "a table"}
    return "a number" if isinstance(kind, tuple) else names[kind]


def _scalar(value: object) -> str:
    """Return a YAML scalar that reads back as `value`: text quoted, numbers by their shortest exact form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quote(value) if isinstance(value, str) else repr(value)


def _quote(text: str) -> str:
    """Return `text` in double quotes, every character that may not stand in a YAML file escaped."""
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
