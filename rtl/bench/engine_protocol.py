"""What the runner hands to the bench of the layer engine and gets back, as JSON."""

from __future__ import annotations

from typing import TypedDict


class EngineRunRequest(TypedDict):
    """One command list: words per command of load, array, vector and store; a memory file, "" to keep the content."""

    commands: list[list[list[int]]]
    image: str
    disturb: bool
    error_from: int
    reset_after_cycles: int
    timeout_cycles: int


class EngineRequest(TypedDict):
    """Accesses of the control port, (write or not, address, data), then runs played one after another."""

    accesses: list[tuple[bool, int, int]]
    runs: list[EngineRunRequest]


class EngineRunReport(TypedDict):
    """Cycle counter (-1: did not end, and was reset), status and error register, file with the memory after the run."""

    cycles: int
    status: int
    error: int
    memory: str


class EngineReport(TypedDict):
    """(data, response) of each access, runs played, and what went wrong, if anything."""

    accesses: list[tuple[int, int]]
    runs: list[EngineRunReport]
    error: str | None
