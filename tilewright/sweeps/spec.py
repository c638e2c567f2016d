"""Sweep specification: a grid over description leaves, workloads and objectives."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.errors import InputError

KEYS = ("workloads", "archs", "objectives", "fidelity", "grid", "dims", "pareto")
OBJECTIVES = ("latency", "energy", "edp")
FIDELITIES = ("event", "analytic")
METRICS = ("cycles", "energy_pj", "time_s", "dram_bytes", "utilisation", "peak_scratchpad_bytes", "edp")
MAX_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Point:
    """One simulation of a sweep.

    Parameters
    ----------
    overrides : tuple of (str, str)
        Description leaf and value, as ``--set`` takes them.
    dims : tuple of (str, int)
        Workload parameters, as ``--dim`` takes them.
    """

    workload: str
    arch: str
    objective: str
    fidelity: str
    overrides: tuple[tuple[str, str], ...]
    dims: tuple[tuple[str, int], ...]

    def inputs(self) -> dict[str, Any]:
        """Return the point as a canonical dictionary."""
        return {
            "workload": self.workload,
            "arch": self.arch,
            "objective": self.objective,
            "fidelity": self.fidelity,
            "overrides": dict(self.overrides),
            "dims": dict(self.dims),
        }

    def identity(self, version: str, content: Mapping[str, str]) -> str:
        """Return the point's name: a hash of its inputs, the tool version and the content of the files it names.

        Parameters
        ----------
        version : str
            Version of tilewright.
        content : mapping of str to str
            SHA-256 of each file among `workload` and `arch`; built-in names need none beside the version.
        """
        files = {name: content[name] for name in (self.workload, self.arch) if name in content}
        text = json.dumps({"version": version, "files": files, **self.inputs()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """A validated sweep.

    Parameters
    ----------
    grid : tuple of (str, tuple of str)
        Description leaf and its values.
    pareto : tuple of (str, str)
        Metrics of the Pareto plot; both are minimised, except utilisation.
    """

    workloads: tuple[str, ...]
    archs: tuple[str, ...]
    objectives: tuple[str, ...]
    fidelity: str
    grid: tuple[tuple[str, tuple[str, ...]], ...]
    dims: tuple[tuple[str, tuple[int, ...]], ...]
    pareto: tuple[str, str]

    def points(self) -> list[Point]:
        """Return every point, in the order of the specification."""
        leaves = [[(path, value) for value in values] for path, values in self.grid]
        sizes = [[(name, value) for value in values] for name, values in self.dims]
        return [
            Point(workload, arch, objective, self.fidelity, overrides, dims)
            for workload, arch, objective in itertools.product(self.workloads, self.archs, self.objectives)
            for overrides in itertools.product(*leaves)
            for dims in itertools.product(*sizes)
        ]


def read_spec(path: Path) -> SweepSpec:
    """Read a sweep specification; relative file names in it are resolved beside it.

    Raises
    ------
    InputError
        With every mistake of the file, one per line.
    """
    from hw_models.yaml_edge import read_yaml

    return parse_spec(read_yaml(path).tree, str(path), path.parent)


def _strings(
    tree: Mapping[str, Any], key: str, default: tuple[str, ...], source: str, mistakes: list[str]
) -> tuple[str, ...]:
    value = tree.get(key, list(default))
    items: Any = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
        mistakes.append(f"{source}: {key} is {value!r}; give a name or a list of names")
        return default
    if len(set(items)) != len(items):
        mistakes.append(f"{source}: {key} names one entry twice ({', '.join(items)}); remove the duplicate")
    return tuple(items)


def _choice(items: tuple[str, ...], allowed: tuple[str, ...], key: str, source: str, mistakes: list[str]) -> None:
    for item in items:
        if item not in allowed:
            near = difflib.get_close_matches(item, allowed, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(allowed)}"
            mistakes.append(f"{source}: {key} '{item}' is unknown; {hint}")


def _grid(tree: Mapping[str, Any], key: str, source: str, mistakes: list[str]) -> list[tuple[str, list[Any]]]:
    value = tree.get(key, {})
    if not isinstance(value, Mapping):
        mistakes.append(f"{source}: {key} is {value!r}; give a mapping of name to a list of values")
        return []
    axes = []
    for name, raw in value.items():
        values: list[Any] = raw if isinstance(raw, list) else [raw]
        if not values or any(isinstance(item, (list, Mapping)) or item is None for item in values):
            mistakes.append(f"{source}: {key}.{name} is {raw!r}; give a non-empty list of plain values")
        elif len({str(item) for item in values}) != len(values):
            mistakes.append(f"{source}: {key}.{name} names a value twice; remove the duplicate")
        else:
            axes.append((str(name), values))
    return axes


def parse_spec(tree: Any, source: str, folder: Path) -> SweepSpec:
    """Check a parsed specification and build the sweep; see `read_spec`."""
    if not isinstance(tree, Mapping):
        raise InputError(f"{source}: a sweep is a mapping with the keys {', '.join(KEYS)}; got {type(tree).__name__}")
    mistakes: list[str] = []
    for key in tree:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(KEYS)}"
            mistakes.append(f"{source}: key '{key}' is unknown; {hint}")
    if "workloads" not in tree:
        mistakes.append(f"{source}: workloads is missing; name one workload at least")
    workloads = _strings(tree, "workloads", ("resnet18",), source, mistakes)
    archs = _strings(tree, "archs", ("edge_int8",), source, mistakes)
    objectives = _strings(tree, "objectives", ("latency",), source, mistakes)
    _choice(objectives, OBJECTIVES, "objectives", source, mistakes)
    fidelity = tree.get("fidelity", "event")
    _choice((str(fidelity),), FIDELITIES, "fidelity", source, mistakes)
    grid = _grid(tree, "grid", source, mistakes)
    dims: list[tuple[str, tuple[int, ...]]] = []
    for name, values in _grid(tree, "dims", source, mistakes):
        if any(not isinstance(item, int) or isinstance(item, bool) or item < 1 for item in values):
            mistakes.append(f"{source}: dims.{name} is {values!r}; give integers >= 1")
        else:
            dims.append((name, tuple(values)))
    pareto = _strings(tree, "pareto", ("cycles", "energy_pj"), source, mistakes)
    _choice(pareto, METRICS, "pareto", source, mistakes)
    if len(pareto) != 2:
        mistakes.append(f"{source}: pareto names {len(pareto)} metrics, bound is 2; give two")
    count = len(workloads) * len(archs) * len(objectives)
    for _, entries in [*grid, *dims]:
        count *= len(entries)
    if count > MAX_POINTS:
        mistakes.append(f"{source}: the grid has {count} points, bound is {MAX_POINTS}; shorten an axis")
    if mistakes:
        raise InputError("\n".join(mistakes))
    return SweepSpec(
        workloads=tuple(_beside(name, folder) for name in workloads),
        archs=tuple(_beside(name, folder) for name in archs),
        objectives=objectives,
        fidelity=str(fidelity),
        grid=tuple((name, tuple(_text(value) for value in values)) for name, values in grid),
        dims=tuple(dims),
        pareto=(pareto[0], pareto[1]),
    )


def _text(value: Any) -> str:
    """Return a YAML scalar as ``--set`` would be given it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _beside(name: str, folder: Path) -> str:
    """Resolve a file name beside the specification; leave built-in names alone."""
    if "/" in name or name.endswith((".onnx", ".csv", ".yaml", ".yml", ".cfg")):
        return str((folder / name).resolve()) if not Path(name).is_absolute() else name
    return name
