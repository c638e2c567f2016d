"""The scratchpad sizes at which a graph is judged: M_R, M_P and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass

from mappers.placement.addresses import lowest_height
from mappers.placement.budget import Budget
from mappers.placement.graph import TensorGraph
from mappers.placement.liveness import needs, order_peak_bytes
from mappers.placement.min_peak import min_peak_order
from mappers.placement.plan import Stay


@dataclass(frozen=True, slots=True)
class ScratchpadSizes:
    """Sizes of interest, in bytes.

    Parameters
    ----------
    widest_operator_bytes : int
        M_R; below it there is no plan.
    least_peak_bytes, least_peak_bound_bytes : int
        M_P, the least peak of live bytes found over all orders, and a proven lower bound of it.
    contiguous_peak_bytes : int
        Least scratchpad found in which the order of M_P has addresses for everything.
    listed_peak_bytes : int
        Peak of the listed order.
    """

    widest_operator_bytes: int
    least_peak_bytes: int
    least_peak_bound_bytes: int
    contiguous_peak_bytes: int
    listed_peak_bytes: int

    @property
    def middle_bytes(self) -> int:
        """Value of M_H = (M_R + M_P) / 2, rounded down."""
        return (self.widest_operator_bytes + self.least_peak_bytes) // 2


def scratchpad_sizes(graph: TensorGraph, budget: Budget) -> ScratchpadSizes:
    """Return the sizes of `graph`."""
    least = min_peak_order(graph, budget)
    stays = [Stay(a, steps[0], steps[-1]) for a, steps in enumerate(needs(graph, least.order))]
    height, _ = lowest_height(stays, graph.sizes, budget)
    return ScratchpadSizes(
        graph.widest_operator_bytes,
        least.peak_bytes,
        least.bound_bytes,
        height,
        order_peak_bytes(graph, graph.topological),
    )
