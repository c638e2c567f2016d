"""The joint model of a whole network on a cluster, in execution order, as a residency and one option per operator."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hw_models.cluster import Cluster
from mappers.network.cost import Option, nameless, pareto_options
from mappers.network.graph import OperatorGraph
from mappers.network.joint import JointSolution, solve_joint
from mappers.network.joint_problem import JointOperator, JointProblem
from mappers.network.keep import place
from mappers.network.layered import assign_cores, core_options
from mappers.network.residency import Residency, Stay
from workloads.errors import InternalError

MAX_OPTIONS = 5
"""Options per operator and core: the Pareto set, thinned evenly where it is larger."""
RETRIES = 8


def joint_plan(
    graph: OperatorGraph, cluster: Cluster, objective: str, time_limit_s: float
) -> tuple[Residency, dict[str, Option], JointSolution]:
    """Return residency, options and the solution they come from.

    Of equal cores only as many take part as list scheduling would use: more of them change nothing but names.

    Raises
    ------
    InfeasibleError
        If nothing fits the shared scratchpad.
    """
    operators = _operators(graph, cluster)
    shared = cluster.shared
    room = shared.capacity_bytes
    for _ in range(RETRIES):
        problem = JointProblem(
            operators,
            graph.bytes_of,
            frozenset(graph.outputs),
            room,
            Fraction(cluster.dram.bytes_per_cycle),
            cluster.dram.energy_pj_per_byte,
            shared.write_pj_per_byte,
            shared.read_pj_per_byte,
        )
        found = solve_joint(problem, objective, range(len(operators)), time_limit_s)
        options = {op.name: op.options[m] for op, m in zip(operators, found.options, strict=True)}
        stays = []
        for name in sorted(found.resident):
            steps = problem.touches(name)
            entry = "make" if name in problem.maker else "load"
            stays.append(Stay(name, 0, steps[0], steps[-1], entry))  # type: ignore[arg-type]
        arena: dict[str, int] = {}
        for op in graph.operators:
            option = options[op.name]
            staged = sum(size for name, size in option.stage_bytes if name not in found.resident)
            arena[option.core] = max(arena.get(option.core, 0), staged)
        placed, top = place(graph, stays, shared.capacity_bytes - sum(arena.values()))
        over = top + sum(arena.values()) - shared.capacity_bytes
        if over <= 0:
            kind = "cycles" if objective == "latency" else objective
            residency = Residency("joint", found.order, tuple(placed), kind, found.value, found.bound)
            return residency, options, found
        room -= over
    raise InternalError(f"joint plan of '{graph.network.name}': no addresses found; report this")


def _operators(graph: OperatorGraph, cluster: Cluster) -> tuple[JointOperator, ...]:
    """Return the operators with their options on the cores that take part."""
    used = {option.core for option in assign_cores(graph, core_options(graph, cluster)).values()}
    seen = set()
    cores = []
    for core in cluster.cores:
        kind = nameless(core)
        if core.core.name in used or kind not in seen:
            cores.append(core)
        seen.add(kind)
    made = []
    for op in graph.operators:
        options: list[Option] = []
        for core in cores:
            own = pareto_options(graph, op, core)
            if len(own) > MAX_OPTIONS:
                own = tuple(own[i * (len(own) - 1) // (MAX_OPTIONS - 1)] for i in range(MAX_OPTIONS))
            options += own
        inputs = (*op.inputs, *((op.weights,) if op.weight_bytes else ()))
        made.append(JointOperator(op.name, inputs, op.output, tuple(replace(option) for option in options)))
    return tuple(made)
