"""Time-stamped evaluation of a dataflow network: every process carries its own clock, no global event queue is needed.

A process is a generator. It advances its clock by itself and waits only for *counters*: lists of the cycles at which
something has happened for the n-th time (word n written into a FIFO, word n read from it). Each counter has one writer,
so the n-th time does not depend on the order in which processes are taken up, and neither does any result: cycles are
the same for every scheduling (Kahn, 1974), which a test holds against a cycle-stepped twin.

Nothing can hang: a process that waits is taken up again only when its counter has grown; when no process can go on and
one has not ended, that is a deadlock, reported with every waiter, what it waits for and who should provide it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from workloads.errors import Infeasible, InfeasibleError

Wait = tuple["Counter", int]
Process = Generator[Wait, None, None]


@dataclass(slots=True, eq=False)
class Counter:
    """Cycles of the first, second, ... occurrence of one thing.

    Parameters
    ----------
    label : str
        What a waiter waits for, such as ``a word in FIFO a->b``.
    provider : str
        Stage that makes it happen.
    """

    label: str
    provider: str
    at: list[int] = field(default_factory=list)


class DeadlockError(InfeasibleError):
    """No process can go on: exit code 3, with the waiters.

    Attributes
    ----------
    waiters : tuple of (stage, what, provider)
        One row per waiting process.
    """

    def __init__(
        self, pipeline: str, waiters: list[tuple[str, str, str]], levers: tuple[str, ...], at_cycle: int
    ) -> None:
        rows = "; ".join(f"'{who}' waits for {what} ('{provider}')" for who, what, provider in waiters)
        record = Infeasible(
            subject=f"pipeline '{pipeline}': deadlock after cycle {at_cycle}: {rows}",
            constraint="processes that can go on",
            demand=1,
            bound=0,
            unit="process",
            levers=levers,
        )
        super().__init__(record)
        self.waiters = tuple(waiters)
        self.at_cycle = at_cycle


class WatchdogError(InfeasibleError):
    """Simulated time passed the limit before the pipeline was done: exit code 3."""


def evaluate(
    pipeline: str,
    processes: Iterable[tuple[str, Process]],
    levers: tuple[str, ...] = (),
) -> None:
    """Run every process to its end.

    Parameters
    ----------
    processes : iterable of (stage name, process)
    levers : tuple of str
        What would resolve a deadlock, for the message.

    Raises
    ------
    DeadlockError
        If some process can never go on.
    """
    ready: deque[tuple[str, Process]] = deque(processes)
    waiting: dict[Counter, list[tuple[int, str, Process]]] = {}
    seen: dict[Counter, int] = {}
    while ready or waiting:
        if not ready:
            ready.extend(_woken(waiting, seen))
            if not ready:
                raise _deadlock(pipeline, waiting, levers)
        name, process = ready.popleft()
        request = next(process, None)
        if request is not None:
            counter, count = request
            if len(counter.at) >= count:
                ready.append((name, process))
            else:
                waiting.setdefault(counter, []).append((count, name, process))


def _woken(
    waiting: dict[Counter, list[tuple[int, str, Process]]], seen: dict[Counter, int]
) -> list[tuple[str, Process]]:
    """Take out of `waiting`, in the order they came, the processes whose counter has reached their count."""
    woken: list[tuple[str, Process]] = []
    for counter in list(waiting):
        if len(counter.at) == seen.get(counter, -1):
            continue
        seen[counter] = len(counter.at)
        stay = []
        for count, name, process in waiting[counter]:
            if len(counter.at) >= count:
                woken.append((name, process))
            else:
                stay.append((count, name, process))
        if stay:
            waiting[counter] = stay
        else:
            del waiting[counter]
            seen.pop(counter, None)
    return woken


def _deadlock(
    pipeline: str, waiting: dict[Counter, list[tuple[int, str, Process]]], levers: tuple[str, ...]
) -> DeadlockError:
    rows = [
        (name, f"{counter.label} (number {count}, {len(counter.at)} so far)", counter.provider)
        for counter, entries in waiting.items()
        for count, name, _ in entries
    ]
    last = max((counter.at[-1] for counter in waiting if counter.at), default=0)
    return DeadlockError(pipeline, sorted(rows), levers, last)
