"""What happens to one command: its times, and where it stands while it is under way."""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy

from mappers.commands import AnyCommand, Engine


@dataclass(slots=True)
class Span:
    """What happened to one command, in cycles.

    `head`: it was first in its engine's queue; `ready`: its waits held; `issue`: it was issued; `begin`: first beat,
    first operand or first step; `last`: last beat, last operand or last step; `end`: complete. `cause`: the engine
    whose completion was the last it waited for, or "". `given`: a host handed it out, where there is one.
    """

    head: int = -1
    ready: int = -1
    issue: int = -1
    begin: int = -1
    last: int = -1
    end: int = -1
    cause: str = ""
    given: int = -1

    def moved(self, cycles: int) -> Span:
        """Return the same, `cycles` later."""
        return Span(
            self.head + cycles,
            self.ready + cycles,
            self.issue + cycles,
            self.begin + cycles,
            self.last + cycles,
            self.end + cycles,
            self.cause,
        )


@dataclass(slots=True, eq=False)
class Work:
    """A command that its engine has taken and that is not complete.

    Times in `span` are of the machine's own clock, which stands still over what a fast-forward leaves out.

    Parameters
    ----------
    index : int
        Of `command` in the program.
    passed : dict
        Per engine, completions that fast-forwards had left out when the command was taken: what a wait of it names is
        so much less on the machine's own count.
    stage : int
        0 taken, 1 at the head of its engine, 2 its waits hold, 3 issued.
    wait : tuple of (engine, count, event), optional
        What it waits for now.
    conflict_cycles : int
        Of an array command, cycles in which its operands wait for banks.
    """

    index: int
    command: AnyCommand
    passed: dict[Engine, int]
    span: Span = field(default_factory=Span)
    stage: int = 0
    wait: tuple[Engine, int, simpy.Event] | None = None
    conflict_cycles: int = 0
