"""From a path through the lattice to a loop nest."""

from __future__ import annotations

from mappers.nests.bounds import Costs
from mappers.nests.exact import Partial
from mappers.nests.mapping import Hold, Loop, NestMapping


def emit(costs: Costs, part: Partial) -> NestMapping:
    """Return the nest of a finished path; loops along axes stand above the first hold that does not serve the axis."""
    graph, tables = costs.graph, costs.tables
    left = dict(tables.problem.sizes)
    nodes: list[Loop | Hold] = [Hold(graph.tree.levels[0].name, tensor.role) for tensor in graph.tensors]
    waiting = {axis.name: use for axis, use in zip(graph.tree.axes, tables.use.axes, strict=True) if use}
    inner = dict(tables.time)

    def loop(dim: str, trips: int, axis: str | None = None) -> None:
        if trips > 1:
            left[dim] //= trips
            nodes.append(Loop(dim, left[dim], axis))

    def unroll(serves: tuple[str, ...]) -> None:
        for name in [name for name in waiting if name not in serves]:
            for dim, factor in waiting.pop(name):
                loop(dim, factor, name)

    for placed in part.path:
        tile = {**dict.fromkeys(inner, 1), **costs.lattice.tiles(placed.point)}
        window = placed.window[0] if placed.window else None
        for dim in sorted(inner, key=lambda d: (d == window, list(inner).index(d))):
            loop(dim, inner[dim] // tile[dim])
        inner = tile
        level = graph.chains[placed.step.tensor][placed.step.end]
        if level is not None:
            unroll(level.serves)
            nodes.append(Hold(level.name, graph.tensors[placed.step.tensor].role))
    for dim in list(inner):
        loop(dim, inner[dim])
    unroll(())
    return NestMapping(tuple(nodes))
