"""All MAC layers of a network on one hierarchy: equal layers once, an impossible one beside the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.counts import Counting
from mappers.nests.deadline import Deadline
from mappers.nests.objective import Objective
from mappers.nests.problem import NestProblem, Precisions, problem_of_layer
from mappers.nests.ragged.search import search_ragged
from mappers.nests.search import FoundNest, search_nest
from workloads.errors import Infeasible
from workloads.mac_layers import MacLayer
from workloads.network import Network


@dataclass(frozen=True)
class MappedLayer:
    """One layer: its problems (several for a transposed convolution) and what was found for each."""

    name: str
    problems: tuple[NestProblem, ...]
    found: tuple[FoundNest | Infeasible, ...]


Tiles = Literal["divisor", "ceil"]
_FOUND: dict[tuple[NestProblem, MemoryTree, Objective, Counting, Tiles], FoundNest] = {}


def map_nests(
    network: Network,
    tree: MemoryTree,
    objective: Objective | None = None,
    counting: Counting = "timeloop",
    time_limit_s: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
    tiles: Tiles = "divisor",
) -> tuple[MappedLayer, ...]:
    """Return every MAC layer of `network` mapped on `tree`, in order.

    Parameters
    ----------
    time_limit_s : float, optional
        CPU seconds for all layers together; each gets an equal share of what is left.
    progress : function, optional
        Called with the name of each layer before it is searched.
    tiles : str
        Map space: ``divisor`` tiles, or ``ceil`` tiles of any size.
    """
    goal = objective or Objective()
    bits = tree.precision_bits
    precisions = Precisions(bits[0], bits[1], bits[2], bits[3])
    layers = [layer for layer in network.layers if isinstance(layer, MacLayer)]
    problems = {layer.name: problem_of_layer(layer, precisions) for layer in layers}
    todo = list(dict.fromkeys(problem for parts in problems.values() for problem in parts))
    found: dict[NestProblem, FoundNest | Infeasible] = {}
    interrupted = False
    end = None if time_limit_s is None else time.process_time() + time_limit_s
    for at, problem in enumerate(todo):
        key = (problem, tree, goal, counting, tiles)
        if key in _FOUND:
            found[problem] = _FOUND[key]
            continue
        progress(next(name for name, parts in problems.items() if problem in parts))
        share = None if end is None else max(0.0, end - time.process_time()) / (len(todo) - at)
        clock = Deadline(0.0 if interrupted else share)
        search = search_nest if tiles == "divisor" else search_ragged
        result = search(problem, tree, goal, counting, deadline=clock)
        interrupted = interrupted or clock.interrupted
        found[problem] = result
        if isinstance(result, FoundNest) and result.certificate.proven_optimal:
            _FOUND[key] = result
    return tuple(
        MappedLayer(layer.name, problems[layer.name], tuple(found[problem] for problem in problems[layer.name]))
        for layer in layers
    )
