"""Lowering of stacks to tasks: stripes of rows as a pipeline over cores.

The operators of a stack are cut into contiguous pipeline stages, one per core, so that the longest stage is shortest. A
core works stripe by stripe through the operators of its stage. The maker of a tensor waits until its readers have left
the rows that it would write over; what a stack loads and stores goes row by row with the stripes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations

from hw_models.accelerator import Accelerator
from hw_models.cluster import Cluster
from mappers.network.fuse import Options, Stack, staged, stages_of
from mappers.network.graph import OperatorGraph
from mappers.network.lower import Lowering
from mappers.network.program import Compute, Load, NetworkProgram
from mappers.network.rows import RowOperator, StripeCosts
from workloads.errors import Infeasible, InfeasibleError

MAX_PERMUTED = 4
"""Cores whose order along the pipeline is tried in every permutation; more keep their order."""


@dataclass
class _Placed:
    """A stack while it is lowered: stage and core of each operator, regions, and the tasks of each stripe so far."""

    stack: Stack
    core_of: dict[str, Accelerator]
    stage: dict[str, int]
    lines: dict[str, int] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    made: dict[str, list[int | None]] = field(default_factory=dict)
    """Per tensor the last task that had made (or loaded) its rows after each stripe."""


def lower_stacks(
    graph: OperatorGraph,
    cluster: Cluster,
    stacks: Sequence[Stack],
    options: Options,
    costs: StripeCosts | None = None,
) -> NetworkProgram:
    """Return the program of `stacks` in order on all cores of `cluster`.

    Parameters
    ----------
    options : dict
        Per operator and core its whole option; missing where the core cannot run it.
    """
    made = _FusedLowering(graph, cluster, options, costs or StripeCosts(graph))
    for number, stack in enumerate(stacks):
        made.stack(number, stack)
    return made.low.finish()


class _FusedLowering:
    def __init__(self, graph: OperatorGraph, cluster: Cluster, options: Options, costs: StripeCosts) -> None:
        self.graph, self.cluster, self.options, self.costs = graph, cluster, options, costs
        self.low = Lowering(graph, cluster.name, cluster.core_names, cluster.shared.capacity_bytes, cluster.cores)
        self.from_top = False
        self.turn = 0
        self.waits: dict[int, tuple[int, ...]] = {}

    def stack(self, number: int, stack: Stack) -> None:
        if not stack.rows:
            self._alone(stack)
            return
        placed = self._placed(stack)
        self._open(placed)
        for k in range(stack.stripes):
            for name in stack.entering:
                self._load_rows(placed, name, k)
            for rows in stack.rows:
                self._stripe(placed, rows, k)

    # --- places -----------------------------------------------------------------------------------------------------

    def _placed(self, stack: Stack) -> _Placed:
        """Return `stack` on as many cores as its line buffers leave room for."""
        cycles = [
            [self.costs.total_cycles(rows, core, stack.ends[rows.op.output]) for core in self.cluster.cores]
            for rows in stack.rows
        ]
        names = [rows.op.name for rows in stack.rows]
        cores = list(range(len(self.cluster.cores)))
        found: tuple[int, int, _Placed] | None = None
        for count in range(min(len(cores), len(names)), 0, -1):
            orders = permutations(cores, count) if len(cores) <= MAX_PERMUTED else iter([tuple(cores[:count])])
            for order in orders:
                picked = [[row[core] for core in order] for row in cycles]
                stage = stages_of(picked, count)
                if stage is None:
                    continue
                worst = max(sum(picked[i][s] or 0 for i, s in enumerate(stage) if s == own) for own in range(count))
                if found is not None and worst >= found[0]:
                    continue
                sized = staged(self.graph, stack, dict(zip(names, stage, strict=True)))
                if sized.scratchpad_bytes > self.low.capacity:
                    continue
                core_of = {name: self.cluster.cores[order[s]] for name, s in zip(names, stage, strict=True)}
                found = worst, count, _Placed(sized, core_of, dict(zip(names, stage, strict=True)))
        if found is None:
            raise InfeasibleError(
                Infeasible(
                    f"operators '{names[0]}' to '{names[-1]}'",
                    "core that runs them",
                    1,
                    0,
                    "cores",
                    ("give a core wide enough formats",),
                )
            )
        return found[2]

    def _open(self, placed: _Placed) -> None:
        """Take the regions of the stack's weights and line buffers: upwards, or downwards for every other stack."""
        low, stack = self.low, placed.stack
        sizes = [(rows.op.weights, rows.op.weight_bytes) for rows in stack.rows if rows.op.weight_bytes]
        sizes += list(stack.line_bytes.items())
        address = low.capacity - stack.scratchpad_bytes if self.from_top else 0
        self.from_top = not self.from_top
        weights = {rows.op.weights for rows in stack.rows}
        for name, size in sizes:
            region, waits = low.open(name, address, size, staging=name not in weights)
            address += size
            if name in weights:
                load = Load(name, "fetch", size, region, waits)
                low.add(load)
                placed.weights[name] = region
            else:
                placed.lines[name] = region
                self.waits[region] = waits
        for name in stack.ends:
            placed.made[name] = []

    # --- stripes ----------------------------------------------------------------------------------------------------

    def _freed(self, placed: _Placed, tensor: str, k: int, stage: int) -> list[int]:
        """Return the readers' tasks that must have left the rows which stripe k of `tensor` writes over."""
        found = []
        for rows in placed.stack.rows:
            if tensor not in rows.op.inputs:
                continue
            behind = k - (placed.stage[rows.op.name] - stage + 1) - 1
            if behind >= 0 and (task := placed.made[rows.op.output][behind]) is not None:
                found.append(task)
        return found

    def _load_rows(self, placed: _Placed, tensor: str, k: int) -> None:
        """Load what stripe k needs of an entering tensor."""
        ends = placed.stack.ends[tensor]
        new = ends[k] - (ends[k - 1] if k else 0)
        if not new:
            placed.made[tensor].append(placed.made[tensor][-1] if k else None)
            return
        row_bytes = self.graph.bytes_of[tensor] // self.graph.network.tensor(tensor).shape[2]
        region = placed.lines[tensor]
        first = min(placed.stage.values())
        after = [*self.waits[region], *self.low.from_dram(tensor, tensor), *self._freed(placed, tensor, k, first)]
        kind = "retrieve" if tensor in self.graph.maker else "fetch"
        size = new * row_bytes
        placed.made[tensor].append(self.low.add(Load(tensor, kind, size, region, tuple(dict.fromkeys(after)))))  # type: ignore[arg-type]

    def _stripe(self, placed: _Placed, rows: RowOperator, k: int) -> None:
        """Add stripe k of one operator."""
        stack, low, op = placed.stack, self.low, rows.op
        ends = stack.ends[op.output]
        start, stop = (ends[k - 1] if k else 0), ends[k]
        if start == stop:
            placed.made[op.output].append(placed.made[op.output][-1] if k else None)
            return
        core = placed.core_of[op.name]
        cost = self.costs.stripe(rows, core, start, stop)
        assert cost is not None, "the stage was chosen among cores that can run it"
        after: list[int] = []
        for name in op.inputs:
            made = placed.made[name][k]
            after += [] if made is None else [made]
        region = placed.lines[op.output]
        after += [*self.waits[region], *self._freed(placed, op.output, k, placed.stage[op.name])]
        reads = (placed.weights[op.weights],) if op.weight_bytes else ()
        for weight in reads:
            after += low.ready[weight]
        out = ((op.output, (stop - start) * rows.row_bytes),) if op.output in stack.leaving else ()
        macs = op.macs * stop // rows.height - op.macs * start // rows.height
        lines = tuple(dict.fromkeys((*(placed.lines[name] for name in op.inputs), region)))
        number = low.add(
            Compute(
                *(op.name, core.core.name, cost.cycles, cost.energy_pj, macs, reads, (), lines, (), out),
                tuple(dict.fromkeys(after)),
                f"rows {start}..{stop - 1}",
            ),
            cost.work,
        )
        placed.made[op.output].append(number)
        if out:
            low.in_dram[op.output] = (*(low.in_dram[op.output] if k and op.output in low.in_dram else ()), number)

    # --- operators that stand alone ---------------------------------------------------------------------------------

    def _alone(self, stack: Stack) -> None:
        """Add one whole operator on the core that is quickest for it, taking turns among equals."""
        low, op = self.low, self.graph.operators[stack.first]
        options = self.options[op.name]
        least = min(option.cycles for option in options.values())
        equal = [option for option in options.values() if option.cycles == least]
        option = equal[self.turn % len(equal)]
        self.turn += 1
        size = sum(stack.line_bytes.values())
        address = low.capacity - size if self.from_top else 0
        self.from_top = not self.from_top
        after: list[int] = []
        stages = []
        for name, part in option.stage_bytes:
            region, waits = low.open(name, address, part, staging=True)
            address += part
            stages.append(region)
            after += waits
        for name in op.inputs:
            after += low.from_dram(name, op.name)
        number = low.add(
            Compute(
                *(op.name, option.core, option.cycles, option.energy_pj, op.macs, (), (), tuple(stages)),
                option.read_bytes,
                ((op.output, option.written_bytes),),
                tuple(dict.fromkeys(after)),
            ),
            option.work,
        )
        low.in_dram[op.output] = (number,)
