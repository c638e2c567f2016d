"""Reader of the published figures that the package carries (``tilewright.figures/1``)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from tilewright.validation.rows import Row
from workloads.errors import InputError
from workloads.nearest import nearest

SCHEMA = "tilewright.figures/1"


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure with its unit, source, confidence and tolerance."""

    key: str
    value: float
    unit: str
    source: str
    confidence: str
    tolerance: float


class Figures:
    """The figures of one file, by name, and its other data."""

    def __init__(self, name: str, tree: dict[str, Any]) -> None:
        if tree.get("schema") != SCHEMA:
            raise InputError(f"figures '{name}': schema is {tree.get('schema')!r}, bound is {SCHEMA}; convert the file")
        self.name, self.subject, self.data = name, str(tree["subject"]), tree
        self._sources: dict[str, str] = tree["sources"]
        self._figures = {row["id"]: row for row in tree["figures"]}

    @property
    def data_ids(self) -> frozenset[str]:
        """Value of the names of the figures."""
        return frozenset(self._figures)

    def source(self, key: str) -> str:
        """Return the text of source `key`."""
        if key not in self._sources:
            raise InputError(f"figures '{self.name}': source '{key}' is unknown{nearest(key, list(self._sources))}")
        return self._sources[key]

    def figure(self, key: str) -> Figure:
        """Return figure `key`."""
        if key not in self._figures:
            raise InputError(f"figures '{self.name}': '{key}' is unknown{nearest(key, list(self._figures))}")
        row = self._figures[key]
        return Figure(
            key,
            float(row["value"]),
            row["unit"],
            self.source(row["source"]),
            row["confidence"],
            float(row["tolerance"]),
        )

    def row(
        self,
        key: str,
        machine: str,
        workload: str,
        quantity: str,
        ours: float,
        *,
        published: float | None = None,
        gates: bool = True,
        not_modelled: str = "",
    ) -> Row:
        """Return the row that compares `ours` with figure `key` (or with `published`, of the same source)."""
        figure = self.figure(key)
        return Row(
            machine, workload, quantity, figure.unit, ours, figure.value if published is None else published,
            figure.source, figure.confidence, figure.tolerance,
            gates=gates and figure.confidence != "memory", not_modelled=not_modelled,
        )  # fmt: skip


def load_figures(name: str) -> Figures:
    """Return the figures of file `name`, without suffix."""
    from hw_models.yaml_edge import read_yaml

    with as_file(files("tilewright").joinpath("data", "validation", f"{name}.yaml")) as path:
        return Figures(name, read_yaml(path).tree)
