"""Dataflows as strategies: each turns a layer and a machine into passes over shared resources, run by one engine.

A strategy decides the loop order, what stays where, and how much each pass asks of each resource. The engine
(`sim.passes`) knows resources, buffers and passes, no dataflow and no machine.
"""

from __future__ import annotations

from mappers.passes.dot_array import plan_dot_array
from mappers.passes.plan import ConvShape, LayerPasses, StageSpec, shapes_of, shares
from mappers.passes.row_stationary import plan_row_stationary

__all__ = [
    "ConvShape",
    "LayerPasses",
    "StageSpec",
    "plan_dot_array",
    "plan_row_stationary",
    "shapes_of",
    "shares",
]
