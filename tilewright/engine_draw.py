"""Random machines, networks and mappings for the layer engine: what it is verified on, drawn and not chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hw_models.description import load_accelerator
from hw_models.layer_engine import EngineParams
from hw_models.sparsity import Sparsity
from mappers.given import GivenPlan
from mappers.legality import check_mapping
from mappers.mapping import TILED_DIMS, Mapping, TileLoop
from mappers.plan import make_plan
from mappers.problem import TileProblem
from tilewright.engine_case import EngineCase, engine_case
from workloads.builder import NetworkBuilder
from workloads.errors import InfeasibleError, InputError
from workloads.formats import Int
from workloads.network import Network

if TYPE_CHECKING:
    from hw_models.accelerator import Accelerator, Dataflow
    from mappers.plan import Plan

MACHINE = "engine_8x8"
MOST_REFUSALS = 100
"""Draws refused in a row that end the drawing; an engine that takes a fifth of them meets that once in 10**9 times."""
FORMATS = (Int(8), Int(8), Int(8), Int(4), Int(2), Int(4, signed=False))
FLOWS: tuple[tuple[Dataflow, ...], ...] = (
    ("ws",), ("os",), ("is",), ("ws", "os"), ("os", "ws"), ("ws", "is"), ("is", "os"), ("ws", "os", "is"),
)  # fmt: skip
PATTERNS = ((2, 4), (1, 2), (1, 4), (2, 8), (4, 8), (2, 3), (5, 16), (3, 3), (1, 1))


def draw_machine(draw: np.random.Generator) -> Accelerator:
    """Return a machine that the layer engine is built for: sizes, widths, latencies and weight format drawn."""
    rows, cols = (int(side) for side in draw.integers(1, 9, 2))
    beat = int(2 ** draw.integers(2, 6))
    flows = FLOWS[draw.integers(len(FLOWS))]
    sparse = "is" not in flows and draw.random() < 0.6
    return machine_of(
        EngineParams(
            rows=rows,
            cols=cols,
            input_format=Int(8),
            weight_format=FORMATS[draw.integers(len(FORMATS))],
            accumulator_bits=32,
            input_bytes=int(2 ** draw.integers(10, 14)),
            weight_bytes=int(2 ** draw.integers(11, 14)),
            operand_bytes=int(2 ** draw.integers(9, 13)),
            output_bytes=int(2 ** draw.integers(9, 13)),
            coefficient_channels=1024,
            accumulator_depth=int(draw.integers(2, 200)),
            pool_depth=256,
            vector_latency_cycles=int(draw.integers(7, 14)),
            issue_cycles=int(draw.integers(1, 4)),
            memory_latency_cycles=int(draw.integers(1, 31)),
            beat_bytes=beat,
            burst_beats=int(2 ** draw.integers(0, 5)),
            outstanding=int(draw.integers(1, 6)),
            commands=512,
            sparsity=Sparsity(*PATTERNS[draw.integers(len(PATTERNS))]) if sparse else None,
            dataflows=flows,
        )
    )


def machine_of(params: EngineParams) -> Accelerator:
    """Return the machine whose layer engine has `params`."""
    p, beat = params, params.beat_bytes
    pattern = (
        () if p.sparsity is None else (f"core.sparsity.n={p.sparsity.kept}", f"core.sparsity.m={p.sparsity.group}")
    )
    return load_accelerator(
        MACHINE,
        [
            f"core.rows={p.rows}",
            f"core.cols={p.cols}",
            f"core.vector.lanes={p.cols}",
            f"core.input_format={p.input_format}",
            f"core.weight_format={p.weight_format}",
            f"core.dataflows=[{', '.join(p.dataflows)}]",
            *pattern,
            f"core.accumulator_format=int{p.accumulator_bits}",
            f"core.input.half={p.input_bytes // 2}B",
            f"core.weight.half={p.weight_bytes // 2}B",
            f"core.accumulator.half={p.accumulator_depth * p.cols * -(-p.accumulator_bits // 8)}B",
            f"core.vector.operand_half={p.operand_bytes // 2}B",
            f"core.vector.output_half={p.output_bytes // 2}B",
            f"core.vector.latency={p.vector_latency_cycles}cycles",
            f"dram.beat={beat}B",
            f"dram.bandwidth={beat}B/cycle",
            f"dram.burst={beat * p.burst_beats}B",
            f"dram.latency={p.memory_latency_cycles}cycles",
            f"dma.outstanding={p.outstanding}",
            f"dma.issue={p.issue_cycles}cycles",
            "energy.allow_default=true",
        ],
    )


def draw_network(draw: np.random.Generator, weight: Int, grouped: bool = False) -> Network:
    """Return one to three layers that the engine runs: convolutions with all their parameters, or matrix products.

    Parameters
    ----------
    grouped : bool
        Cut the channels of convolutions into groups, half of the time.
    """
    b = NetworkBuilder("drawn", "drawn", weight=weight)
    layers = int(draw.integers(1, 4))
    if draw.random() < 0.25:
        x = b.input("rows", (int(draw.integers(1, 7)), int(draw.integers(1, 30))))
        for place in range(layers):
            x = b.linear(x, int(draw.integers(1, 20)), name=f"fc{place}")
            x = b.relu(x) if draw.random() < 0.5 else x
        return b.build(x)
    batch, side = int(draw.integers(1, 3)), int(draw.integers(3, 10))
    x = b.input("image", (batch, int(draw.integers(1, 12)), side, int(draw.integers(3, 10))))
    for place in range(layers):
        kernel, stride, dilation = int(draw.integers(1, 4)), int(draw.integers(1, 3)), int(draw.integers(1, 3))
        reach = (kernel - 1) * dilation + 1
        padding = int(draw.integers(0, reach)) if reach > min(b.shape(x)[2:]) or draw.random() < 0.6 else 0
        if reach > min(b.shape(x)[2:]) + 2 * padding:
            kernel = padding = 0
        source, outputs, groups = x, int(draw.integers(1, 20)), 1
        if grouped and draw.random() < 0.5:
            channels = b.shape(x)[1]
            groups = int(draw.choice([count for count in range(1, channels + 1) if channels % count == 0]))
            outputs = groups * -(-outputs // groups)
        x = b.conv(
            x, outputs, kernel or 1, stride=stride, padding=padding, dilation=dilation, groups=groups,
            name=f"conv{place}",
        )  # fmt: skip
        if draw.random() < 0.4:
            other = source if b.shape(source) == b.shape(x) else b.input(f"second{place}", b.shape(x))
            x = b.add(x, other)
        if draw.random() < 0.6:
            x = b.relu(x)
        y_out, x_out = b.shape(x)[2:]
        if draw.random() < 0.25 and y_out % 2 == 0 and x_out % 2 == 0:
            x = b.max_pool(x, 2) if draw.random() < 0.5 else b.avg_pool(x, 2)
        elif draw.random() < 0.15:
            x = b.global_avg_pool(x)
    if draw.random() < 0.3:
        x = b.linear(b.flatten(x), int(draw.integers(1, 12)), name="fc")
    return b.build(x)


def draw_mapping(
    draw: np.random.Generator, problem: TileProblem, layer: str, flows: Sequence[Dataflow] = ("ws",)
) -> Mapping:
    """Return any mapping of `problem` under one of `flows`, legal or not; channel groups one by one."""
    loops = []
    for place in draw.permutation(len(TILED_DIMS)):
        dim = TILED_DIMS[place]
        size = problem.size[dim]
        tile = int(draw.integers(1, size + 1)) if draw.random() < 0.4 else size
        if tile < size:
            loops.append(TileLoop(dim, size, tile))
    outermost = 0
    if problem.size["G"] > 1:
        loops = [TileLoop("G", problem.size["G"], 1), *(loop for loop in loops if loop.dim != "G")]
        outermost = 1
    cuts = tuple((role, int(draw.integers(outermost, len(loops) + 1))) for role in "IWO")
    flow = flows[int(draw.integers(len(flows)))] if len(flows) > 1 else flows[0]
    return Mapping(layer, "core0", flow, tuple(loops), cuts)


def draw_plan(draw: np.random.Generator, plan: Plan, tries: int = 40) -> Plan:
    """Return `plan` with a drawn legal mapping for each layer; the searched one where none is found in `tries`."""
    array = plan.accelerator.core.array
    nests = {}
    for entry in plan.groups:
        if len(entry.parts) != 1:
            continue  # the engine will refuse it
        part = entry.parts[0]
        chosen = part.mapping(plan.accelerator.core.name)
        for _ in range(tries):
            trial = draw_mapping(draw, part.problem, part.layer.name, array.dataflows)
            if not check_mapping(part.problem, trial, array):
                chosen = replace(trial, core=plan.accelerator.core.name)
                break
        nests[entry.group.lead.name] = (chosen,)
    return make_plan(plan.network, plan.accelerator, given=GivenPlan(nests, {}))


def draw_cases(seed: int, machine: Accelerator | None = None, grouped: bool = False) -> Iterator[EngineCase]:
    """Yield cases without end: machines (one, if given), networks, mappings and integers drawn.

    What the engine refuses, because it has no room for it or sums would leave the chip, is drawn again.

    Raises
    ------
    InputError
        If `MOST_REFUSALS` draws in a row are refused; says why the last of them was.
    """
    draw = np.random.default_rng(seed)
    refused = 0
    while True:
        accelerator = draw_machine(draw) if machine is None else machine
        network = draw_network(draw, accelerator.core.array.weight_format, grouped)
        try:
            plan = make_plan(network, accelerator)
            if draw.random() < 0.75:
                plan = draw_plan(draw, plan)
            case = engine_case(plan, int(draw.integers(1 << 31)))
            case.run()
        except (InputError, InfeasibleError) as error:
            refused += 1
            if refused == MOST_REFUSALS:
                raise InputError(
                    f"networks for '{accelerator.name}': {refused} drawn in a row are refused, bound is "
                    f"{MOST_REFUSALS - 1}; change what the last refusal names: {error}"
                ) from None
            continue
        refused = 0
        yield case
