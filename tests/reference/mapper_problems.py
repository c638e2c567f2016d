"""Small random machines and layer problems for the mapper's tests (hypothesis strategies)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.mapping import TILED_DIMS
from mappers.problem import TileProblem
from workloads.window import Window, window_output

EDGE = load_accelerator("edge_int8")


@st.composite
def machines(draw: st.DrawFn) -> Accelerator:
    """A small machine: every figure that the cost model reads varies."""
    core = EDGE.core
    array = replace(
        core.array,
        rows=draw(st.sampled_from((1, 2, 3, 4, 8))),
        cols=draw(st.sampled_from((1, 2, 3, 4))),
        dataflows=draw(st.sampled_from((("ws",), ("os",), ("is",), ("ws", "os"), ("ws", "is")))),
        reduction_unroll=draw(st.sampled_from(("window", "channel"))),
    )
    beat = draw(st.sampled_from((1, 2, 4, 8)))
    dram = replace(
        EDGE.dram,
        beat_bytes=beat,
        burst_bytes=4 * beat,
        bytes_per_cycle=Fraction(draw(st.integers(1, 12)), draw(st.integers(1, 3))),
        latency_cycles=draw(st.integers(0, 12)),
    )
    vector = replace(core.vector, lanes=draw(st.sampled_from((1, 2, 4))), latency_cycles=draw(st.integers(0, 5)))
    # OS with a slower issue leaves gaps that depend on the loop order; the model leaves them out (a bound)
    slowest_issue = 1 if "os" in array.dataflows else 2
    dma = replace(core.dma, outstanding=draw(st.integers(1, 4)), issue_cycles=draw(st.integers(0, slowest_issue)))
    buffers = st.sampled_from((2, 2, 1, 3))
    pads = {name: replace(getattr(core, name), halves=draw(buffers)) for name in ("input", "weight", "accumulator")}
    return replace(EDGE, dram=dram, core=replace(core, array=array, vector=vector, dma=dma, **pads))


@st.composite
def problems(draw: st.DrawFn, most_loops: int = 3) -> TileProblem:
    """A small layer with at most `most_loops` dimensions above one."""
    matrix = draw(st.booleans()) and draw(st.booleans())
    names = ("G", "K", "C", "OX") if matrix else TILED_DIMS
    wide = draw(st.lists(st.sampled_from(names), min_size=2, max_size=most_loops, unique=True))
    size = dict.fromkeys((*TILED_DIMS, "FD", "FY", "FX"), 1)
    windows = []
    for dim in TILED_DIMS:
        if dim in wide:
            size[dim] = draw(st.integers(2, 5 if dim in ("N", "G", "OD") else 7))
    for dim in ("OD", "OY", "OX"):
        if dim not in wide or matrix:
            windows.append(Window(size[dim], size[dim]))
            continue
        taps, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        reach = (taps - 1) * dilation + 1
        before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        length = (size[dim] - 1) * stride + reach - before - after + draw(st.integers(0, stride - 1))
        if length < 1:
            before = after = 0
            length = (size[dim] - 1) * stride + reach
        assert window_output(length, taps, stride, dilation, before, after) == size[dim]
        windows.append(Window(length, size[dim], taps, stride, dilation, before, after))
        size[dim.replace("O", "F")] = taps
    fused: dict[str, Any] = {"pool": (1, 1), "whole_plane": False}
    if not matrix:
        fused["pool"] = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (2, 1))))
        fused["whole_plane"] = draw(st.sampled_from((False, False, False, True)))
        if fused["whole_plane"]:
            fused["pool"] = (1, 1)
    pattern: dict[str, int] = {}
    kind = draw(st.sampled_from(("dense", "dense", "packed", "made at run time")))
    if kind != "dense":
        kept, group = draw(st.sampled_from(((1, 2), (2, 3), (2, 4), (3, 4))))
        pattern = {"places": kept, "kept": kept}
        if kind == "packed":
            pattern = {"places": group, "kept": kept, "stored_places": group, "word_bits": kept * (8 + group // 2)}
    rooms = ("input_slot_bytes", "weight_slot_bytes", "sum_slot_bytes", "operand_slot_bytes", "output_slot_bytes")
    problem = TileProblem(
        sizes=tuple(size.items()),
        windows=(windows[0], windows[1], windows[2]),
        groups_interleaved=not matrix,
        input_bytes=draw(st.sampled_from((1, 2))),
        weight_bytes=1,
        output_bytes=draw(st.sampled_from((1, 4))),
        sum_bytes=4,
        input_place=draw(st.sampled_from(("dram", "dram", "dram", "resident"))),
        output_place=draw(st.sampled_from(("dram", "dram", "dram", "resident"))),
        residual=draw(st.sampled_from(("", "", "dram", "resident"))),
        simple_passes=draw(st.integers(1, 2)),
        special_passes=draw(st.integers(0, 1)),
        channel_terms=draw(st.booleans()),
        weights_ready=draw(st.booleans()),
        chained_functions=draw(st.integers(0, 2)),
        **fused,
        **pattern,
        sums_stay=draw(st.sampled_from((False, False, True))),
        sum_lanes=draw(st.sampled_from((1, 1, 2, 3, 4))),
        **dict.fromkeys(rooms, 1 << 20),
    )
    # slots between what the smallest and what the largest tile needs, now and then one byte short
    least, most = problem.smallest(), problem.size
    demands = (problem.input_tile_bytes, problem.weight_tile_bytes, *_output_demands(problem))
    slots = {}
    for room, demand in zip(rooms, demands, strict=True):
        low, high = demand(least), demand(most)
        slots[room] = max(1, low - 1 if draw(st.integers(0, 19)) == 19 else low + draw(st.integers(0, high - low)) // 3)
    return replace(problem, **slots)


def _output_demands(problem: TileProblem) -> tuple[Callable[[Mapping[str, int]], int], ...]:
    return (
        problem.sum_room_bytes,
        lambda held: problem.output_elements(held) * problem.output_bytes,
        lambda held: problem.stored_elements(held) * problem.output_bytes,
    )
