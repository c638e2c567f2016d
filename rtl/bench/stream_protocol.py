"""What the runner hands to the stream bench and gets back, as JSON; words are hexadecimal."""

from __future__ import annotations

from typing import TypedDict


class PortBeats(TypedDict):
    """Beats of one port."""

    data: list[str]
    last: list[bool]


class StreamScenarioRequest(TypedDict):
    """Works played one after another on the core (`rtl.stream_run.StreamScenario`)."""

    works: list[dict[str, PortBeats]]
    settings: list[dict[str, int]]
    results: list[dict[str, int]]
    back_to_back: bool
    idle_percent: int
    back_pressure_percent: int
    seed: int
    reset_after_cycles: int | None
    reset_busy: bool
    check_paths: bool
    timeout_cycles: int


class StreamRequest(TypedDict):
    """Elaboration parameters that the design must show, port names, and the scenarios."""

    parameters: dict[str, int]
    inputs: list[str]
    outputs: list[str]
    settings: list[str]
    drain_cycles: int
    scenarios: list[StreamScenarioRequest]


class StreamScenarioReport(TypedDict):
    """Per work: edge of its first input handshake, of its last output handshake, and the beats of each output."""

    first_cycles: list[int]
    last_cycles: list[int]
    beats: list[dict[str, PortBeats]]


class StreamReport(TypedDict):
    """Scenarios played, and what the core did wrong at its interface, if anything."""

    scenarios: list[StreamScenarioReport]
    error: str | None
