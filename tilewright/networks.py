"""Networks on clusters in one call: choose cores, residency and order, execute, and set it beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilewright import __version__
from tilewright.api import OBJECTIVES, check_choice
from tilewright.redo import redo_network
from tilewright.sources import load_workload
from workloads.errors import Infeasible, InfeasibleError, InputError

if TYPE_CHECKING:
    from hw_models.cluster import Cluster
    from mappers.network.fuse import Stack
    from mappers.network.graph import OperatorGraph
    from mappers.network.pipeline import Pipeline
    from mappers.network.program import NetworkProgram
    from mappers.network.residency import Residency
    from sim.network.result import NetworkResult

OPERATORS = ("tiles", "closed")
EXECUTIONS = ("layers", "split", "fused", "pipeline", "batch")
MAX_ITEMS = 4096
TENSOR_PLANS = ("none", "ilp", "joint", "cosma", "belady", "lru", "greedy", "arena")


@dataclass(frozen=True)
class NetworkSimulation:
    """A run with its baseline: the same execution on the same machine with every tensor in DRAM, unfused.

    Attributes
    ----------
    result, baseline : NetworkResult
        The same object where nothing was asked for but the baseline.
    """

    result: NetworkResult
    baseline: NetworkResult
    cluster: Cluster

    @property
    def cycles_saved(self) -> int:
        """Value of the baseline's cycles less the run's."""
        return self.baseline.totals.cycles - self.result.totals.cycles

    def to_json(self) -> dict[str, Any]:
        """Return the result file as plain data, with the totals of the baseline."""
        baseline = self.baseline.to_json()
        return self.result.to_json() | {"baseline": {key: baseline[key] for key in ("totals", "bounds", "energy_pj")}}


def simulate_network(
    workload: str | Path,
    arch: str = "quad_edge",
    *,
    execution: str = "layers",
    tensors: str | None = None,
    objective: str = "latency",
    dims: Mapping[str, int] | None = None,
    overrides: Sequence[str] = (),
    time_limit_s: float = 60.0,
    items: int = 1,
    fifo_places: int | None = None,
    operators: str = "tiles",
) -> NetworkSimulation:
    """Map `workload` onto the cluster `arch` and execute it on the network-level event model.

    Parameters
    ----------
    arch : str
        Shipped cluster, file of one, or a single-core description (then behind a shared scratchpad of its own).
    execution : {"layers", "split", "fused", "pipeline", "batch"}
        Whole operators, side by side where the graph allows; every operator split over all (equal) cores; stacks of
        operators as a pipeline of row stripes over the cores; and, for several `items`, a layer pipeline with FIFOs of
        whole tensors, or every item on a core of its own. The last three decide themselves what stays.
    items : int
        Inputs that follow each other, for ``pipeline`` and ``batch``; the baseline is of one.
    fifo_places : int, optional
        Most places of any FIFO of a ``pipeline``; default: as many as let no maker wait.
    tensors : str, optional
        What stays in the shared scratchpad (default ``ilp`` for ``layers`` and ``split``, the others take none):
        ``none``; ``ilp``, least cycles (least bytes for objective ``energy``) with
        streaming allowed; ``joint``, with mapping and core of every operator chosen in the same model (``layers``
        only); ``cosma`` and the policies of ``place``: every operand resident, weights included.

    operators : {"tiles", "closed"}
        Where the cycles of operators come from: the commands of each core on the event model of a single machine, or
        the closed form of the layer mapper.

    Raises
    ------
    InputError, InfeasibleError
        Exit codes 2 and 3 of the command line.
    """
    from hw_models.cluster_description import load_cluster
    from mappers.network.graph import make_graph
    from mappers.network.residency import nothing_stays

    check_choice(objective, OBJECTIVES, "objective")
    check_choice(execution, EXECUTIONS, "execution")
    check_choice(operators, OPERATORS, "--operators")
    tensors = _tensor_plan(tensors, execution)
    if not 1 <= items <= MAX_ITEMS or (items > 1 and execution not in ("pipeline", "batch")):
        raise InputError(
            f"--items {items}: bound is 1..{MAX_ITEMS}, and 1 unless the execution is pipeline or batch; correct it"
        )
    if fifo_places is not None and (execution != "pipeline" or not 0 <= fifo_places <= MAX_ITEMS):
        raise InputError(
            f"--fifo-places {fifo_places}: bound is 0..{MAX_ITEMS}, and only for --execution pipeline; correct it"
        )
    cluster = load_cluster(str(arch), overrides)
    beyond = cluster.beyond_closed_form
    if operators == "closed" and beyond:
        raise InputError(f"--operators closed: the closed form leaves {beyond} out; use --operators tiles or remove it")
    loaded = load_workload(str(workload), dims)
    graph = make_graph(loaded.network, cluster.cores[0])
    manifest = {
        "tilewright_version": __version__,
        "workload": str(workload),
        "workload_sha256": loaded.sha256,
        "arch": str(arch),
        "arch_sha256": cluster.sha256,
        "overrides": list(overrides),
        "dims": dict(dims or {}),
        "objective": objective,
        "execution": execution,
        "plan_tensors": tensors,
        "items": items,
        "fifo_places": fifo_places,
        "operators": operators,
        "reference_clock_mhz": float(cluster.clock_mhz),
        "machine": {
            "cores": list(cluster.core_names),
            "peak_macs_per_cycle": cluster.macs_per_cycle,
            "dram_bytes_per_cycle": float(cluster.dram.bytes_per_cycle),
            "port_bytes_per_cycle": cluster.shared.port_bytes_per_cycle,
            "core_macs_per_cycle": {core.core.name: core.core.array.multipliers for core in cluster.cores},
            "shared_capacity_bytes": cluster.shared.capacity_bytes,
            **_clocks(cluster),
        },
        "sources": [list(pair) for pair in cluster.sources],
        "redo": redo_network(
            *(str(workload), str(arch), execution, tensors, items, fifo_places, operators, objective),
            *(dims or {}, overrides),
        ),
    }
    choice = _Choice(graph, cluster, objective, time_limit_s, operators == "tiles")
    plain = "split" if execution == "split" else "layers"
    baseline = choice.run(choice.placed(nothing_stays(graph), plain), manifest | {"plan_tensors": "none"}, "none")
    if execution in ("pipeline", "batch"):
        program, facts = choice.items(execution, items, fifo_places)
    elif execution == "fused":
        program, facts = choice.fused()
    elif tensors == "none":
        return NetworkSimulation(baseline, baseline, cluster)
    elif tensors == "joint":
        program, facts = choice.joint(execution)
    else:
        residency = choice.residency(tensors, plain)
        program, facts = choice.placed(residency, plain), residency.facts()
    return NetworkSimulation(choice.run(program, manifest, facts), baseline, cluster)


def _tensor_plan(tensors: str | None, execution: str) -> str:
    """Return what decides about residency; refuse a plan that the execution would not read."""
    if execution in ("layers", "split"):
        tensors = "ilp" if tensors is None else tensors
        check_choice(tensors, TENSOR_PLANS, "--plan-tensors")
        return tensors
    if tensors not in (None, "none"):
        check_choice(tensors, TENSOR_PLANS, "--plan-tensors")
        raise InputError(
            f"--plan-tensors {tensors}: execution '{execution}' decides itself what stays; leave it out, "
            "or use --execution layers or split"
        )
    return "none"


def _clocks(cluster: Cluster) -> dict[str, dict[str, float]]:
    """Return the frequencies of the parts that have a clock of their own; nothing where there are none."""
    clocks = {part: float(clock.mhz) for part, clock in cluster.own_clocks().items()}
    return {"clocks_mhz": clocks} if clocks else {}


class _Choice:
    """The decisions about one network on one cluster; costs are looked up once."""

    def __init__(
        self, graph: OperatorGraph, cluster: Cluster, objective: str, time_limit_s: float, tiles: bool = True
    ) -> None:
        from mappers.network.layered import core_options

        self.tiles = tiles
        self.graph, self.cluster, self.objective, self.time_limit_s = graph, cluster, objective, time_limit_s
        self.options = core_options(graph, cluster, objective)
        if tiles and cluster.beyond_closed_form:
            from tilewright.network_times import by_commands

            self.options = by_commands(graph, cluster, self.options)
        self._split: Any = None

    def _parts(self, execution: str) -> tuple[Any, Any]:
        """Return (one option per operator, its parts)."""
        from mappers.network.layered import assign_cores, split_options

        if execution != "split":
            return assign_cores(self.graph, self.options), {}
        if self._split is None:
            self._split = split_options(self.graph, self.cluster)
        return {n: s.whole for n, s in self._split.items()}, {n: s.parts for n, s in self._split.items()}

    def placed(self, residency: Residency, execution: str) -> NetworkProgram:
        """Return the program of a residency, operators whole or split."""
        from mappers.network.lower import lower_plan

        options, parts = self._parts(execution)
        capacity, cores = self.cluster.shared.capacity_bytes, self.cluster.cores
        return lower_plan(self.graph, self.cluster.name, capacity, residency, options, parts, cores)

    def residency(self, tensors: str, execution: str) -> Residency:
        """Return what stays, by the policy `tensors`."""
        from mappers.network.keep import keep_tensors
        from mappers.network.place_all import place_all

        capacity = self.cluster.shared.capacity_bytes
        if tensors != "ilp":
            policy = "ilp" if tensors == "cosma" else tensors
            return place_all(self.graph, capacity, policy, self.time_limit_s)
        rate = None if self.objective == "energy" else self.cluster.dram.bytes_per_cycle
        options, _ = self._parts(execution)
        return keep_tensors(self.graph, range(len(self.graph.operators)), options, capacity, rate, self.time_limit_s)

    def items(self, execution: str, items: int, places: int | None) -> tuple[NetworkProgram, dict[str, Any]]:
        """Return the program of several items, and what is known of the pipeline."""
        from mappers.network.lower_items import lower_batch, lower_pipeline, make_pipeline
        from mappers.network.pipeline import batch_cycles, fifo_depths, latency_cycles

        graph, cluster = self.graph, self.cluster
        if execution == "batch":
            return lower_batch(graph, cluster, self.options, items), {"policy": "batch", "items": items}
        pipeline = make_pipeline(graph, cluster, self.options)
        if self.tiles:
            pipeline = self._timed(pipeline)
        enough = fifo_depths(pipeline, items)
        depths = enough if places is None else {tensor: min(depth, places) for tensor, depth in enough.items()}
        facts = {
            "policy": "pipeline",
            "items": items,
            "stages": [{"core": s.core, "cycles": s.cycles, "operators": len(s.operators)} for s in pipeline.stages],
            "interval_cycles": pipeline.interval_cycles,
            "latency_cycles": latency_cycles(pipeline),
            "batch_cycles": batch_cycles(pipeline, items),
            "fifo_depths": depths,
            "fifo_depths_without_waits": enough,
        }
        return lower_pipeline(graph, cluster, pipeline, self.options, items, depths), facts

    def _timed(self, pipeline: Pipeline) -> Pipeline:
        """Return `pipeline` with the cycles that the commands of its operators take."""
        from mappers.network.lower_items import lower_pipeline
        from mappers.network.program import computes
        from sim.network.cores import run_cores, with_core_times

        places = dict.fromkeys((tensor for tensor, _, readers in pipeline.tensors if readers), 1)
        one = lower_pipeline(self.graph, self.cluster, pipeline, self.options, 1, places)
        timed = with_core_times(one, run_cores(one, self.cluster))
        return pipeline.with_cycles({task.operator: task.cycles for task in computes(timed.tasks)})

    def joint(self, execution: str) -> tuple[NetworkProgram, dict[str, Any]]:
        """Return the program of the joint model's decision, and what it states."""
        from mappers.network.joint_network import joint_plan
        from mappers.network.lower import lower_plan

        if execution != "layers":
            raise InputError(f"--plan-tensors joint: goes with --execution layers, not '{execution}'; choose one")
        residency, options, found = joint_plan(self.graph, self.cluster, self.objective, self.time_limit_s)
        capacity = self.cluster.shared.capacity_bytes
        facts = residency.facts() | {"model_latency_cycles": found.latency_cycles, "gap": found.gap}
        cores = self.cluster.cores
        return lower_plan(self.graph, self.cluster.name, capacity, residency, options, cores=cores), facts

    def fused(self) -> tuple[NetworkProgram, dict[str, Any]]:
        """Return the program of the chosen stacks, and what they are."""
        from mappers.network.fuse import choose_stacks
        from mappers.network.lower_fused import lower_stacks
        from mappers.network.rows import StripeCosts

        costs = StripeCosts(self.graph)
        stacks = choose_stacks(self.graph, self.cluster, self.options, costs, bytes_first=self.objective == "energy")
        facts = {"policy": "stacks", "stacks": [_stack_facts(self.graph, stack) for stack in stacks]}
        return lower_stacks(self.graph, self.cluster, stacks, self.options, costs), facts

    def run(self, program: NetworkProgram, manifest: dict[str, Any], facts: Any) -> NetworkResult:
        """Execute a program."""
        from sim.network.engine import DeadlockError
        from sim.network.result import simulate_network as execute

        plan = facts if isinstance(facts, dict) else {"policy": facts}
        try:
            return execute(program, self.cluster, manifest, plan, tiles=self.tiles)
        except DeadlockError as error:
            if manifest["fifo_places"] != 0:
                raise
            levers = ("raise --fifo-places to 1 or more", "leave --fifo-places out")
            record = Infeasible(f"{error}\nFIFOs without a place", "places of every FIFO", 1, 0, "place", levers)
            raise InfeasibleError(record) from None


def _stack_facts(graph: OperatorGraph, stack: Stack) -> dict[str, Any]:
    names = [op.name for op in graph.operators[stack.first : stack.last + 1]]
    return {
        "operators": names,
        "stripes": stack.stripes,
        "line_buffer_bytes": sum(stack.line_bytes.values()),
        "weight_bytes": stack.weight_bytes,
        "dram_bytes": stack.dram_bytes,
    }
