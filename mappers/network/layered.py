"""Layer by layer on several cores: whole operators side by side where the graph allows it, or each one split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from hw_models.accelerator import Accelerator
from hw_models.cluster import Cluster
from mappers.network.cost import Option, best_option, nameless, pareto_options
from mappers.network.fuse import Options
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.rows import cut_rows
from mappers.network.work import Piece, Work
from mappers.plan import array_layers, make_problem
from mappers.problem import TileProblem
from mappers.replay import replay_operands
from mappers.search import search
from workloads.errors import Infeasible, InfeasibleError, InputError
from workloads.mac_layers import MacLayer


def core_options(graph: OperatorGraph, cluster: Cluster, objective: str = "latency") -> dict[str, dict[str, Option]]:
    """Return the best option of every operator on every core that can run it.

    Raises
    ------
    InfeasibleError
        If no core can run some operator.
    """
    found: dict[str, dict[str, Option]] = {}
    for op in graph.operators:
        found[op.name] = {}
        reason: InfeasibleError | None = None
        for core in cluster.cores:
            try:
                found[op.name][core.core.name] = best_option(graph, op, core, objective)
            except InfeasibleError as error:
                reason = error
        if not found[op.name] and reason is not None:
            raise reason
    return found


def streaming_option(graph: OperatorGraph, op: Operator, core: Accelerator, bytes_per_cycle: Fraction) -> Option:
    """Return the option whose cycles or channel time, whichever is longer, is least when every operand streams."""

    def rank(option: Option) -> tuple[Fraction, int, Fraction]:
        moved = sum(size for _, size in option.read_bytes) + option.written_bytes
        return max(Fraction(option.cycles), moved / bytes_per_cycle), moved, option.energy_pj

    options = pareto_options(graph, op, core)
    if not options:
        return best_option(graph, op, core)  # raises the reason
    return min(options, key=rank)


def assign_cores(graph: OperatorGraph, options: Options) -> dict[str, Option]:
    """Return one option per operator: in execution order, each on the core where it ends first (list scheduling).

    A core is free when its last operator has ended; transfers are not looked at.
    """
    free: dict[str, int] = {}
    done: dict[str, int] = {}
    chosen: dict[str, Option] = {}
    for op in graph.operators:
        ready = max((done.get(name, 0) for name in op.inputs), default=0)
        ends = [
            (max(ready, free.get(core, 0)) + option.cycles, place, core)
            for place, (core, option) in enumerate(options[op.name].items())
        ]
        end, _, core = min(ends)
        free[core] = done[op.output] = end
        chosen[op.name] = options[op.name][core]
    return chosen


@dataclass(frozen=True, slots=True)
class SplitOperator:
    """An operator in parts: `whole` has the bytes of all of them and the cycles of the longest."""

    whole: Option
    parts: tuple[Option, ...]


def split_options(graph: OperatorGraph, cluster: Cluster) -> dict[str, SplitOperator]:
    """Return every operator in one part per core: the largest part's cycles, of output channels, groups or rows.

    The dimension is the one whose part is quickest. What array operators cannot split, and vector operators, run as
    equal shares of the whole where that is exact in rows, else on one core.

    Raises
    ------
    InputError
        If the cores are not equal.
    """
    if len({replace(core.core, name="") for core in cluster.cores}) > 1:
        raise InputError(
            f"cluster '{cluster.name}': its cores differ, an operator is split over equal cores only; use another "
            "execution"
        )
    found: dict[str, SplitOperator] = {}
    names = cluster.core_names
    for op in graph.operators:
        whole = best_option(graph, op, cluster.cores[0])
        part = _part(graph, op, cluster.cores[0], whole, len(names))
        if part is None:
            found[op.name] = SplitOperator(whole, (whole,))
            continue
        cycles, energy, dim = part
        shared = replace(whole, cycles=cycles, energy_pj=energy)
        works = _works(graph, op, cluster.cores[0], dim, len(names))
        parts = tuple(
            replace(_share(shared, core, place, len(names)), work=works[place]) for place, core in enumerate(names)
        )
        found[op.name] = SplitOperator(shared, parts)
    return found


def _works(graph: OperatorGraph, op: Operator, core: Accelerator, dim: str, parts: int) -> list[Work]:
    """Return what each of `parts` near-equal parts of `op` along `dim` is as commands; "" is a vector operator."""
    group, works = graph.groups[op.index], []
    for place in range(parts):
        if not dim:
            works.append(Work(op.index, (), (place, place + 1, parts)))
            continue
        assert isinstance(group.lead, MacLayer)
        pieces = []
        for number, (layer, _) in enumerate(array_layers(group.lead)):
            problem = make_problem(graph.layout, group, layer, core, prefetched=True)
            start, stop = (problem.size[dim] * step // parts for step in (place, place + 1))
            cut = cut_rows(problem, start, stop) if dim == "OY" else _sized(problem, dim, stop - start)
            found = search(cut, nameless(core), "latency")
            if isinstance(found, Infeasible):
                raise InfeasibleError(replace(found, subject=f"part {place} of '{layer.name}' on '{core.core.name}'"))
            pieces.append(Piece(number, cut, found.mapping(layer.name, core.core.name)))
        works.append(Work(op.index, tuple(pieces), common=_common(group.lead, dim)))
    return works


def _common(lead: MacLayer, dim: str) -> tuple[str, ...]:
    """Return what every part of a layer cut along `dim` reads whole: its input, or its weights."""
    return {"K": (lead.input_tensor,), "OY": (lead.weight_tensor,)}.get(dim, ())


def _part(
    graph: OperatorGraph, op: Operator, core: Accelerator, whole: Option, parts: int
) -> tuple[int, Fraction, str] | None:
    """Return cycles and energy of the largest of `parts` parts, and the dimension that is cut.

    None if the operator does not gain by splitting.
    """
    group = graph.groups[op.index]
    if not isinstance(group.lead, MacLayer):
        return -(-whole.cycles // parts), whole.energy_pj / parts, ""
    if group.pool is not None:
        return None
    best: tuple[int, Fraction, str] | None = None
    for dim in ("K", "G", "OY"):
        cycles, energy = 0, Fraction(0)
        for layer, _ in array_layers(group.lead):
            problem = _cut(make_problem(graph.layout, group, layer, core, prefetched=True), dim, parts)
            found = None if problem is None else search(problem, nameless(core), "latency")
            if problem is None or found is None or isinstance(found, Infeasible):
                break
            replay_operands(problem, found.mapping(layer.name, core.core.name))
            cycles += found.latency_cycles
            energy += Fraction(found.energy_pj)
        else:
            if best is None or cycles < best[0]:
                best = cycles, energy, dim
    if best is None or best[0] >= whole.cycles:
        return None
    return best


def _share(whole: Option, core: str, place: int, parts: int) -> Option:
    """Return part `place`; what streams is brought in once for all parts, in equal shares that sum to the whole."""

    def share(size: int) -> int:
        return size * (place + 1) // parts - size * place // parts

    reads = tuple((name, share(size)) for name, size in whole.read_bytes)
    return replace(whole, core=core, read_bytes=reads, written_bytes=share(whole.written_bytes))


def _cut(problem: TileProblem, dim: str, parts: int) -> TileProblem | None:
    """Return the largest of `parts` parts of `problem` along `dim`, or None if it has no such parts."""
    size = problem.size[dim]
    if size < parts:
        return None
    most = -(-size // parts)
    if dim == "OY":
        return cut_rows(problem, most, min(2 * most, size)) if size >= 2 * most else None
    return _sized(problem, dim, most)


def _sized(problem: TileProblem, dim: str, size: int) -> TileProblem:
    """Return `problem` with `size` steps of loop `dim`."""
    return replace(problem, sizes=tuple((d, size if d == dim else n) for d, n in problem.sizes))
