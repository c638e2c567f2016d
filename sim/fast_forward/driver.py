"""Look for a state that was there before, whenever an anchor of a region completes, and skip ahead if there is one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import simpy

from sim.channel import Channel
from sim.fast_forward.codes import codes_of
from sim.fast_forward.periods import Region, regions_of
from sim.fast_forward.skip import Mark, mark_of, room_for, skip, stride_of
from sim.fast_forward.state import Place, state_of
from sim.machine import Machine

MOST_STATES = 24
"""States noted per region before it is given up: a region whose state does not come back costs no more than these."""


class FastForward:
    """Skips for machines on one channel of fixed latency."""

    def __init__(self, env: simpy.Environment, channel: Channel, machines: Sequence[Machine]) -> None:
        self._env, self._channel, self._machines = env, channel, machines
        self._codes = [codes_of(machine.program, channel.beat_bytes) for machine in machines]
        self._regions = [
            regions_of(machine.program, codes) for machine, codes in zip(machines, self._codes, strict=True)
        ]
        self._anchors: dict[tuple[int, int], list[Region]] = {}
        self._seen: dict[tuple[int, int, int, int], dict[Hashable, Mark]] = {}
        self.skipped = [0] * len(machines)
        for number, regions in enumerate(self._regions):
            for region in regions:
                self._set_anchor(number, region.anchor - region.period, region)

    def _set_anchor(self, number: int, index: int, region: Region) -> None:
        if index < region.high:
            self._anchors.setdefault((number, index), []).append(region)
            self._machines[number].watch.add(index)

    def look(self, number: int, index: int) -> None:
        """Compare states after command `index` of machine `number` has completed and its cycle is over."""
        for region in self._anchors.pop((number, index), ()):
            seen = self._seen.setdefault((number, region.low, region.high, region.period), {})
            ahead = self._try(number, region, seen)
            if len(seen) < MOST_STATES:
                self._set_anchor(number, index + ahead + region.period, region)
            index += ahead

    def _try(self, number: int, region: Region, seen: dict[Hashable, Mark]) -> int:
        """Skip if the present state was seen; return by how many commands of machine `number`."""
        places = self._places(number, region)
        if places is None:
            return 0
        now, regions = int(self._env.now), [place[0] for place in places]
        lows = tuple(place.low for place in regions)
        state = (lows, state_of(self._env, self._channel, self._machines, self._codes, places))
        mark = seen.get(state)
        if mark is None:
            seen[state] = mark_of(self._channel, self._machines, now)
            return 0
        strides = [
            stride_of(machine, place, mark, k)
            for k, (machine, place) in enumerate(zip(self._machines, regions, strict=True))
        ]
        sure = [stride for stride in strides if stride is not None]
        if len(sure) < len(strides):
            return 0
        times = min(
            room_for(machine, place, stride)
            for machine, place, stride in zip(self._machines, regions, sure, strict=True)
        )
        if times < 1:
            return 0
        skip(self._channel, self._machines, regions, sure, mark, times, now)
        for k, stride in enumerate(sure):
            self.skipped[k] += stride.commands * times
        seen.clear()
        return sure[number].commands * times

    def _places(self, number: int, region: Region) -> list[Place] | None:
        """Return the region and origin of every machine, None if one is in no region now."""
        places: list[Place] = []
        for k, machine in enumerate(self._machines):
            here = region if k == number else self._region_of(k)
            if here is None:
                return None
            at = machine.cursor[here.lead]
            if not at:
                return None
            places.append((here, machine.own[here.lead][at - 1]))
        return places

    def _region_of(self, number: int) -> Region | None:
        """Return the region of the least period that machine `number` is in."""
        machine = self._machines[number]
        inside = [
            region
            for region in self._regions[number]
            if (at := machine.cursor[region.lead])
            and region.low - region.period <= machine.own[region.lead][at - 1] < region.high - region.period
        ]
        return min(inside, key=lambda region: (region.period, region.low), default=None)
