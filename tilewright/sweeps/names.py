"""Names in a sweep, resolved before anything runs: workloads, machines, leaves with each value, sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hw_models.description import clock_names, load_accelerator
from hw_models.description_paths import dotted, no_clock, resolve, split_clock
from tilewright.sources import existing_file, looks_like_file
from tilewright.sweeps.spec import SweepSpec
from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.zoo import list_workloads, workload_names


def check_names(spec: SweepSpec, source: str) -> None:
    """Refuse a sweep that names what does not exist.

    Raises
    ------
    InputError
        With every mistake, one per line.
    """
    mistakes: list[str] = []

    def attempt(action: Callable[[], object]) -> bool:
        try:
            action()
        except InputError as error:
            line = f"{source}: {error}"
            if line not in mistakes:
                mistakes.append(line)
            return False
        return True

    for workload in spec.workloads:
        attempt(lambda name=workload: _workload(name, spec))  # type: ignore[misc]
    usable = [arch for arch in spec.archs if attempt(lambda name=arch: load_accelerator(name))]  # type: ignore[misc]
    leaves: dict[str, str] = {}
    for path, values in spec.grid:
        if not attempt(lambda short=path: _leaf(short, usable)):  # type: ignore[misc]
            continue
        full = _leaf(path, usable)
        if full in leaves:
            mistakes.append(f"{source}: grid names '{full}' twice, as '{leaves[full]}' and '{path}'; keep one")
        leaves[full] = path
        if len(usable) == len(spec.archs) == 1 and len(spec.grid) == 1:  # with more axes, one may need the other
            for value in values:
                attempt(lambda text=f"{path}={value}": load_accelerator(usable[0], [text]))  # type: ignore[misc]
    if spec.fidelity == "analytic" and "peak_scratchpad_bytes" in spec.pareto:
        mistakes.append(
            f"{source}: pareto names peak_scratchpad_bytes, which fidelity analytic does not know; use event"
        )
    if mistakes:
        raise InputError("\n".join(mistakes))


def _leaf(path: str, archs: Sequence[str]) -> str:
    """Return the full path of a leaf; clocks are named by their domain, which each of `archs` must have."""
    plain, domain = split_clock(path)
    full = dotted(resolve(plain, leaves_only=True, subject=f"grid.{path}"))
    for arch in archs:
        known = clock_names(arch)
        if domain is not None and domain not in known:
            raise InputError(f"grid.{path}: '{arch}': {no_clock(domain, known)}")
    if not full.startswith("clocks.") or not archs:
        return full
    return full.replace(".", f".{domain or clock_names(archs[0])[0]}.", 1)


def _workload(name: str, spec: SweepSpec) -> None:
    """Refuse a workload that does not exist, or that does not take the sizes of the sweep."""
    if looks_like_file(name):
        if Path(name).suffix.lower() != ".onnx":
            raise InputError(f"workload '{name}': a sweep takes built-in names and .onnx files; name one of them")
        existing_file(name, "workload")
        return
    if name not in workload_names():
        raise InputError(
            f"workload '{name}': not in the zoo{nearest(name, workload_names()) or '; list the workloads'}"
        )
    known = next([key for key, _ in row.parameters] for row in list_workloads() if row.name == name)
    for size, _ in spec.dims:
        if size not in known:
            hint = nearest(size, known)
            raise InputError(f"workload '{name}': dims.{size} is not known; it takes {', '.join(known)}{hint}")
