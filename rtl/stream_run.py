"""Run a stream core in an RTL simulator and compare what comes out with its golden model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtl.bench.stream_protocol import (
    PortBeats,
    StreamReport,
    StreamRequest,
    StreamScenarioReport,
    StreamScenarioRequest,
)
from rtl.emit import emit
from rtl.interleave import by_source
from rtl.run import simulate_bench
from rtl.simulator import find_simulator
from rtl.stream_core import Beats, StreamWork, constants
from workloads.errors import InputError


@dataclass(frozen=True, slots=True)
class StreamScenario:
    """Works played one after another.

    Parameters
    ----------
    back_to_back : bool
        Offer everything at once; otherwise a work starts when the one before has ended.
    idle_percent, back_pressure_percent : int
        Share of cycles in which a source holds back, or a sink is not ready.
    seed : int
        Of the pauses.
    reset_after_cycles : int, optional
        Start, reset in the middle, then play the whole scenario.
    reset_busy : bool
        Offer on every input and take on every output in the cycle of that reset; otherwise nothing moves in it.
    check_paths : bool
        Also check each cycle that no output answers an input in the same cycle.
    """

    works: tuple[StreamWork, ...]
    back_to_back: bool = False
    idle_percent: int = 0
    back_pressure_percent: int = 0
    seed: int = 0
    reset_after_cycles: int | None = None
    reset_busy: bool = False
    check_paths: bool = False

    def __post_init__(self) -> None:
        if not self.works:
            raise InputError("stream scenario: no works, bound is >= 1; add one")
        for key, value in (("idle_percent", self.idle_percent), ("back_pressure_percent", self.back_pressure_percent)):
            if not 0 <= value <= 95:
                raise InputError(f"stream scenario: {key} is {value}, bound is 0..95; choose a share in it")
        if self.back_to_back and len({tuple(sorted(work.settings.items())) for work in self.works}) > 1:
            raise InputError(
                "stream scenario: settings change between works played back to back; use one scenario each"
            )


@dataclass(frozen=True, slots=True)
class WorkRun:
    """What one work did: edges of its first input and last output handshake, and what came out per port."""

    first_cycle: int
    last_cycle: int
    outputs: dict[str, Beats]

    @property
    def cycles(self) -> int:
        """Value of the time from the first input to the last output, in cycles."""
        return self.last_cycle - self.first_cycle

    def wrong_beats(self, work: StreamWork) -> int:
        """Return how many output beats differ from those that `work` must give, data or last flag."""
        return sum(
            (got_data, got_last) != (data, last)
            for port, wanted in work.outputs.items()
            for got_data, got_last, data, last in zip(
                self.outputs[port].data, self.outputs[port].last, wanted.data, wanted.last, strict=True
            )
        )


def run_streams(
    params: object,
    scenarios: Sequence[StreamScenario],
    simulator: str = "icarus",
    work_dir: Path | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[list[WorkRun]]:
    """Play `scenarios` in one simulation of the core and return what each work did.

    Parameters
    ----------
    work_dir : Path, optional
        Where sources, build, log and bench files go; it must not hold an earlier run. A temporary folder otherwise.
    sources : mapping, optional
        Other sources than ``emit(params)``, as for a planted mistake.

    Raises
    ------
    InputError
        If the simulator is not installed.
    MismatchError
        If the core hangs or breaks a rule of its interface.
    """
    found = find_simulator(simulator)
    texts = emit(params) if sources is None else sources
    request = _request(params, scenarios)
    name = str(getattr(params, "name"))  # noqa: B009 -- any stream core has a name
    bench = "rtl.bench.stream_bench"
    if work_dir is None:
        with tempfile.TemporaryDirectory(prefix="tilewright_rtl_") as folder:
            report: StreamReport = simulate_bench(name, texts, request, found, Path(folder), bench)
    else:
        work_dir.mkdir(parents=True, exist_ok=True)
        if any(work_dir.iterdir()):
            raise InputError(f"rtl run: folder '{work_dir}' is not empty; name a new one")
        report = simulate_bench(name, texts, request, found, work_dir, bench)
    return [_runs(scenario, played) for scenario, played in zip(scenarios, report["scenarios"], strict=True)]


def _runs(scenario: StreamScenario, played: StreamScenarioReport) -> list[WorkRun]:
    beats = [{port: _decoded(beats) for port, beats in outputs.items()} for outputs in played["beats"]]
    if scenario.back_to_back or scenario.idle_percent:
        for port, low in scenario.works[0].sources.items():
            ordered = by_source([work.outputs[port] for work in scenario.works], [own[port] for own in beats], low)
            beats = [{**own, port: one} for own, one in zip(beats, ordered, strict=True)]
    return [WorkRun(*run) for run in zip(played["first_cycles"], played["last_cycles"], beats, strict=True)]


def _request(params: object, scenarios: Sequence[StreamScenario]) -> StreamRequest:
    sample = scenarios[0].works[0]
    longest = max(work.cycles for scenario in scenarios for work in scenario.works)
    return {
        "parameters": {key: value for key, value in constants(params).items() if isinstance(value, int)},
        "inputs": list(sample.inputs),
        "outputs": list(sample.outputs),
        "settings": list(sample.settings),
        "drain_cycles": 8 + min(longest, 64),
        "scenarios": [_scenario(scenario) for scenario in scenarios],
    }


def _scenario(scenario: StreamScenario) -> StreamScenarioRequest:
    # Pauses of the sources and the sink stretch a run by less than the product of their shares; twice that is a hang.
    stretch = 100**3 / ((100 - scenario.idle_percent) ** 2 * (100 - scenario.back_pressure_percent))
    beats = sum(len(port.data) for work in scenario.works for port in (*work.inputs.values(), *work.outputs.values()))
    bound = sum(work.cycles for work in scenario.works) + beats
    return {
        "works": [{port: _encoded(beats) for port, beats in work.inputs.items()} for work in scenario.works],
        "settings": [work.settings for work in scenario.works],
        "results": [{port: len(beats.data) for port, beats in work.outputs.items()} for work in scenario.works],
        "back_to_back": scenario.back_to_back,
        "idle_percent": scenario.idle_percent,
        "back_pressure_percent": scenario.back_pressure_percent,
        "seed": scenario.seed,
        "reset_after_cycles": scenario.reset_after_cycles,
        "reset_busy": scenario.reset_busy,
        "check_paths": scenario.check_paths,
        "timeout_cycles": 100 + int(2 * stretch * bound),
    }


def _encoded(beats: Beats) -> PortBeats:
    return {"data": [f"{word:x}" for word in beats.data], "last": list(beats.last)}


def _decoded(beats: PortBeats) -> Beats:
    return Beats(tuple(int(word, 16) for word in beats["data"]), tuple(beats["last"]))
