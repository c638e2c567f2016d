"""Who computes what, where and when: loop nests, tensor placement, and the programs they are lowered to.

The names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mappers.placement import TensorGraph, place_tensors

__all__ = ["TensorGraph", "place_tensors"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mappers' has no attribute '{name}'")
    from mappers import placement

    return getattr(placement, name)
