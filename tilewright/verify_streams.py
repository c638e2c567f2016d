"""Verification of stream cores: drawn works alone (values and cycles) and disturbed (values)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tilewright.verification import VerifyReport, VerifyRow
from workloads.errors import MismatchError

if TYPE_CHECKING:
    from rtl.stream_core import StreamWork


def verify_stream(
    params: object, seed: int = 0, simulator: str = "icarus", works: int = 12, repro: Path | None = None
) -> VerifyReport:
    """Run drawn works on the core `params` and compare.

    Parameters
    ----------
    works : int
        Works that are drawn, corners in turn; each runs alone, and again among others under pauses, back-pressure and
        after a reset.
    repro : Path, optional
        Folder in which a work that goes wrong alone is left behind, shrunk, as ``mismatch_NAME``: sources, a test bench
        that needs nothing but Icarus, waves and a view of them.

    Raises
    ------
    InputError
        If the simulator is not installed.
    MismatchError
        If the core hangs or breaks a rule of its interface.
    """
    from rtl.emit import emit
    from rtl.stimulus import CORNERS, draw
    from rtl.stream_core import stream_work

    rng = np.random.default_rng(seed)
    operands = [draw(params, rng, CORNERS[i % len(CORNERS)]) for i in range(works)]
    drawn = tuple(stream_work(params, *each) for each in operands)
    sources = emit(params)
    try:
        return _report(params, drawn, seed, simulator, sources, lambda at: _leave(params, operands[at], sources, repro))
    except MismatchError as error:
        left = next(filter(None, (_leave(params, each, sources, repro) for each in operands)), None)
        raise MismatchError(f"{error}{f'; smallest case found: {left}' if left else ''}") from None


def _leave(params: object, operands: tuple[Any, ...], sources: dict[str, str], repro: Path | None) -> Path | None:
    """Shrink `operands` and write the folder, if they go wrong alone; return it."""
    from rtl.repro import write_repro
    from rtl.shrink import shrink

    failure = None if repro is None else shrink(params, operands, sources)
    if failure is None or repro is None:
        return None
    name = str(getattr(params, "name"))  # noqa: B009
    write_repro(repro / f"mismatch_{name}", name, failure.work, sources)
    return repro / f"mismatch_{name}"


def _report(
    params: object,
    drawn: tuple[StreamWork, ...],
    seed: int,
    simulator: str,
    sources: dict[str, str],
    leave: Callable[[int], object],
) -> VerifyReport:
    """Run `drawn` alone and disturbed; `leave` is told the first work that goes wrong alone."""
    from rtl.stream_run import StreamScenario, run_streams

    runs = run_streams(
        params,
        [
            StreamScenario(drawn),
            StreamScenario(drawn, back_to_back=True),
            StreamScenario(drawn, back_to_back=True, idle_percent=30, back_pressure_percent=30, seed=seed),
            StreamScenario(drawn, reset_after_cycles=7),
        ],
        simulator,
        sources=sources,
    )
    alone = zip(runs[0], drawn, strict=True)
    bad = [at for at, (run, work) in enumerate(alone) if run.wrong_beats(work) or run.cycles != work.cycles]
    if bad:
        leave(bad[0])
    name = str(getattr(params, "name"))  # noqa: B009
    size = ", ".join(
        f"{field.name} {value}"
        for field in fields(params)  # type: ignore[arg-type]
        if isinstance(value := getattr(params, field.name), int) and not isinstance(value, bool)
    )
    beats = sum(len(port.data) for work in drawn for port in work.outputs.values())
    rows = []
    for run, played in (("alone", runs[0]), ("after a reset", runs[3])):
        wrong = sum(got.wrong_beats(work) for got, work in zip(played, drawn, strict=True))
        predicted = sum(work.cycles for work in drawn)
        rows.append(VerifyRow(name, size, run, beats, wrong, predicted, sum(got.cycles for got in played)))
    for run, played in (("back to back", runs[1]), ("disturbed", runs[2])):
        wrong = sum(got.wrong_beats(work) for got, work in zip(played, drawn, strict=True))
        rows.append(VerifyRow(name, size, run, beats, wrong, None, None))
    return VerifyReport(tuple(rows))
