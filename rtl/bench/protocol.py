"""What the runner hands to a bench and gets back, as JSON; beats are hexadecimal."""

from __future__ import annotations

from typing import TypedDict


class JobRequest(TypedDict):
    """One job: the ``cfg`` fields, the operand streams and the number of result beats."""

    cfg: list[int]
    weights: list[str]
    inputs: list[str]
    results: int


class ScenarioRequest(TypedDict):
    """Jobs and how they are played (`rtl.run.Scenario`).

    `earliest_issue_cycles` counts from the issue of the first job; `timeout_cycles` from the start of the scenario.
    """

    jobs: list[JobRequest]
    back_to_back: bool
    earliest_issue_cycles: list[int]
    idle_percent: int
    back_pressure_percent: int
    seed: int
    reset_after_cycles: int | None
    reset_busy: bool
    check_paths: bool
    timeout_cycles: int


class Request(TypedDict):
    """Elaboration parameters that the design must show, and the scenarios to play."""

    parameters: dict[str, int]
    scenarios: list[ScenarioRequest]


class ScenarioReport(TypedDict):
    """Clock edges of each job's issue and last result, and its result beats."""

    issue_cycles: list[int]
    last_cycles: list[int]
    beats: list[list[str]]


class Report(TypedDict):
    """Scenarios played, and what the core did wrong at its interface, if anything."""

    scenarios: list[ScenarioReport]
    error: str | None
