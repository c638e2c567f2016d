"""Operators cut into stripes of rows: which input rows an output row needs, exactly, and what a stripe costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from hw_models.accelerator import Accelerator
from mappers.network.cost import Option, best_option, nameless
from mappers.network.graph import Operator, OperatorGraph
from mappers.network.work import Piece, Work
from mappers.plan import make_problem
from mappers.problem import TileProblem
from mappers.replay import replay_operands
from mappers.search import search
from workloads.errors import Infeasible
from workloads.mac_layers import MacLayer
from workloads.norm_layers import Norm
from workloads.vector_layers import Activation, Elementwise, Pool, Quantize
from workloads.window import Window

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RowOperator:
    """An operator whose output can be made from top to bottom.

    Parameters
    ----------
    height : int
        Rows of the output.
    row_bytes : int
        Bytes of one output row.
    window : Window or None
        Along Y, of the convolution or pooling; None where a row needs the same row.
    pool : Window or None
        Of a fused pooling behind the convolution.
    same : tuple of str
        Inputs of which it needs the output's own rows (residual, element-wise operands).
    """

    op: Operator
    height: int
    row_bytes: int
    window: Window | None
    pool: Window | None
    data: str
    same: tuple[str, ...]

    def inner_rows(self, start: int, stop: int) -> Span:
        """Return the rows in front of the fused pooling that outputs start..stop-1 need."""
        return self.pool.span(start, stop - start) if self.pool is not None else (start, stop)

    def need(self, start: int, stop: int) -> dict[str, Span]:
        """Return the rows of each input that output rows start..stop-1 need, halo included, padding not."""
        found = dict.fromkeys(self.same, (start, stop))
        low, high = self.inner_rows(start, stop)
        if self.window is not None:
            low, high = self.window.span(low, high - low)
        old = found.get(self.data)
        found[self.data] = (low, high) if old is None else (min(low, old[0]), max(high, old[1]))
        return found


def row_operator(graph: OperatorGraph, op: Operator) -> RowOperator | None:
    """Return `op` as a row operator, or None if it needs whole planes (matrix products, softmax ...)."""
    group, network = graph.groups[op.index], graph.network
    lead, shape = group.lead, network.tensor(op.output).shape
    if len(shape) != 4 or shape[0] != 1 or graph.bytes_of[op.output] % shape[2]:
        return None
    layers = [layer for layer in group.fused if not isinstance(layer, Activation | Quantize | Norm)]
    if any(not isinstance(layer, Elementwise | Pool) for layer in layers):
        return None
    window: Window | None = None
    if isinstance(lead, MacLayer):
        if lead.transposed or lead.spatial_rank != 2 or lead.weight_is_activation:
            return None
        window, data = lead.windows[1], lead.input_tensor
    elif isinstance(lead, Pool) and not lead.is_global:
        window, data = lead.windows[-2], lead.inputs[0]
    elif isinstance(lead, Elementwise | Activation | Quantize):
        data = lead.inputs[0]
    else:
        return None
    pool = group.pool.windows[-2] if group.pool is not None else None
    if group.pool is not None and group.pool.is_global:
        return None
    height = shape[2]
    plane = (window.size_in if window is not None else height), shape[3] if window is None else None
    behind = graph.behind(data)
    others = tuple(name for name in op.inputs if name not in behind)
    if len(behind) != 1 or behind[0] not in op.inputs or network.tensor(behind[0]).shape[2:3] != (plane[0],):
        return None
    if any(network.tensor(name).shape[2:3] != (height,) or len(network.tensor(name).shape) != 4 for name in others):
        return None
    if pool is not None and others:
        return None
    return RowOperator(op, height, graph.bytes_of[op.output] // height, window, pool, behind[0], others)


@dataclass(frozen=True, slots=True)
class StripeCost:
    """Cycles and energy of one stripe of an operator with its weights on chip, bytes of its weights read, commands."""

    cycles: int
    energy_pj: Fraction
    weight_bytes: int
    work: Work


class StripeCosts:
    """Costs of stripes on cores; equal stripes are priced once."""

    def __init__(self, graph: OperatorGraph) -> None:
        self.graph = graph
        self._equal: dict[tuple[str, Accelerator, Span, int], StripeCost | None] = {}
        self._whole: dict[tuple[str, Accelerator], Option] = {}

    def whole(self, op: Operator, core: Accelerator) -> Option:
        """Return the option of the whole operator."""
        key = op.name, nameless(core)
        if key not in self._whole:
            self._whole[key] = best_option(self.graph, op, core)
        return self._whole[key]

    def total_cycles(self, rows: RowOperator, core: Accelerator, ends: Sequence[int]) -> int | None:
        """Return the cycles of all stripes that end at rows `ends`, by the middle one; None if the core cannot."""
        k = len(ends) // 2
        start, stop = (ends[k - 1] if k else 0), ends[k]
        if stop == start:
            start, stop = 0, ends[-1]
        cost = self.stripe(rows, core, start, stop)
        return None if cost is None else cost.cycles * rows.height // (stop - start)

    def stripe(self, rows: RowOperator, core: Accelerator, start: int, stop: int) -> StripeCost | None:
        """Return the cost of output rows start..stop-1, or None if the core cannot run the operator.

        Array operators are searched as a layer of these rows; vector operators cost their share of the whole.
        """
        top, bottom = self._edges(rows, start, stop)
        key = rows.op.name, nameless(core), (top, bottom), stop - start
        if isinstance(self.graph.groups[rows.op.index].lead, MacLayer):
            if key not in self._equal:
                self._equal[key] = self._cost(rows, core, start, stop)
            return self._equal[key]
        return self._cost(rows, core, start, stop)

    def _edges(self, rows: RowOperator, start: int, stop: int) -> Span:
        """Return the padded rows at both ends of a stripe, which with its height say what it costs."""
        if rows.window is None:
            return 0, 0
        low, high = rows.inner_rows(start, stop)
        first = low * rows.window.stride - rows.window.pad_before
        last = first + (high - low - 1) * rows.window.stride + rows.window.reach
        return max(0, -first), max(0, last - rows.window.size_in)

    def _cost(self, rows: RowOperator, core: Accelerator, start: int, stop: int) -> StripeCost | None:
        group = self.graph.groups[rows.op.index]
        if not isinstance(group.lead, MacLayer):
            option = self.whole(rows.op, core)
            share = option.cycles * stop // rows.height - option.cycles * start // rows.height
            energy = option.energy_pj * (stop - start) / rows.height
            return StripeCost(max(1, share), energy, 0, Work(rows.op.index, (), (start, stop, rows.height)))
        problem = make_problem(self.graph.layout, group, group.lead, core, prefetched=True)
        low, high = rows.inner_rows(start, stop)
        part = cut_rows(problem, low, high)
        found = search(part, nameless(core), "latency")
        if isinstance(found, Infeasible):
            return None
        mapping = found.mapping(rows.op.name, core.core.name)
        _, weights, *_ = replay_operands(part, mapping)
        work = Work(rows.op.index, (Piece(0, part, mapping),))
        return StripeCost(found.latency_cycles, Fraction(found.energy_pj), weights, work)


def cut_rows(problem: TileProblem, start: int, stop: int) -> TileProblem:
    """Return the problem of output rows start..stop-1 of `problem`: their input rows, padding where they touch it."""
    window = problem.windows[1]
    if (start, stop) == (0, window.size_out):
        return problem
    low, high = window.span(start, stop - start)
    first = start * window.stride - window.pad_before
    before = max(0, -first)
    reach = (stop - start - 1) * window.stride + window.reach
    size_in = max(1, high - low)
    after = reach - before - size_in
    part = Window(size_in, stop - start, window.taps, window.stride, window.dilation, before, after)
    sizes = tuple((dim, stop - start if dim == "OY" else size) for dim, size in problem.sizes)
    return replace(problem, sizes=sizes, windows=(problem.windows[0], part, problem.windows[2]))


def stripe_ends(stack: Mapping[str, RowOperator], sinks: Mapping[str, int], stripes: int) -> dict[str, list[int]]:
    """Return, per operator, the output rows that are complete after each stripe.

    Parameters
    ----------
    stack : mapping of str to RowOperator
        By output tensor, in execution order.
    sinks : mapping of str to int
        Tensors that leave the stack and their heights; their rows are made in `stripes` equal steps.
    """
    ends: dict[str, list[int]] = {name: [0] * stripes for name in stack}
    for name, height in sinks.items():
        for k in range(stripes):
            ends[name][k] = -(-height * (k + 1) // stripes)
    for name in reversed(list(stack)):
        rows = stack[name]
        for k in range(stripes):
            if ends[name][k]:
                for source, (_, stop) in rows.need(0, ends[name][k]).items():
                    if source in ends:
                        ends[source][k] = max(ends[source][k], stop)
    return ends


def entering_ends(stack: Mapping[str, RowOperator], ends: Mapping[str, list[int]], tensor: str) -> list[int]:
    """Return the rows of an entering tensor that must have come after each stripe."""
    stripes = len(next(iter(ends.values())))
    found = [0] * stripes
    for name, rows in stack.items():
        for k, stop in enumerate(ends[name]):
            if stop and tensor in (need := rows.need(0, stop)):
                found[k] = max(found[k], need[tensor][1])
    return found


def line_rows(
    stack: Mapping[str, RowOperator],
    ends: Mapping[str, list[int]],
    tensor: str,
    coming: list[int],
    ahead: Mapping[str, int],
) -> int:
    """Return the rows of `tensor` that must be held while its readers go through their stripes.

    `coming` are its rows complete after each stripe of whoever makes or loads it, who may be `ahead` (by reader)
    stripes further. What lies between the first row that a stripe of some reader still needs and the last row made by
    then is held. The halo is kept, never made twice. 0 if nobody in the stack reads it.
    """
    firsts: dict[int, int] = {}
    reach = 0
    for name, rows in stack.items():
        own = ends[name]
        for k, stop in enumerate(own):
            start = own[k - 1] if k else 0
            if stop == start:
                continue
            low, high = rows.need(start, stop).get(tensor, (0, 0))
            if high == low:
                continue
            reach = max(reach, ahead.get(name, 1))
            firsts[k] = min(firsts.get(k, low), low)
    most = 0
    # a reader that is fewer stripes behind leaves earlier, so the one furthest behind decides
    for k, low in firsts.items():
        most = max(most, coming[min(k + reach, len(coming) - 1)] - low)
    return most
