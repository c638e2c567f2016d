"""Verification of stream cores: drawn works alone (values and cycles) and disturbed (values)."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from tilewright.verification import VerifyReport, VerifyRow


def verify_stream(params: object, seed: int = 0, simulator: str = "icarus", works: int = 12) -> VerifyReport:
    """Run drawn works on the core `params` and compare.

    Parameters
    ----------
    works : int
        Works that are drawn, corners in turn; each runs alone, and again among others under pauses, back-pressure and
        after a reset.

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
    from rtl.stream_run import StreamScenario, run_streams

    rng = np.random.default_rng(seed)
    drawn = tuple(stream_work(params, *draw(params, rng, CORNERS[i % len(CORNERS)])) for i in range(works))
    runs = run_streams(
        params,
        [
            StreamScenario(drawn),
            StreamScenario(drawn, back_to_back=True),
            StreamScenario(drawn, back_to_back=True, idle_percent=30, back_pressure_percent=30, seed=seed),
            StreamScenario(drawn, reset_after_cycles=7),
        ],
        simulator,
        sources=emit(params),
    )
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
