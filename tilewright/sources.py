"""From a name or a file to a network: built-ins, ONNX models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.errors import InputError
from workloads.nearest import nearest
from workloads.network import Network


@dataclass(frozen=True, slots=True)
class Workload:
    """A network and what the import had to say.

    Parameters
    ----------
    sha256 : str
        Of the file for a file, of the canonical network for a built-in.
    notes : tuple of str
        Assumptions made on import.
    """

    network: Network
    sha256: str
    notes: tuple[str, ...]


def looks_like_file(name: str) -> bool:
    """Tell whether `name` means a file rather than a built-in."""
    return "/" in name or "\\" in name or Path(name).suffix != ""


def existing_file(name: str, kind: str) -> Path:
    """Return `name` as the path of a readable file of `kind`, or refuse it."""
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{kind} '{name}': is a directory, a file is needed; name the file in it")
    if not path.is_file():
        raise InputError(f"{kind} '{name}': no such file; check the path")
    return path


def load_workload(name: str | Path, dims: Mapping[str, int] | None = None) -> Workload:
    """Return the workload called `name`.

    Parameters
    ----------
    name : str or Path
        A built-in network, or a path ending in ``.onnx``.
    dims : mapping of str to int, optional
        Parameters of the built-in, or values of symbolic dimensions.

    Raises
    ------
    InputError
        If the name or the file cannot be used; the message names the nearest built-in.
    """
    if not isinstance(name, str):
        name = str(name)
    if not name:
        raise InputError("workload '': the name is empty; name a built-in (tilewright list workloads) or an .onnx file")
    if looks_like_file(name):
        return _from_file(name, dims or {})
    from workloads.zoo import load

    network = load(name, **dict(dims or {}))
    return Workload(network, network.sha256, ())


def _from_file(name: str, dims: Mapping[str, int]) -> Workload:
    suffix = Path(name).suffix.lower()
    if suffix == ".csv":
        raise InputError(
            f"workload '{name}': a layer table runs on a SCALE-Sim machine; give --arch FILE.cfg --fidelity analytic"
        )
    if suffix != ".onnx":
        from workloads.zoo import workload_names

        hint = nearest(Path(name).name, workload_names()) or ""
        raise InputError(f"workload '{name}': suffix '{suffix}' is not read; use .onnx, .csv or a built-in name{hint}")
    from workloads.onnx_import import load_onnx

    path = existing_file(name, "workload")
    report = load_onnx(path, dims)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Workload(report.network, digest, report.notes)
