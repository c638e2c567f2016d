"""Strict reader for YAML files: 1.2 scalar rules, no aliases, no tags, no duplicate keys, sizes bounded (§3.12).

The library underneath reads YAML 1.1, where ``no`` is false, ``12:30`` is 750 and ``010`` is 8; here scalars follow the
YAML 1.2 core schema, and what the two versions read differently as a number is refused rather than chosen.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from workloads.errors import InputError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_DIGITS = 40

YamlPath = tuple[str | int, ...]

_BOOLS = MappingProxyType({"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False})
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OCT_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_ZERO_LED = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A parsed document: plain dicts, lists and scalars, and the line of each node.

    Parameters
    ----------
    origin : str
        Name for messages, usually the file.
    lines : dict of path to int
        1-based line where each node starts (for a mapping entry: the line of its key).
    tags : dict of path to str
        Accepted tags (``!Component``) of the nodes that carry one.
    notes : tuple of str
        What was read otherwise than written: keys given twice, where the format takes the last.
    """

    origin: str
    tree: Any
    lines: dict[YamlPath, int]
    tags: dict[YamlPath, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def where(self, path: YamlPath) -> str:
        """Return ``origin:line`` of the deepest known node on `path`."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.origin}:{self.lines[path[:end]]}"
        return self.origin


class _StrictLoader(yaml.SafeLoader):
    """Composer that refuses anchors, aliases, depth and bulk before anything is built."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library's attribute; scalars are resolved below

    def __init__(self, text: str, origin: str, tags: frozenset[str]) -> None:
        super().__init__(text)
        self.origin = origin
        self.accepted_tags = tags
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node after checking its event."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        place = f"{self.origin}:{event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f"{place}: alias '*{event.anchor}' is not accepted; write the value out")
        if event.anchor is not None:
            raise InputError(f"{place}: anchor '&{event.anchor}' is not accepted; write the value out where needed")
        if event.tag is not None and event.tag not in self.accepted_tags:
            raise InputError(f"{place}: tag '{event.tag}' is not accepted; remove it")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise InputError(f"{place}: more than {MAX_NODES} values; split the file")
        if self.depth >= MAX_DEPTH:
            raise InputError(f"{place}: nested deeper than {MAX_DEPTH} levels; flatten it")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(path: str | Path, *, tags: frozenset[str] = frozenset(), last_key_wins: bool = False) -> YamlDocument:
    """Read the YAML file `path`; see `parse_yaml` for the options.

    Raises
    ------
    InputError
        If the file is missing, too large, not UTF-8, or breaks a rule of this module.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"file '{path}': has {size} bytes, bound is {MAX_BYTES}; shorten it")
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"file '{path}': cannot be read ({error.strerror}); check the path") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"file '{path}': has more than {MAX_BYTES} bytes; shorten it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"file '{path}': byte {error.start} is not UTF-8; save the file as UTF-8") from error
    return parse_yaml(text, str(path), tags=tags, last_key_wins=last_key_wins)


def parse_yaml(
    text: str, origin: str, *, tags: frozenset[str] = frozenset(), last_key_wins: bool = False
) -> YamlDocument:
    """Parse `text`; `origin` names it in messages.

    Parameters
    ----------
    tags : frozenset of str
        Application tags that may stand before a node (``!Component``); a tag is recorded, it never builds an object.
    last_key_wins : bool
        For formats of other tools whose own reader takes the last of two equal keys: take it too and note it. Else two
        equal keys are an error.

    Raises
    ------
    InputError
        If the text is not one YAML document or breaks a rule of this module.

    Examples
    --------
    >>> parse_yaml("a: no\\nb: 12:30\\nc: 1e-9", "x").tree
    {'a': 'no', 'b': '12:30', 'c': 1e-09}
    """
    try:
        loader = _StrictLoader(text, origin, tags)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{origin}{line}: not valid YAML ({error.problem or error.context}); correct it") from error
    except yaml.YAMLError as error:
        detail = " ".join(str(error).split())
        raise InputError(f"{origin}: not valid YAML ({detail}); correct it") from error
    if node is None:
        raise InputError(f"{origin}: is empty; a YAML mapping is needed")
    builder = _Builder(origin, last_key_wins)
    tree = builder.build(node, ())
    return YamlDocument(origin, tree, builder.lines, builder.tags, tuple(builder.notes))


class _Builder:
    """Makes plain values of nodes and records where they stand; recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, origin: str, last_key_wins: bool) -> None:
        self.origin = origin
        self.last_key_wins = last_key_wins
        self.lines: dict[YamlPath, int] = {}
        self.tags: dict[YamlPath, str] = {}
        self.notes: list[str] = []

    def build(self, node: Any, path: YamlPath) -> Any:
        """Return the plain value of `node`."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag is not None and node.tag.startswith("!"):
            self.tags[path] = node.tag
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, f"{self.origin}:{node.start_mark.line + 1}")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = f"{self.origin}:{key_node.start_mark.line + 1}"
            key = _scalar(key_node, place) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise InputError(f"{place}: key is not text ({key_node.value!r:.40}); use a name")
            inner = (*path, key)
            if key in mapping:
                first = self.lines[inner]
                if not self.last_key_wins:
                    raise InputError(f"{place}: key '{key}' is given twice (first on line {first}); keep one")
                self.notes.append(f"{place}: key '{key}' is given twice (first on line {first}); the last is taken")
                for known in (self.lines, self.tags):
                    for old in [entry for entry in known if entry[: len(inner)] == inner]:
                        del known[old]
            self.lines[inner] = key_node.start_mark.line + 1
            mapping[key] = self.build(value_node, inner)
        return mapping


def _scalar(node: yaml.ScalarNode, place: str) -> str | int | float | bool | None:
    """Return a scalar by the YAML 1.2 core schema."""
    text: str = node.value
    if node.style is not None:  # quoted or block: always text
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _NOT_FINITE.fullmatch(text):
        raise InputError(f"{place}: value is {text}, a finite number is needed; correct it")
    if _ZERO_LED.fullmatch(text):
        raise InputError(
            f"{place}: value is {text}, read as octal by some tools; write {text.lstrip('+-0') or '0'} or quote it"
        )
    if len(text) > MAX_DIGITS and (_FLOAT.fullmatch(text) or _OCT_HEX.fullmatch(text)):
        raise InputError(f"{place}: number has {len(text)} characters, bound is {MAX_DIGITS}; shorten it")
    if _INT.fullmatch(text):
        return int(text)
    if _OCT_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise InputError(f"{place}: value is {text}, too large for a number; correct it")
        return value
    return text
