"""Independent replay of a mapping's DRAM traffic in plain integers (§3.8): no candidates, no tables, no arrays.

The search compares its answer with this replay before anyone sees it; the two share the mapping and the windows alone.
"""

from __future__ import annotations

from math import prod

from hw_models.accelerator import PEArray
from mappers.legality import check_mapping
from mappers.mapping import RELEVANT, Mapping
from mappers.problem import CHANNEL_TERM_BYTES, TileProblem
from workloads.errors import InternalError


def replay_bytes(problem: TileProblem, mapping: Mapping) -> int:
    """Return the DRAM bytes that `mapping` moves, both directions."""
    return _input_bytes(problem, mapping) + _weight_bytes(problem, mapping) + _output_bytes(problem, mapping)


def replay_operands(problem: TileProblem, mapping: Mapping) -> tuple[int, int, int, int, int]:
    """Return the bytes of input, weights, residual, finished output and partial sums (both ways)."""
    residual = problem.output_elements(problem.size) * problem.output_bytes if problem.residual == "dram" else 0
    kept = problem.stored_elements(problem.size) * problem.output_bytes if problem.output_place == "dram" else 0
    sums = _output_bytes(problem, mapping) - residual - kept
    return _input_bytes(problem, mapping), _weight_bytes(problem, mapping), residual, kept, sums


def require_replay(problem: TileProblem, mapping: Mapping, array: PEArray, dram_bytes: int) -> None:
    """Raise `InternalError` if `mapping` is illegal or does not move `dram_bytes`."""
    wrong = check_mapping(problem, mapping, array)
    if wrong:
        raise InternalError(f"layer search: its answer is not legal ({wrong[0]}); report this")
    replayed = replay_bytes(problem, mapping)
    if replayed != dram_bytes:
        raise InternalError(
            f"layer search: its answer moves {dram_bytes} bytes by the cost model, {replayed} by replay; report this"
        )


def _tiles(problem: TileProblem, mapping: Mapping, role: str, dim: str) -> list[tuple[int, int]]:
    """Return (start, size) of the tiles of `dim` that the tensor's scratchpad holds one after the other."""
    for loop in mapping.loops[: mapping.cut(role)]:
        if loop.dim == dim:
            return [(step * loop.tile, loop.size(step)) for step in range(loop.trips)]
    return [(0, problem.size[dim])]


def _passes(problem: TileProblem, mapping: Mapping, role: str) -> int:
    """Return how often each tile of the tensor is brought in."""
    return mapping.transfers(role) // prod(len(_tiles(problem, mapping, role, dim)) for dim in RELEVANT[role])


def _input_bytes(problem: TileProblem, mapping: Mapping) -> int:
    if problem.input_place == "resident":
        return 0
    moved = prod(problem.size[dim] for dim in ("N", "G", "C")) * problem.input_bytes
    for dim in ("OD", "OY", "OX"):
        spans = [problem.window(dim).span(start, size) for start, size in _tiles(problem, mapping, "I", dim)]
        moved *= sum(stop - start for start, stop in spans)
    return moved * _passes(problem, mapping, "I")


def _weight_bytes(problem: TileProblem, mapping: Mapping) -> int:
    channels = problem.size["G"] * problem.size["K"]
    moved = 0
    for _, outputs in _tiles(problem, mapping, "W", "K"):
        for _, inputs in _tiles(problem, mapping, "W", "C"):
            word_rows = problem.taps * -(-inputs // problem.stored_places)
            moved += problem.size["G"] * word_rows * -(-outputs * problem.stored_bits // 8)
    if problem.channel_terms:
        moved += channels * CHANNEL_TERM_BYTES * len(_tiles(problem, mapping, "W", "C"))
    return moved * _passes(problem, mapping, "W")


def _output_bytes(problem: TileProblem, mapping: Mapping) -> int:
    visits, sums = _passes(problem, mapping, "O"), problem.output_elements(problem.size)
    moved = 2 * (visits - 1) * sums * problem.sum_bytes
    if problem.residual == "dram":
        moved += sums * problem.output_bytes
    if problem.output_place == "dram":
        moved += problem.stored_elements(problem.size) * problem.output_bytes
    return moved
