"""The network on chip of a cluster at work: bursts of all ports in turn, what parts of an operator read alike as one.

A computation's bytes at its port (from its commands) pass in equal steps of it: step j ends no earlier than its share
of the reads has come and that of the writes of the step before has gone; the reads of the next step are asked for with
it. What a core alone needs at its port is in its cycles already, so waits here are contention. With multicast, what
the parts of a cut operator read alike (the weights where rows are cut, the input where output channels are) passes
once, when the last of them has asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import simpy

from hw_models.accelerator import DramChannel
from hw_models.cluster import Cluster
from mappers.commands import Transfer
from mappers.network.program import Compute, NetworkProgram, computes
from sim.channel import READ, WRITE, Channel

CAUSE = "network on chip"
MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class NocRun:
    """What passed a network on chip, reads and writes.

    Parameters
    ----------
    asked_bytes, busy_cycles : tuple of int
        What the cores asked for, and cycles in which each direction was busy.
    joined_words : int
        Words that were not moved again because several cores took them at once.
    """

    asked_bytes: tuple[int, int]
    busy_cycles: tuple[int, int]
    joined_words: int


def steps_of(task: Compute, segments: int, chunk_bytes: int) -> int:
    """Return the steps of each of the `segments` in which `task` streams from DRAM: of a chunk at its port or more."""
    moved = max(sum(size for _, size in task.port_in), task.port_out)
    return max(1, min(MOST_STEPS, moved // chunk_bytes, max(task.cycles, 1)) // segments)


class _Cast:
    """What the parts of one operator read alike: pieces, each sent once, when all parts have asked for it."""

    def __init__(self, env: simpy.Environment, parts: Sequence[Compute], pieces: int) -> None:
        self.bytes = max(sum(size for name, size in task.port_in if name in task.common) for task in parts)
        self.parts, self.pieces = len(parts), pieces
        self.asked = [0] * pieces
        self.came = [env.event() for _ in range(pieces)]


class NocPorts:
    """Both directions of a network on chip, a stream per core in each.

    Parameters
    ----------
    steps : callable
        Returns the steps of a computation.
    """

    def __init__(
        self, env: simpy.Environment, cluster: Cluster, program: NetworkProgram, steps: Callable[[Compute], int]
    ) -> None:
        noc = cluster.noc
        assert noc is not None
        width = Fraction(noc.bytes_per_cycle)
        bus = DramChannel(
            *("noc", width, 0, noc.bytes_per_cycle, noc.burst_bytes, Fraction(0), "none"), arbitration=noc.arbitration
        )
        self._env, self._width = env, noc.bytes_per_cycle
        self._core = {name: number for number, name in enumerate(cluster.core_names)}
        self.ways = (Channel(env, bus, len(self._core)), Channel(env, bus, len(self._core)))
        self._asked, self._joined_words = [0, 0], 0
        parts: dict[str, list[Compute]] = {}
        for task in computes(program.tasks) if noc.multicast else ():
            if task.common:
                parts.setdefault(task.operator, []).append(task)
        self._casts = {
            name: _Cast(env, own, min(steps(task) for task in own)) for name, own in parts.items() if len(own) > 1
        }

    @property
    def progress(self) -> int:
        """Value of a number that grows whenever data has moved."""
        return sum(way.progress for way in self.ways)

    def reads(self, task: Compute, index: int, steps: int) -> list[simpy.Event]:
        """Ask for step `index` of `steps` of what `task` reads; return the events of its arrival."""
        cast = self._casts.get(task.operator) if task.common else None
        whole = sum(size for name, size in task.port_in if cast is None or name not in task.common)
        events = self._moves(READ, task, whole, index, steps)
        if cast is not None:
            piece = -(-index * cast.pieces // steps)  # the piece that begins in this step, if one does
            if piece < cast.pieces and piece * steps // cast.pieces == index:
                events.append(self._cast(cast, task, piece))
        return events

    def writes(self, task: Compute, index: int, steps: int) -> list[simpy.Event]:
        """Ask for step `index` of what `task` writes."""
        return self._moves(WRITE, task, task.port_out, index, steps)

    def _moves(self, way: int, task: Compute, whole: int, index: int, steps: int) -> list[simpy.Event]:
        size = _part(whole, steps, index)
        self._asked[way] += size
        return [self._submit(way, task.core, size, self._env.event())] if size else []

    def _cast(self, cast: _Cast, task: Compute, piece: int) -> simpy.Event:
        """Ask for `piece` of what all parts of an operator read; the last of them has it sent."""
        size = _part(cast.bytes, cast.pieces, piece)
        own = sum(size for name, size in task.port_in if name in task.common)
        self._asked[READ] += _part(own, cast.pieces, piece)
        cast.asked[piece] += 1
        if cast.asked[piece] == cast.parts:
            self._joined_words += (cast.parts - 1) * -(-size // self._width)
            self._submit(READ, task.core, size, cast.came[piece])
        return cast.came[piece]

    def _submit(self, way: int, core: str, size: int, event: simpy.Event) -> simpy.Event:
        def done(_: int) -> None:
            event.succeed()

        stream = 2 * self._core[core] + way
        if size:
            self.ways[way].submit(stream, int(self._env.now) + 1, (Transfer(0, size),), _nothing, done)
        else:
            event.succeed()
        return event

    def outcome(self) -> NocRun:
        """Return what passed."""
        busy = [sum(end - start for _, start, end in way.busy) // way.units_per_cycle for way in self.ways]
        return NocRun((self._asked[READ], self._asked[WRITE]), (busy[READ], busy[WRITE]), self._joined_words)


def _part(total: int, parts: int, index: int) -> int:
    """Return the size of part `index` of `total` in `parts` near-equal parts that sum to it."""
    return total * (index + 1) // parts - total * index // parts


def _nothing(_: int) -> None:
    return None
