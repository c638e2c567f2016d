"""A core's link to memory: everything it reads and writes passes it, one request after the other in each direction.

* A read passes while it comes from the channel: from its first beat on, or when the read before has passed if that is
  later, until its last beat, or as long as its bytes take if that is longer; it arrives the latency later.
* A write passes whole before the channel gets it: from its eligibility for the channel on, or when the write before has
  passed, and is eligible there the latency later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from hw_models.link import Link
from mappers.commands import Transfer
from sim.channel import READ, Channel
from sim.dram.memory import TimedChannel


class LinkPort:
    """Stands before `channel` and takes what it takes.

    Parameters
    ----------
    beat_bytes : int
        Whole beats pass the link.
    """

    def __init__(self, env: simpy.Environment, channel: Channel | TimedChannel, link: Link, beat_bytes: int) -> None:
        self._env, self._channel, self._link, self._beat_bytes = env, channel, link, beat_bytes
        self._free = [0, 0]

    def submit(
        self,
        stream: int,
        eligible: int,
        transfers: Sequence[Transfer],
        begun: Callable[[int], None],
        done: Callable[[int], None],
    ) -> None:
        """Ask for `transfers`, as `sim.channel.Channel.submit`."""
        size = self._beat_bytes * sum(t.beats(self._beat_bytes) for t in transfers)
        if stream % 2 == READ:
            self._read(stream, eligible, transfers, size, begun, done)
            return
        passed = self._link.passed(max(eligible, self._free[1]), size)
        self._free[1] = passed
        self._channel.submit(stream, self._link.arrives(passed), transfers, begun, done)

    def _read(
        self,
        stream: int,
        eligible: int,
        transfers: Sequence[Transfer],
        size_bytes: int,
        begun: Callable[[int], None],
        done: Callable[[int], None],
    ) -> None:
        first = -1

        def came(cycle: int) -> None:
            nonlocal first
            first = cycle

        def whole(cycle: int) -> None:
            start = max(first, self._free[0])
            end = max(cycle, self._link.passed(start, size_bytes))
            self._free[0] = end
            begun(self._link.arrives(start))
            arrival = self._link.arrives(end)
            if arrival == cycle:
                done(cycle)
                return
            wake = self._env.timeout(arrival - cycle)
            wake.callbacks.append(lambda _: done(arrival))

        self._channel.submit(stream, eligible, transfers, came, whole)
