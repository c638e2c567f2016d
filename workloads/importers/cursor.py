"""A strict walk over the values of a file: every value is asked for, every other one is refused by name.

The walk does not know YAML. It takes a parsed document (plain dicts, lists, scalars and the line of each), so that the
readers of problems, machines and mappings share one way of saying what is wrong: file, line, path, value, what is
supported. Mistakes are collected, not raised one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol

from workloads.errors import InputError
from workloads.nearest import nearest

Path = tuple[str | int, ...]


class Document(Protocol):
    """What a parsed file offers: its name, its values, the place and the tag of each."""

    @property
    def origin(self) -> str: ...
    @property
    def tree(self) -> Any: ...
    @property
    def tags(self) -> dict[Path, str]: ...
    def where(self, path: Path) -> str: ...


def path_text(path: Path) -> str:
    """Return `path` as people write it.

    Examples
    --------
    >>> path_text(("memories", "rf", "ports", 0, "name"))
    'memories.rf.ports[0].name'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "file"


class Cursor:
    """One value of a document, with the way to it.

    A reader that meets a mistake gets a harmless value back (1, "", []) and goes on; `finish` raises all of them.
    """

    def __init__(self, document: Document, value: Any, path: Path = (), mistakes: list[str] | None = None) -> None:
        self.document = document
        self.value = value
        self.path = path
        self.mistakes: list[str] = [] if mistakes is None else mistakes

    @classmethod
    def of(cls, document: Document) -> Cursor:
        """Return a cursor at the top of `document`."""
        return cls(document, document.tree)

    @property
    def tag(self) -> str:
        """Value of the tag of this node (``!Component``), or an empty string."""
        return self.document.tags.get(self.path, "")

    def at(self, key: str | int, value: Any) -> Cursor:
        """Return the cursor of a part of this value."""
        return Cursor(self.document, value, (*self.path, key), self.mistakes)

    def fail(self, problem: str, remedy: str) -> None:
        """Record a mistake at this value."""
        place = self.document.where(self.path)
        self.mistakes.append(f"{place}: '{path_text(self.path)}' {problem}; {remedy}")

    def finish(self) -> None:
        """Raise every mistake recorded so far.

        Raises
        ------
        InputError
            If there is one.
        """
        if self.mistakes:
            raise InputError("\n".join(dict.fromkeys(self.mistakes)))

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Cursor]:
        """Return the entries of a mapping; keys that are in neither list are refused, missing ones reported."""
        needed, known = tuple(required), (*required, *optional)
        if not isinstance(self.value, dict):
            self.fail(f"is {_shown(self.value)}", f"a mapping with {', '.join(needed) or 'names'} is needed")
            return {}
        for key in self.value:
            if key not in known:
                remedy = f"supported here: {', '.join(known) or 'nothing'}{nearest(key, known)}"
                self.at(key, None).fail(f"is a key that is not supported (value {_shown(self.value[key])})", remedy)
        for key in needed:
            if key not in self.value:
                self.fail(f"has no '{key}'", "add it")
        return {key: self.at(key, self.value[key]) for key in known if key in self.value}

    def entries(self) -> dict[str, Cursor]:
        """Return the entries of a mapping whose keys are the file's own names."""
        if not isinstance(self.value, dict):
            self.fail(f"is {_shown(self.value)}", "a mapping of names is needed")
            return {}
        return {key: self.at(key, value) for key, value in self.value.items()}

    def items(self) -> list[Cursor]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            self.fail(f"is {_shown(self.value)}", "a list is needed")
            return []
        return [self.at(index, value) for index, value in enumerate(self.value)]

    def integer(self, low: int, high: int, unit: str) -> int:
        """Return an integer of `low` .. `high`."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            self.fail(f"is {_shown(self.value)}", f"an integer of {low}..{high} ({unit}) is needed")
            return max(low, 1)
        return self.value

    def number(self, low: float, unit: str) -> float:
        """Return a finite number >= `low`."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or self.value < low:
            self.fail(f"is {_shown(self.value)}", f"a number >= {low:g} ({unit}) is needed")
            return max(low, 1.0)
        return float(self.value)

    def text(self, pattern: str = r".+", meaning: str = "text") -> str:
        """Return text that matches `pattern` as a whole."""
        if not isinstance(self.value, str) or not re.fullmatch(pattern, self.value):
            self.fail(f"is {_shown(self.value)}", f"{meaning} is needed")
            return ""
        return self.value

    def choice(self, allowed: Iterable[str]) -> str:
        """Return one of `allowed`."""
        names = tuple(allowed)
        if self.value not in names:
            guess = nearest(self.value, names) if isinstance(self.value, str) else ""
            self.fail(f"is {_shown(self.value)}", f"supported: {', '.join(names)}{guess}")
            return names[0]
        return str(self.value)

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail(f"is {_shown(self.value)}", "true or false is needed")
            return False
        return self.value


def _shown(value: Any) -> str:
    """Return `value` as an error message shows it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
