"""What the layer engine's small machines play in one simulation, and how other sources are found out by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from hw_models.accelerator import Dataflow
from hw_models.layer_engine import EngineParams
from mappers.mapping import TileLoop
from rtl.engine_run import run_engine
from rtl.engine_top import bench_sources
from tests.cosim.engine_cases import (
    BOTH,
    HASTY,
    INPUTS_STAY,
    OUTPUTS_STAY,
    PAGE,
    Played,
    hasty,
    make_case,
    mapped,
    nest,
    usual_runs,
)
from tests.cosim.engine_networks import branches, short_images, single_channel, tall, three_channels, two_lines
from workloads.errors import InternalError, MismatchError
from workloads.formats import Int

FIRST_RUNS = 3
COMPILER = re.compile(r"\.sv:\d+: (syntax )?error|error\(s\) during elaboration")
FOUR_COLUMNS = replace(HASTY, cols=4)
"""Two places for jobs, of which the last column still reads one when the second job behind it stands at the queue."""
TALL_FOLDS = replace(HASTY, rows=2, cols=3, output_bytes=1024, weight_format=Int(4))
"""Folds of two vectors follow each other so fast that every place for their addresses is taken."""


@cache
def engines() -> dict[EngineParams, tuple[Played, ...]]:
    """Return the engines with what each plays in one simulation: the usual runs, then those of given mappings."""
    given, usual = more_runs(), usual_runs()
    return {params: (*usual.get(params, ()), *given.get(params, ())) for params in {**usual, **given}}


def more_runs() -> dict[EngineParams, tuple[Played, ...]]:
    """Return runs of given mappings: what drawn ones never met with nothing else between."""
    jobs = nest("fc", "os", [TileLoop("K", 8, 2)])  # all operands there: only the array says when the next may issue
    orders: tuple[tuple[Dataflow, Dataflow], ...] = (("ws", "os"), ("os", "ws"))
    turns = nest("conv", "is")  # two pixels an image, three banks: the third image is turned past the last bank
    parts = nest("conv", "is", [TileLoop("C", 3, 2)], (0, 1, 0))  # weights of its jobs two channels apart and one
    changes = [(nest("first", one), nest("second", other)) for one, other in orders]
    return {
        OUTPUTS_STAY: (
            Played(make_case(OUTPUTS_STAY, single_channel, 3, PAGE - 65, edges=False, drawn=False)),
            Played(make_case(OUTPUTS_STAY, tall, 3, PAGE - 65, edges=False, nests=[jobs])),
        ),
        INPUTS_STAY: (
            Played(make_case(INPUTS_STAY, short_images, 3, PAGE - 65, edges=False, nests=[turns])),
            Played(make_case(INPUTS_STAY, three_channels, 3, PAGE - 65, edges=False, nests=[parts])),
        ),
        BOTH: tuple(Played(make_case(BOTH, branches, 3, PAGE - 65, edges=False, nests=pair)) for pair in changes),
        FOUR_COLUMNS: (
            *(Played(hasty(FOUR_COLUMNS, height)) for height in (2, 1)),
            Played(make_case(FOUR_COLUMNS, short_images, 3, PAGE - 65, edges=False, nests=[turns])),
        ),
        TALL_FOLDS: (Played(mapped(TALL_FOLDS, two_lines, nest("conv", "is"))),),
    }


def memory_bytes(played: Sequence[Played]) -> int:
    """Return the size of a memory for all of `played`."""
    beat = played[0].case.params.beat_bytes
    return -(-max(one.case.program.dram_bytes for one in played) // beat) * beat


def judge_engine(params: EngineParams, sources: dict[str, str]) -> str:
    """Return how `sources` are found out, "" if they are not; see `Played.verdict`.

    Raises
    ------
    MismatchError
        If they break a rule of a port, or end the simulation otherwise.
    """
    played, size = engines()[params], memory_bytes(engines()[params])
    for some in (played[:FIRST_RUNS], played[FIRST_RUNS:]):  # most mistakes show in the first runs
        if not some:
            continue
        try:
            outcomes = run_engine(params, [one.run() for one in some], sources=sources, memory_bytes=size)
        except InternalError as error:
            if COMPILER.search(str(error)):
                raise
            raise MismatchError(str(error)) from None
        verdict = next(filter(None, (one.verdict(outcome) for one, outcome in zip(some, outcomes, strict=True))), "")
        if verdict:
            return verdict
    return ""


def engine_bench(params: EngineParams) -> dict[str, str]:
    """Return the sources that `judge_engine` takes, as they should be."""
    return bench_sources(params, memory_bytes(engines()[params]) // params.beat_bytes)
