"""Verification of the layer engine: drawn networks on the RTL, whole command lists, values and cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from hw_models.layer_engine import EngineParams
from tilewright.engine_case import EngineCase
from tilewright.verification import VerifyReport, VerifyRow
from workloads.errors import MismatchError

FEW_NETWORKS = 12
SHORT_CYCLES = 1000
"""Longest network among so few that the time of a quick verification counts."""
MOST_DRAWS = 5
"""Networks drawn for each that is wanted, before longer ones are taken."""


def verify_engine(
    params: EngineParams, seed: int = 0, simulator: str = "icarus", networks: int = 12, repro: Path | None = None
) -> VerifyReport:
    """Verify the layer engine of `params` on drawn networks, run one after another without a reset.

    Up to `FEW_NETWORKS` networks are short ones, where the machine has them. Every network runs on the memory as it is
    (values and cycles) and on one that holds back at random (values).

    Parameters
    ----------
    repro : Path, optional
        Folder in which a network that goes wrong alone is left behind, shrunk, as ``mismatch_NAME``: sources, a test
        bench that needs nothing but Icarus, waves and a view of them.

    Raises
    ------
    InputError
        If the simulator is not installed.
    MismatchError
        If the engine breaks a rule of a port.
    """
    from tilewright.engine_draw import draw_cases, machine_of

    drawn = draw_cases(seed, machine_of(params), grouped=True)
    cases = short_cases(drawn, networks) if networks <= FEW_NETWORKS else list(islice(drawn, networks))
    return report_cases(cases, simulator, repro=repro)


def short_cases(drawn: Iterator[EngineCase], count: int) -> list[EngineCase]:
    """Return the first `count` short cases of `drawn`, filled up with the shortest where too few are short.

    A machine whose DRAM takes hundreds of cycles to answer has no short ones.
    """
    short: list[EngineCase] = []
    others: list[EngineCase] = []
    for case in islice(drawn, MOST_DRAWS * count):
        (short if case.predicted_cycles <= SHORT_CYCLES else others).append(case)
        if len(short) == count:
            return short
    return short + sorted(others, key=lambda case: case.predicted_cycles)[: count - len(short)]


def report_cases(
    cases: Sequence[EngineCase], simulator: str = "icarus", run: str = "drawn networks", repro: Path | None = None
) -> VerifyReport:
    """Run `cases` of one engine and compare; all must be of the same parameters. For `repro` see `verify_engine`."""
    from rtl.engine_run import run_engine
    from rtl.engine_top import bench_sources
    from tilewright.engine_shrink import leave_smallest

    params = cases[0].params
    runs = [case.run() for case in cases] + [case.run(disturb=True) for case in cases]
    largest = max(one.image.size for one in runs if one.image is not None)
    size = -(-largest // params.beat_bytes) * params.beat_bytes
    sources = bench_sources(params, size // params.beat_bytes)
    try:
        outcomes = run_engine(params, runs, simulator, sources, size)
    except MismatchError as error:
        left = leave_smallest(cases, simulator, sources, repro) if repro is not None else None
        raise MismatchError(f"{error}{f'; smallest case found: {left}' if left else ''}") from None
    alone, disturbed = outcomes[: len(cases)], outcomes[len(cases) :]
    vectors = sum(case.outputs() for case in cases)
    rows = []
    for name, played, timed in ((run, alone, True), (f"{run}, disturbed", disturbed, False)):
        # An error response that nobody gave is as wrong as a value.
        errors = sum(
            case.wrong(outcome.memory) + (outcome.error != 0) for case, outcome in zip(cases, played, strict=True)
        )
        predicted = measured = None
        if timed:
            predicted, measured = sum(case.predicted_cycles for case in cases), sum(max(0, o.cycles) for o in played)
            # A sum can hide one run that is late and another that is early: their distances are shown then.
            off = sum(abs(o.cycles - c.predicted_cycles) for c, o in zip(cases, played, strict=True))
            measured = predicted + off if measured == predicted else measured
        rows.append(VerifyRow(params.name, size_text(params), name, vectors, errors, predicted, measured))
    report = VerifyReport(tuple(rows))
    if not report.ok and repro is not None:
        leave_smallest(cases, simulator, sources, repro)
    return report


def size_text(params: EngineParams) -> str:
    """Return the size of an engine in a line."""
    memories = params.input_bytes + params.weight_bytes + params.operand_bytes + params.output_bytes
    return f"{params.rows}x{params.cols}, beat {params.beat_bytes} B, {memories >> 10} KiB"
