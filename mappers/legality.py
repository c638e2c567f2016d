"""Whether a mapping may run: every rule checked from the mapping itself, without the search or the cost model.

A mapping is legal when its loops are those of the layer, every tile fits the slot it lives in, fused windows are whole,
and every compute command fits the counters of the array.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hw_models.accelerator import Accelerator, PEArray
from hw_models.systolic import FoldJob, SystolicParams
from mappers.mapping import RELEVANT, TILED_DIMS, Mapping
from mappers.problem import TileProblem
from workloads.errors import Infeasible, InputError, InternalError


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: `demand` exceeds (or differs from) `bound`, both in `unit`; `remedy` says what to change."""

    constraint: str
    demand: int
    bound: int
    unit: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.constraint} is {self.demand} {self.unit}, bound is {self.bound} {self.unit}; {self.remedy}"


def check_mapping(problem: TileProblem, mapping: Mapping, array: PEArray) -> tuple[Violation, ...]:
    """Return the rules that `mapping` breaks for `problem` on `array`, in a fixed order; empty when it is legal."""
    wrong = _check_loops(problem, mapping)
    if wrong:  # sizes of tiles mean nothing while the loops belong to another layer
        return wrong
    if mapping.dataflow not in array.dataflows:
        known = ", ".join(array.dataflows)
        return (Violation(f"dataflow '{mapping.dataflow}'", 0, 1, "dataflows", f"use one of {known}"),)
    return (
        *_check_windows(problem, mapping),
        *_check_words(problem, mapping),
        *_check_rows(problem, mapping),
        *_check_visits(problem, mapping),
        *_check_slots(problem, mapping),
        *_check_jobs(problem, mapping, array),
    )


def require_legal(problem: TileProblem, mapping: Mapping, array: PEArray) -> None:
    """Raise `InputError` naming every rule that `mapping` breaks."""
    wrong = check_mapping(problem, mapping, array)
    if wrong:
        raise InputError(f"mapping of '{mapping.layer}' on '{mapping.core}': " + "; ".join(str(v) for v in wrong))


