"""The event model: runs command lists, sees a `Program` and an `Accelerator` and nothing else.

Names are imported on first use, so that ``import sim`` does not load the event kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.machine import run_program
    from sim.result import LayerAnnotation, Result
    from sim.simulation import simulate

__all__ = ["LayerAnnotation", "Result", "run_program", "simulate"]

_HOME = {
    "simulate": "sim.simulation",
    "run_program": "sim.machine",
    "LayerAnnotation": "sim.result",
    "Result": "sim.result",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
