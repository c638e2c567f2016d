"""Tensor placement by name: what ``tilewright place`` and `tilewright.place` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.errors import InputError

if TYPE_CHECKING:
    from mappers.placement.answer import Placement
    from mappers.placement.graph import TensorGraph


def load_graph(name: str | Path, dims: Mapping[str, int] | None = None, parameters: bool = False) -> TensorGraph:
    """Return the tensor graph that `name` means: a .json file, a built-in network or an .onnx file.

    Raises
    ------
    InputError
        If it cannot be read, or an option does not apply to it.
    """
    from tilewright.sources import existing_file, load_workload

    name = str(name)
    if name.lower().endswith(".json"):
        from mappers.placement.graph_json import read_graph

        if dims or parameters:
            raise InputError(f"graph '{name}': --dim and --parameters are for networks; leave them out")
        return read_graph(existing_file(name, "graph"))
    from mappers.placement.from_network import network_graph

    return network_graph(load_workload(name, dims).network, parameters=parameters)


def place(
    graph: str | Path | TensorGraph,
    scratchpad_bytes: int,
    *,
    schedule: str = "free",
    policy: str = "ilp",
    parameters: bool = False,
    dims: Mapping[str, int] | None = None,
    time_limit_s: float = 60.0,
    solver: str = "highs",
    lp_file: Path | None = None,
    stop: Callable[[], bool] | None = None,
) -> Placement:
    """Return a placement of the tensors of a graph; see `mappers.place_tensors`.

    Parameters
    ----------
    graph : str, Path or TensorGraph
        A tensor graph, its .json file, a built-in network or an .onnx file.
    parameters : bool
        Of a network: whether weights take part.
    dims : mapping of str to int, optional
        Parameters of a built-in, or values of symbolic dimensions.
    """
    from mappers.placement.solve import place_tensors

    loaded = load_graph(graph, dims, parameters) if isinstance(graph, str | Path) else graph
    return place_tensors(
        loaded,
        scratchpad_bytes,
        schedule=schedule,  # type: ignore[arg-type]  # checked there
        policy=policy,
        time_limit_s=time_limit_s,
        solver=solver,  # type: ignore[arg-type]
        lp_file=lp_file,
        stop=stop,
    )
