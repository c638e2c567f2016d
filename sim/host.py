"""A host that hands the commands to the engines in program order, where a description has one."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

from hw_models.dma import Host

if TYPE_CHECKING:
    from sim.machine import Machine


def issued(lane: str) -> str:
    """Return the name under which the issues of `lane` count."""
    return f"{lane} issued"


def hand_out(machine: Machine, host: Host, env: simpy.Environment) -> Generator[simpy.Event, None, None]:
    """Hand out the commands of `machine`, each to a lane with room, `interval_cycles` after the one before.

    A lane has room while it holds fewer than `depth` commands that are not issued. Commands wait for earlier ones only,
    and those have been handed out, so a full lane always empties.
    """
    handed = dict.fromkeys(machine.lanes, 0)
    for index, command in enumerate(machine.program.commands):
        lane = machine.lane(command)
        handed[lane] += 1
        room = machine.until(issued(lane), handed[lane] - host.depth)
        if room is not None:
            yield room
        if host.interval_cycles:
            yield env.timeout(host.interval_cycles)
        machine.given[index] = int(env.now)
        machine.count("host")
