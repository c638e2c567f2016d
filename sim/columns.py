"""The commands of a run as columns: one array per time, so that what is asked of all commands is asked at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mappers.commands import ENGINES
from mappers.kinds import Kinds
from sim.raw_run import Run
from sim.span_table import LONGEST, TIMES, IntArray, Spans

NUMBER: dict[str, int] = {name: number for number, name in enumerate(ENGINES)}
NO_CAUSE = -1


def kind_of(run: Run) -> Any:
    """Return the type in which times of `run` and sums of them are exact."""
    return np.int64 if run.cycles < LONGEST else object


@dataclass(frozen=True, slots=True)
class Columns:
    """Layer, engine (place in `ENGINES`), times and cause (likewise, or `NO_CAUSE`) of every command, as in `Span`."""

    layer: IntArray
    engine: IntArray
    cause: IntArray
    given: IntArray
    head: IntArray
    ready: IntArray
    issue: IntArray
    begin: IntArray
    last: IntArray
    end: IntArray

    def of(self, engine: str) -> IntArray:
        """Return the places of the commands on `engine` in the program."""
        return np.flatnonzero(self.engine == NUMBER[engine])


def columns_of(kinds: Kinds, run: Run) -> Columns:
    """Return the columns of `run`, the run of a program of `kinds`."""
    spans = run.spans if isinstance(run.spans, Spans) else Spans.of(run.spans)
    times = spans.times.astype(kind_of(run)).T
    given = spans.given.astype(kind_of(run))
    return Columns(kinds.layer, kinds.engine, spans.cause, given, *(times[at] for at in range(len(TIMES))))
