"""Run the machines of an environment to the end, and say who waits for what where there is no end.

A watchdog looks at simulated progress: commands completed and data moved. A run in which `PATIENCE` events bring
neither is given up with the waiters; so is one that stops before every command is complete. No run hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import simpy
from simpy.core import EmptySchedule

from sim.channel import Channel
from workloads.errors import InternalError

if TYPE_CHECKING:
    from sim.dram.memory import TimedChannel
    from sim.fast_forward.driver import FastForward
    from sim.machine import Machine
from sim.spans import Work

PATIENCE = 1 << 16
_WRONG = "command list or model at fault"
LEAST_COMMANDS = 200
"""Shorter programs are run in full: looking for periods would cost more."""


class StuckError(InternalError):
    """A run that cannot go on; the message names every waiter and what it waits for."""


def drive(
    env: simpy.Environment,
    channel: Channel | TimedChannel,
    machines: Sequence[Machine],
    *,
    fast_forward: bool = True,
) -> tuple[int, ...]:
    """Run until every command of `machines` is complete; return the commands each left out.

    Raises
    ------
    StuckError
        If commands wait for each other, or events go on without progress.
    """
    ahead = _fast_forward(env, channel, machines) if fast_forward else None
    noted: list[tuple[int, int]] = []
    if ahead is not None:
        for number, machine in enumerate(machines):
            machine.note = _noting(noted, number)

    def skip() -> None:
        assert ahead is not None
        _settle(env)
        for number, index in noted:
            ahead.look(number, index)
        noted.clear()

    run_watched(
        env,
        lambda: channel.progress + sum(machine.completed for machine in machines),
        lambda: waiters(machines),
        noted,
        skip,
    )
    rows = waiters(machines)
    if rows:
        raise StuckError(report(_WRONG, int(env.now), "nothing more happens", rows))
    return tuple(ahead.skipped) if ahead is not None else (0,) * len(machines)


def run_watched(
    env: simpy.Environment,
    progress: Callable[[], int],
    waiting: Callable[[], list[str]],
    noted: Sequence[object] = (),
    react: Callable[[], None] | None = None,
) -> None:
    """Run until no event is left.

    Parameters
    ----------
    progress : callable
        Returns a number that grows whenever something real has happened.
    waiting : callable
        Returns one line per waiter.
    noted : sequence
        Where it is not empty after an event, `react` is called.

    Raises
    ------
    StuckError
        If `PATIENCE` events brought no progress.
    """
    step, seen = env.step, -1
    try:
        while True:
            for _ in range(PATIENCE):
                step()
                if noted and react is not None:
                    react()
            at = progress()
            if at == seen:
                raise StuckError(report(_WRONG, int(env.now), f"{PATIENCE} events without progress", waiting()))
            seen = at
    except EmptySchedule:
        return


def _noting(noted: list[tuple[int, int]], number: int) -> Callable[[int], None]:
    return lambda index: noted.append((number, index))


def _settle(env: simpy.Environment) -> None:
    """Let everything of the present cycle happen."""
    now = env.now
    while env.peek() == now:
        env.step()


def _fast_forward(
    env: simpy.Environment, channel: Channel | TimedChannel, machines: Sequence[Machine]
) -> FastForward | None:
    """Return what skips for `machines`; None for a DRAM with timing, whose refresh does not keep step with tiles."""
    if not all(machine.repeats for machine in machines):
        return None
    if not isinstance(channel, Channel) or max(len(m.program.commands) for m in machines) < LEAST_COMMANDS:
        return None
    from sim.fast_forward.driver import FastForward

    return FastForward(env, channel, machines)


def report(subject: str, cycle: int, what: str, rows: Sequence[str]) -> str:
    """Return the message of a deadlock: one line per waiter."""
    return "\n  ".join([f"{subject}: deadlock at cycle {cycle}, {what}", *rows])


def waiters(machines: Sequence[Machine]) -> list[str]:
    """Return one line per engine that has commands left: where it stands and what it waits for."""
    rows = []
    for number, machine in enumerate(machines):
        where = f"core {number}: " if len(machines) > 1 else ""
        for engine in machine.lanes:
            left = len(machine.own[engine]) - machine.cursor[engine]
            rows += [
                f"{where}{engine} stands at {_named(machine, work)}, {_reason(machine, work)}"
                for work in machine.flight[engine]
            ]
            if left and not machine.flight[engine]:
                rows.append(f"{where}{engine} has {left} commands that it never took")
    return rows


def _named(machine: Machine, work: Work) -> str:
    layer = machine.program.layers[work.command.layer].name
    return f"command {work.index} of layer '{layer}' in '{machine.program.workload}'"


def _reason(machine: Machine, work: Work) -> str:
    if work.stage >= 2:
        return "issued, and never complete" if work.stage > 2 else "about to issue"
    if work.wait is None:
        return "waiting for room in its engine"
    other, count, _ = work.wait
    missing = count - machine.done[other]
    return f"which waits for {missing} more {other} command{'s' * (missing > 1)}"
