"""Naive interpreter of command lists: engines take turns at random, every byte is looked at.

No clock. A command may start when it is next on its engine, its waits hold and the engine has room; a command under
way may complete when it is the oldest of its engine. Any order that results must keep the rules of
`mappers.commands`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from random import Random

from mappers.commands import ENGINES, AnyCommand, LoadCommand, Program, Slot, StoreCommand, Transfer

IN_FLIGHT = {"load": 4, "array": 2, "vector": 1, "store": 4}


class Fault(Exception):
    """A program broke a rule."""


def run_starts(transfer: Transfer) -> Iterator[int]:
    """Yield the address of every run."""
    for at in product(*(range(count) for count in transfer.counts)):
        yield transfer.address + sum(i * pitch for i, pitch in zip(at, transfer.pitches_bytes, strict=True))


def naive_bytes(transfers: Iterable[Transfer]) -> list[int]:
    """Return every byte address moved, repetitions included."""
    return [start + i for t in transfers for start in run_starts(t) for i in range(t.run_bytes)]


def naive_beats(transfer: Transfer, beat_bytes: int) -> int:
    """Return the beats, run by run and byte by byte."""
    return sum(len({(start + i) // beat_bytes for i in range(transfer.run_bytes)}) for start in run_starts(transfer))


def _overlap(a: Slot, b: Slot) -> bool:
    same = (a.memory, a.half) == (b.memory, b.half)
    cells = set(range(a.offset_bytes, a.offset_bytes + a.size_bytes))
    return same and any(b.offset_bytes <= cell < b.offset_bytes + b.size_bytes for cell in cells)


class Interpreter:
    """One run of `program` in a random order.

    Parameters
    ----------
    given : set of int
        DRAM bytes that are complete from the start (network inputs, constants).
    """

    def __init__(self, program: Program, given: set[int], random: Random) -> None:
        self.random, self.given = random, given
        self.queue = {e: [c for c in program.commands if c.engine == e] for e in ENGINES}
        self.writers: dict[int, list[AnyCommand]] = {}
        self.position = {id(command): i for i, command in enumerate(program.commands)}
        for command in program.commands:
            for slot in command.writes:
                self.writers.setdefault(slot.tag, []).append(command)
        self.started = dict.fromkeys(ENGINES, 0)
        self.done = dict.fromkeys(ENGINES, 0)
        self.completed: set[int] = set()
        self.live: dict[int, Slot] = {}
        self.written: set[int] = set()
        self.storing: dict[int, set[int]] = {}

    def run(self) -> None:
        """Run to the end.

        Raises
        ------
        Fault
            If a rule is broken or nothing can go on.
        """
        total = sum(len(queue) for queue in self.queue.values())
        while len(self.completed) < total:
            moves = [("start", e) for e in ENGINES if self._may_start(e)]
            moves += [("complete", e) for e in ENGINES if self.done[e] < self.started[e]]
            if not moves:
                raise Fault(f"nothing can go on after {self.done}")
            move, engine = self.random.choice(moves)
            if move == "start":
                self._start(self.queue[engine][self.started[engine]])
                self.started[engine] += 1
            else:
                self._complete(self.queue[engine][self.done[engine]])
                self.done[engine] += 1
        if self.live:
            raise Fault(f"never released: {sorted(self.live)}")

    def _may_start(self, engine: str) -> bool:
        number = self.started[engine]
        if number == len(self.queue[engine]) or number - self.done[engine] >= IN_FLIGHT[engine]:
            return False
        return all(self.done[other] >= count for other, count in self.queue[engine][number].waits)

    def _under_way(self) -> list[AnyCommand]:
        return [c for e in ENGINES for c in self.queue[e][self.done[e] : self.started[e]]]

    def _start(self, command: AnyCommand) -> None:
        here = self.position[id(command)]
        for slot in command.reads:
            if self.live.get(slot.tag) != slot:
                raise Fault(f"command {here} reads {slot}, which is not live")
            late = [w for w in self.writers[slot.tag] if self.position[id(w)] < here and id(w) not in self.completed]
            if late:
                raise Fault(f"command {here} reads {slot} before it is complete")
        for slot in command.writes:
            clash = [other for other in self.live.values() if other.tag != slot.tag and _overlap(other, slot)]
            if clash:
                raise Fault(f"command {here} overwrites {clash[0]} with {slot}")
            readers = [c for c in self._under_way() if any(_overlap(slot, read) for read in c.reads)]
            if readers:
                raise Fault(f"command {here} writes {slot} under a reader")
            self.live[slot.tag] = slot
        if isinstance(command, LoadCommand):
            self._check_dram(here, set(naive_bytes(command.transfers)))
        if isinstance(command, StoreCommand):
            self.storing[here] = set(naive_bytes(command.transfers))

    def _check_dram(self, here: int, wanted: set[int]) -> None:
        missing = wanted - self.given - self.written
        if missing:
            raise Fault(f"command {here} loads byte {min(missing)} before it is stored")
        if any(wanted & busy for busy in self.storing.values()):
            raise Fault(f"command {here} loads bytes that are being stored")

    def _complete(self, command: AnyCommand) -> None:
        here = self.position[id(command)]
        self.completed.add(id(command))
        if isinstance(command, StoreCommand):
            self.written |= self.storing.pop(here)
        for slot in command.releases:
            if any(other is not command and slot in (*other.reads, *other.writes) for other in self._under_way()):
                raise Fault(f"command {here} releases {slot} under another command")
            if self.live.pop(slot.tag, None) is None:
                raise Fault(f"command {here} releases {slot} twice")


def check_capacity(program: Program, half_bytes: dict[str, int]) -> None:
    """Raise `Fault` if a slot leaves its half."""
    for command in program.commands:
        for slot in (*command.reads, *command.writes):
            if slot.half not in (0, 1) or slot.offset_bytes < 0:
                raise Fault(f"{slot} has no such half")
            if slot.offset_bytes + slot.size_bytes > half_bytes[slot.memory]:
                raise Fault(f"{slot} ends behind its half of {half_bytes[slot.memory]} bytes")
