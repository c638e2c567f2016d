"""What is computed: tensors, number formats, layers, networks and the zoo. Knows no hardware.

The names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workloads.builder import NetworkBuilder
    from workloads.network import Network
    from workloads.tensor import Tensor
    from workloads.zoo import list_workloads, load

__all__ = ["Network", "NetworkBuilder", "Tensor", "list_workloads", "load"]

_HOMES = {
    "Network": "workloads.network",
    "NetworkBuilder": "workloads.builder",
    "Tensor": "workloads.tensor",
    "list_workloads": "workloads.zoo",
    "load": "workloads.zoo",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workloads' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