def job_of(mapping: Mapping, array: PEArray, taps: int, tile: dict[str, int], places: int = 1) -> FoldJob:
    """Return the fold job of one compute command over `tile` (sizes of `TILED_DIMS`).

    WS streams the output pixels past weights: rows hold the window (``window`` unroll: ``c * taps`` flattened;
    ``channel`` unroll: each tap by itself), columns the output channels of one group. OS holds the pixels in rows
    and streams the window. IS holds the window in rows and the pixels in columns and streams the output channels. A PE
    takes `places` input channels of one tap at a time.
    """
    words = -(-tile["C"] // places)
    pixels = prod(tile[dim] for dim in ("N", "OD", "OY", "OX"))
    col_folds = tile["G"] * -(-tile["K"] // array.cols)
    stream = pixels
    if mapping.dataflow == "is":
        stream, col_folds = tile["K"], tile["G"] * -(-pixels // array.cols)
    if mapping.dataflow == "os":
        return FoldJob(words * taps, -(-pixels // array.rows), col_folds)
    if array.reduction_unroll == "window":
        return FoldJob(stream, -(-words * taps // array.rows), col_folds)
    return FoldJob(stream, taps * -(-words // array.rows), col_folds)


def _check_loops(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check that each loop walks the layer's extent and each dimension that is left out is held whole."""
    return tuple(
        Violation(f"extent of loop {loop.dim}", loop.extent, problem.size[loop.dim], "elements", "use the layer's size")
        for loop in mapping.loops
        if loop.extent != problem.size[loop.dim]
    )


def _check_windows(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check that a fused pooling finds whole windows in every tile."""
    wrong = []
    for dim in ("OD", "OY", "OX"):
        extent = problem.size[dim]
        tile = mapping.tile(dim, extent)
        if problem.whole_plane and tile != extent:
            wrong.append(
                Violation(f"tile {dim} under a fused global pooling", tile, extent, "elements", f"hold {dim} whole")
            )
        step = dict(zip(("OY", "OX"), problem.pool, strict=True)).get(dim, 1)
        if not problem.whole_plane and tile != extent and tile % step:
            wrong.append(
                Violation(f"tile {dim} under a fused pooling", tile, step, "elements", f"use a multiple of {step}")
            )
    return tuple(wrong)


def _check_words(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check that no tile cuts a weight word of several input channels."""
    extent, word = problem.size["C"], problem.stored_places
    tile = mapping.tile("C", extent)
    if tile == extent or tile % word == 0:
        return ()
    return (Violation("tile C under N:M weights", tile, word, "elements", f"use a multiple of {word}"),)


def _check_rows(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check that compute commands that share held sums start at rows of the accumulator of their own."""
    extent, lanes = problem.size["K"], problem.sum_lanes
    tile = mapping.tile("K", extent)
    if tile == extent or tile % lanes == 0 or mapping.held("O", problem.size)["K"] == tile:
        return ()
    remedy = f"use a multiple of {lanes} or hold O inside the loop of K"
    return (Violation("tile K within the held sums", tile, lanes, "channels", remedy),)


def _check_visits(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check that no tile of sums comes back where none can leave."""
    tiles = prod(loop.trips for loop in mapping.loops[: mapping.cut("O")] if loop.dim in RELEVANT["O"])
    visits = mapping.transfers("O") // tiles
    if not problem.sums_stay or visits == 1:
        return ()
    return (Violation("visits of a tile of sums", visits, 1, "visits", "hold O outside the loop of C"),)


def _check_slots(problem: TileProblem, mapping: Mapping) -> tuple[Violation, ...]:
    """Check the largest tile of each tensor against its slot."""
    size = problem.size
    held = {role: mapping.held(role, size) for role in ("I", "W", "O")}
    sums = problem.output_elements(held["O"])
    demands = [("weight", "weight tile", problem.weight_tile_bytes(held["W"]), problem.weight_slot_bytes, "W")]
    if problem.input_place == "dram":
        demands.insert(0, ("input", "input tile", problem.input_tile_bytes(held["I"]), problem.input_slot_bytes, "I"))
    demands.append(("accumulator", "partial sums", problem.sum_room_bytes(held["O"]), problem.sum_slot_bytes, "O"))
    if problem.residual == "dram":
        demands.append(("operand", "residual tile", sums * problem.output_bytes, problem.operand_slot_bytes, "O"))
    if problem.output_place == "dram":
        stored = problem.stored_elements(held["O"]) * problem.output_bytes
        demands.append(("output", "output tile", stored, problem.output_slot_bytes, "O"))
    return tuple(
        Violation(f"scratchpad '{memory}': {what}", demand, bound, "bytes", f"cut {role} deeper or take smaller tiles")
        for memory, what, demand, bound, role in demands
        if demand > bound
    )


def _check_jobs(problem: TileProblem, mapping: Mapping, array: PEArray) -> tuple[Violation, ...]:
    """Check the largest compute command against the width of the array's job counters."""
    tile = {dim: mapping.tile(dim, problem.size[dim]) for dim in TILED_DIMS}
    job = job_of(mapping, array, problem.taps, tile, problem.places)
    bound = (1 << SystolicParams.COUNT_BITS) - 1
    counts = (("stream", job.stream), ("row_folds", job.row_folds), ("col_folds", job.col_folds))
    return tuple(
        Violation(f"compute command: {name}", count, bound, "steps", "take smaller tiles")
        for name, count in counts
        if count > bound
    )


def smallest_tile_violation(problem: TileProblem, accelerator: Accelerator) -> Infeasible:
    """Return which memory the smallest tile that the fused operations allow does not fit."""
    found = tile_violation(problem, accelerator)
    if found is None:
        raise InternalError("layer search: no tiling fits although the smallest tile does; report this")
    return found


def tile_violation(problem: TileProblem, accelerator: Accelerator) -> Infeasible | None:
    """Return which memory the smallest tile that the fused operations allow does not fit; None where it fits all."""
    least = problem.smallest()
    outputs = problem.output_elements(least)
    from_dram = problem.input_place == "dram"
    demands = (
        ("input", problem.input_tile_bytes(least) if from_dram else 0, problem.input_slot_bytes,
         "raise core.input.half (one output needs its whole window)"),
        ("weight", problem.weight_tile_bytes(least), problem.weight_slot_bytes, "raise core.weight.half"),
        ("accumulator", problem.sum_room_bytes(least), problem.sum_slot_bytes, "raise core.accumulator.half"),
        ("output staging", problem.stored_elements(least) * problem.output_bytes, problem.output_slot_bytes,
         "raise core.vector.output_half"),
        ("operand staging", outputs * problem.output_bytes if problem.residual == "dram" else 0,
         problem.operand_slot_bytes, "raise core.vector.operand_half"),
    )  # fmt: skip
    for memory, demand, bound, lever in demands:
        if demand > bound:
            return Infeasible(
                f"smallest tile on core '{accelerator.core.name}'",
                f"capacity[{memory}]",
                demand,
                bound,
                "bytes",
                (lever,),
            )
    return None
