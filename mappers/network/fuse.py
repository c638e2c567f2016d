"""Fusion: runs of operators that work through stripes of rows together, over one core or several.

A stack is a run of row operators in execution order. Tensors between its operators are held as line buffers: the rows
from the first that a reader still needs to the last that is made, one stripe of lead included. Its weights lie in the
shared scratchpad while it runs. What enters the stack is read from DRAM once, what leaves it is written once, by rows.
Operators that need whole planes stand alone.

Stacks are chosen by dynamic programming over cuts of the execution order: the least sum of estimated cycles (longest
pipeline stage, or channel) among the partitions whose stacks fit the scratchpad. That is exact for the estimate, the
order, and tensors that pass from stack to stack through DRAM; it is no optimum over all that fused schedules can do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hw_models.cluster import Cluster
from mappers.network.cost import Option
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.rows import RowOperator, StripeCosts, entering_ends, line_rows, row_operator, stripe_ends
from workloads.errors import Infeasible, InfeasibleError

Options = Mapping[str, Mapping[str, Option]]
STRIPES = (2, 4, 8)


@dataclass(frozen=True)
class Stack:
    """A run of operators, `first` to `last` (places in the execution order, both included).

    Parameters
    ----------
    rows : tuple of RowOperator
        Empty for an operator that stands alone, whole.
    stripes : int
        Steps in which the tensors that leave the stack are made.
    ends : dict
        Rows complete after each stripe, per tensor.
    line_bytes : dict
        Size of the line buffer of each tensor, entering and leaving ones included.
    entering, leaving : tuple of str
        Tensors that come from and go to DRAM.
    """

    first: int
    last: int
    rows: tuple[RowOperator, ...]
    stripes: int
    ends: dict[str, list[int]]
    line_bytes: dict[str, int]
    weight_bytes: int
    dram_bytes: int
    entering: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()

    @property
    def scratchpad_bytes(self) -> int:
        """Value of what the stack needs of the shared scratchpad."""
        return sum(self.line_bytes.values()) + self.weight_bytes


def make_stack(graph: OperatorGraph, ops: Sequence[Operator], first: int, stripes: int) -> Stack | None:
    """Return the stack of `ops` on one core, or None if one of them needs whole planes."""
    made = [row_operator(graph, op) for op in ops]
    if any(rows is None for rows in made):
        return None
    stack = {rows.op.output: rows for rows in made if rows is not None}
    last = first + len(ops) - 1
    leaving = {
        name: rows.height
        for name, rows in stack.items()
        if name in graph.outputs or not graph.readers[name] or max(graph.readers[name]) > last
    }
    stripes = min(stripes, *(height for height in leaving.values()))
    ends = stripe_ends(stack, leaving, stripes)
    entering = tuple(name for name in dict.fromkeys(x for op in ops for x in op.inputs) if name not in stack)
    for name in entering:
        ends[name] = entering_ends(stack, ends, name)
    weights = sum(op.weight_bytes for op in ops)
    moved = weights + sum(graph.bytes_of[name] for name in (*entering, *leaving))
    bare = Stack(first, last, tuple(stack.values()), stripes, ends, {}, weights, moved, entering, tuple(leaving))
    return staged(graph, bare, dict.fromkeys((op.name for op in ops), 0))


def staged(graph: OperatorGraph, stack: Stack, stage: Mapping[str, int]) -> Stack:
    """Return `stack` with the line buffers that it needs when its operators run at pipeline stages `stage` (by name).

    A maker may be as many stripes ahead of a reader as there are stages between them, and one more.
    """
    rows = {row.op.output: row for row in stack.rows}
    makers = {name: stage[row.op.name] for name, row in rows.items()}
    lines = {}
    for name, coming in stack.ends.items():
        height = graph.network.tensor(name).shape[2]
        here = makers.get(name, min(stage.values()))
        ahead = {reader: stage[row.op.name] - here + 1 for reader, row in rows.items()}
        held = line_rows(rows, {r: stack.ends[r] for r in rows}, name, coming, ahead)
        if name in stack.leaving and not held:  # nobody inside reads it: two stripes on their way out
            held = 2 * max(b - a for a, b in pairwise((0, *coming)))
        lines[name] = min(held, height) * (graph.bytes_of[name] // height)
    return replace(stack, line_bytes=lines)


def alone(graph: OperatorGraph, op: Operator, place: int, option: Option) -> Stack:
    """Return the stack of one operator that runs whole and streams."""
    moved = sum(size for _, size in option.read_bytes) + option.written_bytes
    lines = {f"{name} (tiles)": size for name, size in option.stage_bytes}
    return Stack(place, place, (), 1, {}, lines, 0, moved)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stack is judged by before it is lowered: cycles of its longest pipeline stage, or of the channel."""

    cycles: int
    scratchpad_bytes: int


