"""From a work that a core gets wrong to the smallest one found: fewer rows, shorter rows, smaller values.

Each round makes every simpler variant of the operands that the golden model accepts and runs them all in one
simulation; the simplest that is still wrong is where the next round starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from workloads.errors import InputError, MismatchError

Operands = tuple[Any, ...]
ROUNDS = 20
VARIANTS = 48


@dataclass(frozen=True, slots=True)
class Failure:
    """A work that a core gets wrong, and how: ``value``, ``cycle``, or the rule of the interface that it breaks."""

    operands: Operands
    work: StreamWork
    kind: str


def shrink(params: object, operands: Operands, sources: Mapping[str, str], simulator: str = "icarus") -> Failure | None:
    """Return the simplest failing work found from `operands`, or None if the core gets them right, alone.

    Parameters
    ----------
    sources : mapping of str to str
        The RTL under test, file name to text.
    """
    best = _first_failure(params, [operands], sources, simulator)
    for _ in range(ROUNDS):
        if best is None:
            return None
        smaller = _first_failure(params, _ordered(best.operands), sources, simulator)
        if smaller is None:
            return best
        best = smaller
    return best


def _first_failure(
    params: object, candidates: Sequence[Operands], sources: Mapping[str, str], simulator: str
) -> Failure | None:
    """Return the first of `candidates`, simplest first, that the core gets wrong."""
    accepted: list[tuple[Operands, StreamWork]] = []
    for operands in candidates:
        try:
            accepted.append((operands, stream_work(params, *operands)))
        except (InputError, IndexError):
            continue  # not operands of this core any more
    if not accepted:
        return None
    works = tuple(work for _, work in accepted)
    try:
        (runs,) = run_streams(params, [StreamScenario(works)], simulator, sources=sources)
    except MismatchError as error:
        if len(accepted) == 1:
            return Failure(*accepted[0], kind=str(error))
        middle = (len(accepted) + 1) // 2  # a broken interface ends the simulation: look for whose fault it is
        halves = ([operands for operands, _ in part] for part in (accepted[:middle], accepted[middle:]))
        return next((found for half in halves if (found := _first_failure(params, half, sources, simulator))), None)
    for (operands, work), run in zip(accepted, runs, strict=True):
        if run.wrong_beats(work):
            return Failure(operands, work, "value")
        if run.cycles != work.cycles:
            return Failure(operands, work, "cycle")
    return None


def _ordered(operands: Operands) -> list[Operands]:
    """Return simpler variants, simplest first."""
    weight = _weight(operands)
    variants = [variant for variant in _variants(operands) if _weight(variant) < weight]
    return sorted(variants, key=_weight)[:VARIANTS]


def _weight(operands: Operands) -> tuple[int, int, int]:
    """Return elements, elements that are not zero, and the sum of magnitudes: what a reader has to look at."""
    arrays = [np.asarray(operand) for operand in operands]
    magnitudes = [np.nan_to_num(np.abs(array.astype(np.float64)), posinf=1e9) for array in arrays]
    return (
        sum(array.size for array in arrays),
        sum(int(np.count_nonzero(array)) for array in arrays),
        int(sum(float(magnitude.sum()) for magnitude in magnitudes)),
    )


def _variants(operands: Operands) -> Iterator[Operands]:
    arrays = [np.asarray(operand) for operand in operands]
    if any(array.ndim < 2 or not array.size for array in arrays):
        return
    rows = {array.shape[0] for array in arrays}
    if len(rows) == 1:
        for row in range(rows.pop()):
            yield tuple(array[row : row + 1] for array in arrays)
    # Along the last axis: all operands have one length, or some an entry for each group of the others.
    groups = min(array.shape[-1] for array in arrays)
    if all(array.shape[-1] % groups == 0 for array in arrays):
        for cut in sorted({groups // 2, groups - groups // 4, groups - 4, groups - 1}):
            if 0 < cut < groups:
                yield tuple(array[..., : cut * (array.shape[-1] // groups)] for array in arrays)
                yield tuple(array[..., -cut * (array.shape[-1] // groups) :] for array in arrays)
    for index, array in enumerate(arrays):
        size = array.size
        for part in range(8):
            low, high = part * size // 8, (part + 1) * size // 8
            for value in (0, 1):
                changed = array.copy().reshape(-1)
                changed[low:high] = value
                yield tuple(changed.reshape(array.shape) if at == index else other for at, other in enumerate(arrays))
