"""Tables on the terminal: names are shown as they are, whole when piped."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 4096
"""Columns when no terminal limits them: nothing is cut in a log."""


def printable(text: str) -> str:
    """Return `text` with control characters shown as ``?``: a name must not steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


class PlainTable:
    """A table whose cells and title are text, never markup.

    Parameters
    ----------
    columns : sequence of str
        Headers; one that starts with ``>`` is a column of numbers, set to the right.
    """

    def __init__(self, columns: list[str] | tuple[str, ...], title: str = "") -> None:
        self._table = Table(title=Text(printable(title)) if title else None)
        whole = not sys.stdout.isatty()
        for name in columns:
            right = name.startswith(">")
            self._table.add_column(
                Text(printable(name.removeprefix(">"))),
                justify="right" if right else "left",
                no_wrap=right or whole,
                overflow="fold",
            )

    def row(self, *cells: str) -> None:
        """Append a row."""
        self._table.add_row(*(Text(printable(cell)) for cell in cells))

    def print(self) -> None:
        """Print to standard output, as wide as the terminal or as needed."""
        Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(self._table)
