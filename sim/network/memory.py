"""The shared scratchpad while a program runs: what lies where, complete or not, checked at every change (§3.9)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from mappers.network.program import Compute, Load, NetworkProgram, Task
from workloads.errors import InternalError


class SharedMemory:
    """Regions of a program: taken by their first user, complete when all writers ended, given back by the last user.

    Tiles of a tensor that streams (`Region.staging`) are complete when taken: what fills them is timed elsewhere.
    """

    def __init__(self, program: NetworkProgram) -> None:
        self.program = program
        count = len(program.regions)
        self._users = [0] * count
        self._writers = [0] * count
        for task in program.tasks:
            for region in _uses(task):
                self._users[region] += 1
            for region in _writes(task):
                self._writers[region] += 1
        self._taken = [False] * count
        self._live: list[tuple[int, int, int]] = []
        self.live_bytes = self.peak_bytes = 0
        self.timeline: list[tuple[int, int]] = [(0, 0)]
        self.stays: dict[int, tuple[int, int]] = {}
        """Per region the cycles from and to which it was taken."""

    def start(self, task: Task, cycle: int) -> None:
        """Take the regions that `task` is the first to use, and check that what it reads is complete.

        Raises
        ------
        InternalError
            If two live regions share a byte, or something is read before it is complete.
        """
        for region in _uses(task):
            if not self._taken[region]:
                self._take(region, cycle)
        if isinstance(task, Compute):
            for region in task.reads:
                if self._writers[region]:
                    raise self._error(region, f"'{task.name}' reads it before it is complete, at cycle {cycle}")

    def end(self, task: Task, cycle: int) -> None:
        """Complete what `task` wrote and give back what it was the last to use."""
        for region in _writes(task):
            self._writers[region] -= 1
        for region in _uses(task):
            self._users[region] -= 1
            if not self._users[region]:
                self._give_back(region, cycle)

    @property
    def empty(self) -> bool:
        """Value of whether every region was given back."""
        return not self._live and self.live_bytes == 0

    def _take(self, region: int, cycle: int) -> None:
        place = self.program.regions[region]
        entry = (place.address, place.address + place.size_bytes, region)
        at = bisect_left(self._live, entry)
        for low, high, other in self._live[max(0, at - 1) : at + 1]:
            if low < entry[1] and entry[0] < high:
                name = self.program.regions[other].tensor
                raise self._error(region, f"it overlaps '{name}' at {low}..{high}, at cycle {cycle}")
        insort(self._live, entry)
        self._taken[region] = True
        self.live_bytes += place.size_bytes
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        self.timeline.append((cycle, self.live_bytes))
        self.stays[region] = (cycle, -1)

    def _give_back(self, region: int, cycle: int) -> None:
        place = self.program.regions[region]
        self._live.remove((place.address, place.address + place.size_bytes, region))
        self.live_bytes -= place.size_bytes
        self.timeline.append((cycle, self.live_bytes))
        self.stays[region] = (self.stays[region][0], cycle)

    def _error(self, region: int, what: str) -> InternalError:
        place = self.program.regions[region]
        return InternalError(
            f"network run of '{self.program.workload}': '{place.tensor}' at {place.address}.."
            f"{place.address + place.size_bytes} of the shared scratchpad: {what}; the plan is wrong"
        )


def _uses(task: Task) -> Sequence[int]:
    if isinstance(task, Compute):
        return tuple(dict.fromkeys((*task.reads, *task.writes, *task.stages)))
    return (task.region,)


def _writes(task: Task) -> Sequence[int]:
    if isinstance(task, Compute):
        return task.writes
    return (task.region,) if isinstance(task, Load) else ()
