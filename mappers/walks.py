"""The walks of MAC commands from the mapping: see `mappers.walk` for what they say."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from mappers.group import Group
from mappers.problem import TileProblem
from mappers.views import Range
from mappers.walk import ArrayWalk, VectorWalk

Ranges = Mapping[str, Range]


def array_walk(problem: TileProblem, step: Ranges, held_input: Ranges, held_weight: Ranges, sums: Ranges) -> ArrayWalk:
    """Return the walk of the command over `step` within the tiles that are held."""
    size = problem.size
    spans = {dim: problem.window(dim).span(held_input[dim][0], _length(held_input[dim])) for dim in ("OY", "OX")}
    windows = {dim: problem.window(dim) for dim in ("OY", "OX")}
    firsts = {dim: step[dim][0] * w.stride - w.pad_before - spans[dim][0] for dim, w in windows.items()}
    y, x = windows["OY"], windows["OX"]
    return ArrayWalk(
        groups=_length(step["G"]),
        depth=_length(step["OD"]) * size["FD"],
        channels=_length(step["C"]),
        outputs=_length(step["K"]),
        pixels=(_length(step["N"]), _length(step["OY"]), _length(step["OX"])),
        taps=(y.taps, x.taps),
        stride=(y.stride, x.stride),
        dilation=(y.dilation, x.dilation),
        tile=(_length(held_input["N"]), _length(spans["OY"]), _length(spans["OX"]), _length(held_input["C"])),
        first=(step["N"][0] - held_input["N"][0], firsts["OY"], firsts["OX"], step["C"][0] - held_input["C"][0]),
        weight_tile=(_length(held_weight["C"]), _length(held_weight["K"])),
        weight_first=(step["C"][0] - held_weight["C"][0], step["K"][0] - held_weight["K"][0]),
        sums_tile=(_length(sums["N"]), _length(sums["OY"]), _length(sums["OX"]), _length(sums["K"])),
        sums_first=tuple(step[dim][0] - sums[dim][0] for dim in ("N", "OY", "OX", "K")),  # type: ignore[arg-type]
        planes=_length(step["OD"]),
    )


def vector_walk(problem: TileProblem, group: Group, sums: Ranges, coefficient: int) -> VectorWalk:
    """Return the walk of the vector command over `sums`."""
    pool = (_length(sums["OY"]), _length(sums["OX"])) if problem.whole_plane else problem.pool
    return VectorWalk(
        groups=_length(sums["G"]),
        depth=_length(sums["OD"]),
        pixels=(_length(sums["N"]), _length(sums["OY"]), _length(sums["OX"])),
        outputs=_length(sums["K"]),
        pool=pool,
        functions=tuple(layer.op for layer in group.fused),
        coefficient=coefficient + sums["G"][0] * problem.size["K"] + sums["K"][0],
    )


def channel_terms(problem: TileProblem) -> int:
    """Return how many output channels of the layer have terms of their own."""
    return prod((problem.size["G"], problem.size["K"])) if problem.channel_terms else 0


def _length(limits: Range) -> int:
    return limits[1] - limits[0]
