"""What operators take by their commands, for decisions on clusters whose cores have what closed forms leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw_models.cluster import Cluster
    from mappers.network.cost import Option
    from mappers.network.graph import OperatorGraph


def by_commands(
    graph: OperatorGraph, cluster: Cluster, options: Mapping[str, Mapping[str, Option]]
) -> dict[str, dict[str, Option]]:
    """Return `options` with the cycles of their commands: per core, of all operators it can run, back to back."""
    from mappers.network.lower import lowered
    from sim.network.cores import core_run

    found: dict[str, dict[str, Option]] = {op.name: {} for op in graph.operators}
    for core in cluster.cores:
        name = core.core.name
        own = [options[op.name][name] for op in graph.operators if name in options[op.name]]
        works = [option.work for option in own if option.work is not None]
        times = core_run(lowered(graph, core, works), core, True).times
        places = iter(times)
        for op in graph.operators:
            if name in options[op.name]:
                option = options[op.name][name]
                cycles = option.cycles if option.work is None else max(1, next(places).cycles)
                found[op.name][name] = replace(option, cycles=cycles)
    return found
