"""Opening a file of another tool as a `Cursor`: tags kept, templates refused by name."""

from __future__ import annotations

from pathlib import Path

from hw_models.yaml_edge import YamlDocument, read_yaml
from workloads.errors import InputError
from workloads.importers.cursor import Cursor

TIMELOOP_TAGS = frozenset(
    ("!Component", "!Container", "!Hierarchical", "!Parallel", "!Pipelined", "!ArithmeticComponents", "!Nothing")
)
ACCELFORGE_TAGS = frozenset(("!Memory", "!Container", "!Compute", "!Toll", "!Fork", "!Hierarchical", "!Network"))
PEER_TAGS = TIMELOOP_TAGS | ACCELFORGE_TAGS


def open_document(path: str | Path) -> YamlDocument:
    """Return the parsed file `path` of another tool; of two equal keys the last is taken, as those tools do, and noted.

    Raises
    ------
    InputError
        If the file is not YAML of the strict kind, or is a template that has still to be rendered.
    """
    file = Path(path)
    if file.is_file() and file.stat().st_size <= 1 << 20:
        text = file.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if "{%" in line or "{{" in line:
                raise InputError(
                    f"{path}:{number}: is a template ('{line.strip():.40}'); render it with its tool first"
                )
    return read_yaml(path, tags=PEER_TAGS, last_key_wins=True)


def open_cursor(path: str | Path) -> Cursor:
    """Return a cursor at the top of the file `path`; see `open_document`."""
    return Cursor.of(open_document(path))
