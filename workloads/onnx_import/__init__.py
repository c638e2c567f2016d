"""ONNX models as networks: opened in a child process with bounds, judged node by node, lowered to layers.

``load_onnx`` returns a network or refuses; ``check_onnx`` reports every node either way. Neither imports onnx here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workloads.errors import InputError
from workloads.network import Network
from workloads.onnx_import.launch import run_child
from workloads.onnx_import.report import PLACEMENTS, CheckReport, ImportReport, Limits, NodeReport, decode_check

__all__ = ["PLACEMENTS", "CheckReport", "ImportReport", "Limits", "NodeReport", "check_onnx", "load_onnx"]


def check_onnx(path: str | Path, dims: Mapping[str, int] | None = None, limits: Limits | None = None) -> CheckReport:
    """Return where every node of a model would go; an unsupported node is reported, not raised.

    Parameters
    ----------
    path : path of an ``.onnx`` file
        Weights need not be in it, nor beside it.
    dims : mapping of str to int
        Value of each symbolic dimension, by name; an unnamed one is called ``<input>.<axis>``.
    limits : Limits
        Bounds on the child process.

    Raises
    ------
    InputError
        If the file is not a valid model, is over the limits, or has a symbolic dimension that `dims` does not give.
    """
    return decode_check(_document(path, dims, limits)["check"])


def load_onnx(path: str | Path, dims: Mapping[str, int] | None = None, limits: Limits | None = None) -> ImportReport:
    """Return the network of a model, with the report of `check_onnx`.

    Parameters and errors are those of `check_onnx`; moreover a model with a node that cannot be simulated is refused by
    the name of the node, its operator and the reason.
    """
    document = _document(path, dims, limits)
    check = decode_check(document["check"])
    if check.problem:
        raise InputError(check.problem)
    return ImportReport(Network.from_json(document["network"]), check)


def _document(path: str | Path, dims: Mapping[str, int] | None, limits: Limits | None) -> dict[str, Any]:
    place = Path(path)
    if not place.exists():
        raise InputError(f"model '{place}': no such file; check the path")
    for name, size in (dims or {}).items():
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size < 1 << 31:
            raise InputError(
                f"model '{place.name}': --dim {name}={size}: bound is 1..{(1 << 31) - 1}; give a positive integer"
            )
    return run_child(place, dims or {}, limits or Limits())