def stages_of(cycles: Sequence[Sequence[int | None]], count: int) -> list[int] | None:
    """Return the stage of each operator: contiguous stages on the first `count` cores, the longest as short as can be.

    `cycles[op][core]` is None where the core cannot run the operator. None if no partition is possible.
    """
    n = len(cycles)
    best: list[list[tuple[int, int] | None]] = [[None] * (n + 1) for _ in range(count + 1)]
    best[0][0] = (0, 0)
    for core in range(1, count + 1):
        for stop in range(n + 1):
            total = 0
            for start in range(stop, -1, -1):
                if start < stop:
                    own = cycles[start][core - 1]
                    if own is None:
                        break
                    total += own
                before = best[core - 1][start]
                if before is not None:
                    worst = max(before[0], total)
                    known = best[core][stop]
                    if known is None or worst < known[0]:
                        best[core][stop] = (worst, start)
    if best[count][n] is None:
        return None
    stage, stop = [0] * n, n
    for core in range(count, 0, -1):
        entry = best[core][stop]
        assert entry is not None
        for index in range(entry[1], stop):
            stage[index] = core - 1
        stop = entry[1]
    return stage


def estimate(graph: OperatorGraph, cluster: Cluster, stack: Stack, costs: StripeCosts) -> Estimate | None:
    """Return what `stack` takes on as many cores as its line buffers leave room for; None if it fits on none."""
    names = [rows.op.name for rows in stack.rows]
    bus = int(stack.dram_bytes / cluster.dram.bytes_per_cycle)
    cycles = [
        [costs.total_cycles(rows, core, stack.ends[rows.op.output]) for core in cluster.cores] for rows in stack.rows
    ]
    for count in range(min(len(cluster.cores), len(names)), 0, -1):
        stage = stages_of(cycles, count)
        if stage is None:
            continue
        sized = staged(graph, stack, dict(zip(names, stage, strict=True)))
        if sized.scratchpad_bytes <= cluster.shared.capacity_bytes:
            loads = [sum(cycles[i][s] or 0 for i, s in enumerate(stage) if s == own) for own in range(count)]
            full = max(loads) + sum(loads) // stack.stripes // count  # the pipeline fills and drains
            if 2 * sized.scratchpad_bytes <= cluster.shared.capacity_bytes:
                return Estimate(max(full, bus), sized.scratchpad_bytes)
            # no room beside the stack before: the weights come while nothing computes
            weights = int(stack.weight_bytes / cluster.dram.bytes_per_cycle)
            return Estimate(weights + max(full, bus - weights), sized.scratchpad_bytes)
    return None


def _offer_alone(
    graph: OperatorGraph, cluster: Cluster, options: Options, place: int, candidates: list[tuple[Stack, Estimate]]
) -> int:
    """Add the operator run whole to `candidates` if its tiles fit; return what they need."""
    option = min(options[graph.operators[place].name].values(), key=lambda o: o.cycles)
    stack = alone(graph, graph.operators[place], place, option)
    if stack.scratchpad_bytes <= cluster.shared.capacity_bytes:
        bus = int(stack.dram_bytes / cluster.dram.bytes_per_cycle)
        candidates.append((stack, Estimate(max(option.cycles, bus), stack.scratchpad_bytes)))
    return stack.scratchpad_bytes


def choose_stacks(
    graph: OperatorGraph,
    cluster: Cluster,
    options: Options,
    costs: StripeCosts,
    stripes: Sequence[int] = STRIPES,
    longest: int = 16,
    bytes_first: bool = False,
) -> tuple[Stack, ...]:
    """Return the partition into stacks of least estimated cycles; fewer DRAM bytes, then fewer stacks break ties.

    Parameters
    ----------
    options : mapping
        Per operator and core its option run whole; missing where the core cannot run it.
    stripes : sequence of int
        Numbers of stripes that are tried for every stack.
    longest : int
        Operators of one stack at most.
    bytes_first : bool
        Look for the fewest DRAM bytes first, then for cycles.

    Raises
    ------
    InfeasibleError
        If the tiles of some operator alone exceed the capacity.
    """
    ops = graph.operators
    best: list[tuple[int, int, int, tuple[Stack, ...]]] = [(0, 0, 0, ())]
    for stop in range(1, len(ops) + 1):
        choices: list[tuple[int, int, int, int, Stack]] = []
        least = 0
        for start in range(stop - 1, max(-1, stop - 1 - longest), -1):
            candidates: list[tuple[Stack, Estimate]] = []
            if start == stop - 1:
                least = _offer_alone(graph, cluster, options, start, candidates)
            for count in stripes:
                stack = make_stack(graph, ops[start:stop], start, count)
                judged = None if stack is None else estimate(graph, cluster, stack, costs)
                if stack is not None and judged is not None:
                    candidates.append((stack, judged))
            if not candidates and start < stop - 1 and row_operator(graph, ops[start]) is None:
                break
            cycles, moved, cuts, _ = best[start]
            choices += [
                (cycles + judged.cycles, moved + stack.dram_bytes, cuts + 1, start, stack)
                for stack, judged in candidates
            ]
        if not choices:
            raise InfeasibleError(
                Infeasible(
                    f"operator '{ops[stop - 1].name}'",
                    "capacity[shared]",
                    least,
                    cluster.shared.capacity_bytes,
                    "bytes",
                    ("raise shared.capacity",),
                )
            )
        cycles, moved, cuts, start, stack = min(
            choices, key=lambda c: (c[1], c[0], c[2:4]) if bytes_first else (c[0], c[1], c[2:4])
        )
        best.append((cycles, moved, cuts, (*best[start][3], stack)))
    return best[-1][3]
