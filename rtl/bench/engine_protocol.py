"""What the runner hands to the bench of the layer engine and gets back, as JSON."""

from __future__ import annotations

from typing import TypedDict


class EngineRunRequest(TypedDict):
    """One command list: words per command of load, array, vector and store; a memory file, "" to keep the content.

    `probe` also plays the control port: every register, and what it must refuse.
    """

    commands: list[list[list[int]]]
    image: str
    disturb: bool
    error_from: int
    reset_after_cycles: int
    timeout_cycles: int
    probe: bool


class EngineRequest(TypedDict):
    """Runs played one after another on an engine of this identity, with room for so many commands of each engine."""

    identity: int
    room: int

    runs: list[EngineRunRequest]


class EngineRunReport(TypedDict):
    """What a run left: status and error register, file with the memory.

    The cycle counter is -1 of a run that did not end, or comes behind one that did not.
    """

    cycles: int
    status: int
    error: int
    memory: str


class EngineReport(TypedDict):
    """Runs played, and what went wrong, if anything."""

    runs: list[EngineRunReport]
    error: str | None
