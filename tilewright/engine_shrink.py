"""From a network that the layer engine gets wrong to the smallest layer found: shape, mapping, then integers.

Every layer of the network (with what is fused to it, on the values that the golden run gives it) is tried alone, under
its own mapping, the searched one and drawn ones. From the simplest that goes wrong each round makes every simpler
variant, runs them in batches on the RTL under test and goes on from the simplest that is still wrong, alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tilewright.engine_case import EngineCase
from tilewright.engine_trial import Trial, build, starts, variants
from workloads.errors import MismatchError

if TYPE_CHECKING:
    from rtl.engine_run import EngineOutcome

ROUNDS = 40
VARIANTS = 64
FIRST_BATCH = 2
"""Trials run in one simulation, simplest first; the next takes twice as many."""


@dataclass(frozen=True, slots=True, eq=False)
class EngineFailure:
    """A case that goes wrong alone, how, and what it is; `trial` is None where no layer of it goes wrong by itself."""

    case: EngineCase
    kind: str
    trial: Trial | None = None

    @property
    def summary(self) -> str:
        """Value of the case in a line."""
        return self.trial.text() if self.trial else f"network '{self.case.network.name}'"


class Shrinker:
    """The RTL under test and the machine it is of.

    Parameters
    ----------
    sources : mapping of str to str
        With a bench (`rtl.engine_top.bench_sources`) whose memory holds the case to shrink.
    """

    def __init__(self, case: EngineCase, sources: Mapping[str, str], simulator: str = "icarus") -> None:
        self.case, self.sources, self.simulator = case, sources, simulator
        run = case.run()
        self.memory_bytes = 0 if run.image is None else run.image.size

    def shrink(self) -> EngineFailure | None:
        """Return the simplest failing case found, or None if the engine gets the case right, alone."""
        best = self._first(sorted(starts(self.case), key=lambda trial: trial.weight))
        if best is None:
            kind = self._kinds([self.case])[0]
            return EngineFailure(self.case, kind) if kind else None
        for _ in range(ROUNDS):
            assert best.trial is not None
            now = best.trial.weight
            simpler = sorted((t for t in variants(best.trial) if t.weight < now), key=lambda trial: trial.weight)
            found = self._first(simpler[:VARIANTS])
            if found is None:
                break
            best = found
        return best

    def _first(self, trials: Sequence[Trial]) -> EngineFailure | None:
        """Return the first of `trials` that goes wrong alone."""
        built: list[tuple[Trial, EngineCase]] = []
        batch = FIRST_BATCH
        for place, trial in enumerate(trials):
            case = build(trial, self.case)
            run = None if case is None else case.run()
            if case is not None and run is not None and run.image is not None and run.image.size <= self.memory_bytes:
                built.append((trial, case))
            if len(built) < batch and place + 1 < len(trials):
                continue
            for number, kind in enumerate(self._kinds([made for _, made in built])):
                trial, case = built[number]
                # Where something ran before, that may be to blame.
                alone = kind if not kind or number == 0 else self._kinds([case])[0]
                if alone:
                    return EngineFailure(case, alone, trial)
            built, batch = [], 2 * batch
        return None

    def _kinds(self, cases: Sequence[EngineCase]) -> list[str]:
        """Return how each of `cases` goes wrong, "" where it does not, run one after another."""
        from rtl.engine_run import run_engine

        if not cases:
            return []
        params = self.case.params
        try:
            outcomes = run_engine(
                params, [case.run() for case in cases], self.simulator, self.sources, memory_bytes=self.memory_bytes
            )
        except MismatchError as error:
            if len(cases) == 1:
                return [str(error)]
            middle = len(cases) // 2  # it ended the simulation: look for whose fault it is
            return [*self._kinds(cases[:middle]), *self._kinds(cases[middle:])]
        kinds = [kind_of(case, outcome) for case, outcome in zip(cases, outcomes, strict=True)]
        hung = [place for place, outcome in enumerate(outcomes) if outcome.cycles < 0]
        if hung and hung[0] + 1 < len(cases):  # runs behind one that hangs tell nothing
            return [*kinds[: hung[0] + 1], *self._kinds(cases[hung[0] + 1 :])]
        return kinds


def kind_of(case: EngineCase, outcome: EngineOutcome) -> str:
    """Return how a run went wrong in a word or three, "" if it did not."""
    if outcome.cycles < 0:
        return "hang"
    if outcome.memory is None:
        return "unknown value stored"
    if case.wrong(outcome.memory):
        return "value"
    if outcome.error:
        return "error response"
    return "cycle" if outcome.cycles != case.predicted_cycles else ""


def write_failure(folder: Path, failure: EngineFailure, sources: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the folder of `failure` (`rtl.engine_repro.write_engine_repro`) and return its files."""
    from rtl.engine_repro import EngineWork, write_engine_repro

    case = failure.case
    run = case.run()
    assert run.image is not None
    work = EngineWork(run.words, run.image, case.expected_memory(), case.predicted_cycles)
    return write_engine_repro(folder, case.params, work, sources, failure.kind, failure.summary)


def leave_smallest(
    cases: Sequence[EngineCase], simulator: str, sources: Mapping[str, str], folder: Path
) -> Path | None:
    """Shrink the first of `cases` that goes wrong alone and write its folder in `folder`; return it."""
    for case in cases:
        failure = Shrinker(case, sources, simulator).shrink()
        if failure is not None:
            place = folder / f"mismatch_{case.params.name}"
            write_failure(place, failure, sources)
            return place
    return None
