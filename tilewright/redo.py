"""The command line that repeats a simulation."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path


def redo_command(
    workload: str,
    arch: str,
    objective: str,
    fidelity: str,
    dims: Mapping[str, int],
    overrides: Sequence[str],
    seed: int = 0,
    plan: str | Path | None = None,
) -> str:
    """Return the command line that repeats a simulation."""
    words = ["tilewright", "sim", workload, "--arch", arch, "--objective", objective, "--fidelity", fidelity]
    for name, value in dims.items():
        words += ["--dim", f"{name}={value}"]
    for override in overrides:
        words += ["--set", override]
    if seed:
        words += ["--seed", str(seed)]
    if plan is not None:
        words += ["--plan", str(plan)]
    return shlex.join(words)


def redo_network(
    workload: str,
    arch: str,
    execution: str,
    tensors: str,
    items: int,
    fifo_places: int | None,
    operators: str,
    objective: str,
    dims: Mapping[str, int],
    overrides: Sequence[str],
) -> str:
    """Return the command line that repeats a run on a cluster."""
    words = ["tilewright", "sim", workload, "--arch", arch, "--execution", execution, "--objective", objective]
    if execution in ("layers", "split"):
        words += ["--plan-tensors", tensors]
    if items != 1:
        words += ["--items", str(items)]
    if fifo_places is not None:
        words += ["--fifo-places", str(fifo_places)]
    if operators != "tiles":
        words += ["--operators", operators]
    for name, value in dims.items():
        words += ["--dim", f"{name}={value}"]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)
