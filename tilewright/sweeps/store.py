"""Where a sweep remembers its points: SQLite in WAL mode, one commit per acknowledged point."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from workloads.errors import InputError

SCHEMA = 1


class Store(Protocol):
    """Narrow interface of a point store."""

    def known(self) -> dict[str, dict[str, Any]]:
        """Return the finished points: identity to record."""

    def add(self, identity: str, inputs: dict[str, Any], outcome: dict[str, Any]) -> None:
        """Remember a point; when this returns, the point survives a kill of the process."""

    def close(self) -> None:
        """Release the store."""


class SqliteStore:
    """A store in one SQLite file.

    Raises
    ------
    InputError
        If the file is not a store, or is of another schema.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS point "
                "(identity TEXT PRIMARY KEY, inputs TEXT NOT NULL, outcome TEXT NOT NULL)"
            )
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                self._db.execute(f"PRAGMA user_version={SCHEMA}")
        except sqlite3.DatabaseError as error:
            raise InputError(f"store '{path}': {error}; name another directory or remove the file") from error
        if version not in (0, SCHEMA):
            raise InputError(
                f"store '{path}': schema is {version}, this version reads {SCHEMA}; name another directory"
            )

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def known(self) -> dict[str, dict[str, Any]]:
        """Return the finished points: identity to outcome."""
        try:
            rows: Iterable[tuple[str, str]] = self._db.execute("SELECT identity, outcome FROM point")
            known = {identity: json.loads(outcome) for identity, outcome in rows}
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InputError(f"store '{self._path}': {error}; name another directory or remove the file") from error
        if any(not isinstance(outcome, dict) or "status" not in outcome for outcome in known.values()):
            raise InputError(f"store '{self._path}': holds outcomes of another kind; name another directory")
        return known

    def add(self, identity: str, inputs: dict[str, Any], outcome: dict[str, Any]) -> None:
        """Remember a point in one transaction of its own; a second writer of the same point changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO point VALUES (?, ?, ?)",
            (identity, json.dumps(inputs, sort_keys=True), json.dumps(outcome, sort_keys=True)),
        )

    def close(self) -> None:
        """Close the file; SQLite folds the log into it."""
        self._db.close()
