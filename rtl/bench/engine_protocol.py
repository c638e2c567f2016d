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
    reset_cycles: int
    again_after_cycles: int
    timeout_cycles: int
    probe: bool


class EngineRequest(TypedDict):
    """Accesses of the control port, (write or not, address, data), then runs played one after another.

    On an engine of this identity, with room for so many commands of each engine.
    """

    identity: int
    room: int

    accesses: list[tuple[bool, int, int]]
    runs: list[EngineRunRequest]


class EngineRunReport(TypedDict):
    """What a run left: status and error register, file with the memory; what a reset cut off.

    The cycle counter is -1 of a run that did not end, or comes behind one that did not.
    """

    cycles: int
    status: int
    error: int
    memory: str
    cut: list[str]


class EngineReport(TypedDict):
    """(data, response) of each access, runs played, and what went wrong, if anything."""

    accesses: list[tuple[int, int]]
    runs: list[EngineRunReport]
    error: str | None
