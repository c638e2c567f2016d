"""Run a sweep: points not yet in the store are simulated; tables and plot are written from the store."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tilewright import __version__
from tilewright.sweeps.executor import Executor
from tilewright.sweeps.spec import Point, SweepSpec
from tilewright.sweeps.store import Store
from workloads.errors import InternalError
from workloads.whole_file import write_whole

METRIC_COLUMNS = (
    "cycles", "time_s", "macs", "energy_pj", "edp", "dram_bytes", "utilisation", "peak_scratchpad_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One finished point: its inputs, outcome and whether it is on the Pareto front."""

    identity: str
    point: Point
    outcome: dict[str, Any]
    on_front: bool


@dataclass(frozen=True, slots=True)
class SweepOutcome:
    """What a sweep came to.

    Parameters
    ----------
    rows : tuple of SweepRow
        In the order of the specification.
    simulated, reused : int
        Points run now and points found in the store.
    """

    rows: tuple[SweepRow, ...]
    simulated: int
    reused: int

    @property
    def exit_code(self) -> int:
        """Value 0 where every point was answered, 2 where one was refused, 70 where one broke the simulator."""
        codes = {int(row.outcome["exit_code"]) for row in self.rows if row.outcome["status"] == "error"}
        return max(codes, default=0)

    @property
    def refused(self) -> tuple[str, ...]:
        """Value of the reasons of all points that ended in an error, each once."""
        return tuple(dict.fromkeys(row.outcome["reason"] for row in self.rows if row.outcome["status"] == "error"))


def file_hashes(points: list[Point]) -> dict[str, str]:
    """Return the SHA-256 of every file that a workload or arch name refers to."""
    names = {name for point in points for name in (point.workload, point.arch)}
    return {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in sorted(names) if Path(name).is_file()}


def run_sweep(
    spec: SweepSpec, store: Store, executor: Executor, progress: Callable[[int, int], None] | None = None
) -> SweepOutcome:
    """Simulate what the store lacks and return every row.

    Parameters
    ----------
    progress : callable, optional
        Called with (points done, points in all) after each point.
    """
    points = spec.points()
    hashes = file_hashes(points)
    named = [(point.identity(__version__, hashes), point) for point in points]
    known = store.known()
    todo = [(identity, point) for identity, point in named if identity not in known]
    done = len(named) - len(todo)
    for identity, point, outcome in executor.run(todo):
        if outcome.get("exit_code") != InternalError.exit_code:  # a broken law is not an answer to remember
            store.add(identity, point.inputs(), outcome)
        known[identity] = outcome
        done += 1
        if progress is not None:
            progress(done, len(named))
    front = pareto_front(spec, named, known)
    rows = tuple(SweepRow(identity, point, known[identity], identity in front) for identity, point in named)
    return SweepOutcome(rows, len(todo), len(named) - len(todo))


def pareto_front(spec: SweepSpec, named: list[tuple[str, Point]], known: dict[str, dict[str, Any]]) -> set[str]:
    """Return the identities of the points that no other point of the same workload and sizes dominates.

    Both metrics are minimised, utilisation is maximised. Equal points are all on the front.
    """
    groups: dict[tuple[object, ...], list[tuple[float, float, str]]] = {}
    for identity, point in named:
        outcome = known[identity]
        if outcome["status"] == "ok":
            x, y = (
                -outcome["metrics"][metric] if metric == "utilisation" else outcome["metrics"][metric]
                for metric in spec.pareto
            )
            groups.setdefault((point.workload, point.dims), []).append((x, y, identity))
    front: set[str] = set()
    for members in groups.values():
        best = float("inf")
        last: tuple[float, float] | None = None
        for x, y, identity in sorted(members):
            if y < best or (x, y) == last:
                front.add(identity)
                best, last = min(best, y), (x, y)
    return front


def table(spec: SweepSpec, outcome: SweepOutcome) -> tuple[list[str], list[list[Any]]]:
    """Return the header and rows of the result table, in the order of the specification."""
    axes = [path for path, _ in spec.grid]
    sizes = [name for name, _ in spec.dims]
    header = [
        "workload",
        "arch",
        "objective",
        "fidelity",
        *axes,
        *sizes,
        "status",
        *METRIC_COLUMNS,
        "pareto",
        "reason",
        "identity",
    ]
    rows: list[list[Any]] = []
    for row in outcome.rows:
        point, result = row.point, row.outcome
        metrics = result.get("metrics", {})
        overrides, dims = dict(point.overrides), dict(point.dims)
        rows.append(
            [
                point.workload, point.arch, point.objective, point.fidelity,
                *(overrides[axis] for axis in axes), *(dims[name] for name in sizes),
                result["status"], *(metrics.get(column) for column in METRIC_COLUMNS),
                row.on_front, result.get("reason"), row.identity,
            ]
        )  # fmt: skip
    return header, rows


def write_csv(spec: SweepSpec, outcome: SweepOutcome, path: Path) -> None:
    """Write the table as CSV, atomically."""
    header, rows = table(spec, outcome)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    write_whole(path, buffer.getvalue())


def write_parquet(spec: SweepSpec, outcome: SweepOutcome, path: Path) -> None:
    """Write the table as Parquet; needs pyarrow."""
    import pyarrow
    import pyarrow.parquet

    header, rows = table(spec, outcome)
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    buffer = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
