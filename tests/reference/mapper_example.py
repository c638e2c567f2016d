"""One layer with a residual addition and a legal mapping of it, worked out by hand."""

from __future__ import annotations

from mappers.mapping import Mapping, TileLoop
from mappers.problem import TileProblem
from workloads.window import Window

SIZES = {"N": 1, "G": 1, "K": 64, "C": 16, "OD": 1, "OY": 12, "OX": 12, "FD": 1, "FY": 3, "FX": 3}
PROBLEM = TileProblem(
    sizes=tuple(SIZES.items()),
    windows=(Window(1, 1), Window(12, 12, 3, 1, 1, 1, 1), Window(12, 12, 3, 1, 1, 1, 1)),
    groups_interleaved=True,
    input_bytes=1,
    weight_bytes=1,
    output_bytes=1,
    sum_bytes=4,
    input_place="dram",
    output_place="dram",
    residual="dram",
    input_slot_bytes=4096,
    weight_slot_bytes=16384,
    sum_slot_bytes=65536,
    operand_slot_bytes=16384,
    output_slot_bytes=16384,
    pool=(1, 1),
    whole_plane=False,
    simple_passes=1,
    special_passes=0,
)


def mapping(*loops: tuple[str, int], cuts: tuple[int, int, int], dataflow: str = "ws") -> Mapping:
    """Return a mapping of the layer: (dimension, tile) outermost first, cuts of I, W, O."""
    nest = tuple(TileLoop(dim, SIZES[dim], tile) for dim, tile in loops)
    return Mapping("conv", "core0", dataflow, nest, tuple(zip("IWO", cuts, strict=True)))  # type: ignore[arg-type]


LEGAL = mapping(("K", 32), ("OY", 4), cuts=(0, 1, 2))
