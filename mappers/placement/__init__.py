"""Tensor placement: which tensors lie where in a scratchpad, and when, for the least traffic to host memory.

COSMA's formulation (arXiv 2311.18246) with proofs from an open solver and exact searches; the classic policies beside
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mappers.placement.answer import Placement
    from mappers.placement.from_network import network_graph
    from mappers.placement.graph import GraphTensor, Operator, TensorGraph
    from mappers.placement.interpreter import replay
    from mappers.placement.plan import Plan
    from mappers.placement.solve import place_tensors

__all__ = [
    "GraphTensor",
    "Operator",
    "Placement",
    "Plan",
    "TensorGraph",
    "network_graph",
    "place_tensors",
    "replay",
]

_HOMES = {
    "GraphTensor": "mappers.placement.graph",
    "Operator": "mappers.placement.graph",
    "Placement": "mappers.placement.answer",
    "Plan": "mappers.placement.plan",
    "TensorGraph": "mappers.placement.graph",
    "network_graph": "mappers.placement.from_network",
    "place_tensors": "mappers.placement.solve",
    "replay": "mappers.placement.interpreter",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mappers.placement' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
