"""What moved and what worked over a run on a cluster, in windows of equal length: integers that sum to the totals.

The bytes and busy cycles of a task are spread evenly over its time, from start to end (transfers: to their last
response); those of the DRAM channel over the time in which its bus was busy in that direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mappers.network.program import Compute, NetworkProgram
from sim.channel import READ, WRITE
from sim.network.cores import LEVELS as CORE_LEVELS
from sim.network.cores import CoreRun
from sim.network.engine import NetworkRun
from workloads.errors import InputError

LEVELS = ("dram", "shared", *CORE_LEVELS)
MAX_WINDOWS = 10_000


@dataclass(frozen=True, slots=True)
class NetworkOverTime:
    """Series over a run; every list has one value per window.

    Parameters
    ----------
    window_cycles : int
        Length of a window; the last may reach beyond the run.
    read_bytes, write_bytes : dict of str to list of int
        Per level of `LEVELS`: the channel, the DMA side of the shared scratchpad, ports and scratchpads of all cores.
    busy_cycles : dict of str to list of int
        Per core, cycles in which it works on an operator.
    bus_cycles : list of float
        Cycles in which the channel is busy.
    occupied_bytes : list of int
        Most bytes live in the shared scratchpad.
    core_bytes : dict of str to dict of str to list of int
        Per core and scratchpad, the most bytes live while some operator of the window runs, as in the run of the core's
        commands; empty where these were not run.
    """

    window_cycles: int
    read_bytes: dict[str, list[int]]
    write_bytes: dict[str, list[int]]
    busy_cycles: dict[str, list[int]]
    bus_cycles: list[float]
    occupied_bytes: list[int]
    core_bytes: dict[str, dict[str, list[int]]] = field(default_factory=dict)


def network_over_time(
    program: NetworkProgram, run: NetworkRun, runs: Mapping[str, CoreRun], core_names: Iterable[str], windows: int = 120
) -> NetworkOverTime:
    """Return the series of `run` in `windows` windows at most.

    Raises
    ------
    InputError
        If `windows` is not in 1..10 000.
    """
    if not 1 <= windows <= MAX_WINDOWS:
        raise InputError(f"over_time: windows is {windows}, bound is 1..{MAX_WINDOWS}; choose a number in it")
    size = max(1, -(-run.cycles // windows))
    count = max(1, -(-run.cycles // size))
    moved = {way: {level: [0] * count for level in LEVELS} for way in ("read", "write")}
    busy = {name: [0] * count for name in core_names}
    for task, span in zip(program.tasks, run.spans, strict=True):
        if not isinstance(task, Compute):
            way = "write" if task.kind in ("fetch", "retrieve") else "read"
            _spread(moved[way]["shared"], task.size_bytes, span.start, span.done, size)
            continue
        _spread(busy[task.core], task.cycles, span.start, span.end, size)
        weights = f"{task.operator}.weights"
        passed = sum(part for name, part in task.stream_in if name != weights)
        _spread(moved["write"]["shared"], passed, span.start, span.end, size)
        _spread(moved["read"]["shared"], sum(part for _, part in task.stream_out), span.start, span.done, size)
        if task.core in runs:
            for level, flows in runs[task.core].traffic_of(task).items():
                for way, series in moved.items():
                    whole = sum(flow[way] for flow in flows.values())
                    _spread(series[level], whole, span.start, span.end, size)
    for direction, way in ((READ, "read"), (WRITE, "write")):
        intervals = [(start, end) for stream, start, end in run.bus if stream % 2 == direction]
        moved[way]["dram"] = _channel(intervals, run.moved_bytes[direction], size * run.bus_units, count)
    bus = [units / run.bus_units for units in _used([(a, b) for _, a, b in run.bus], size * run.bus_units, count)]
    live = _most(run.memory.timeline, size, count)
    inside = _inside_cores(program, run, runs, size, count)
    return NetworkOverTime(size, moved["read"], moved["write"], busy, bus, live, inside)


def _inside_cores(
    program: NetworkProgram, run: NetworkRun, runs: Mapping[str, CoreRun], size: int, count: int
) -> dict[str, dict[str, list[int]]]:
    """Return, per core and scratchpad, the most bytes that the operators running in each window hold."""
    found = {
        name: {memory: [0] * count for memory in own.peak_bytes} for name, own in sorted(runs.items()) if own.times
    }
    for task, span in zip(program.tasks, run.spans, strict=True):
        if isinstance(task, Compute) and task.core in found and span.end > span.start:
            for memory, most in runs[task.core].live_bytes[task.entry].items():
                series = found[task.core][memory]
                for window in range(span.start // size, min(count - 1, (span.end - 1) // size) + 1):
                    series[window] = max(series[window], most)
    return found


def _spread(series: list[int], whole: int, start: int, end: int, size: int) -> None:
    """Add `whole`, spread evenly over cycles `start` to `end`, to windows of `size`; what is given sums to it."""
    if not whole:
        return
    at = min(start // size, len(series) - 1)
    given = 0
    while given < whole:
        edge = (at + 1) * size
        upto = whole if edge >= end or at == len(series) - 1 else whole * (edge - start) // (end - start)
        series[at] += upto - given
        given, at = upto, at + 1


def _used(intervals: list[tuple[int, int]], size: int, count: int) -> list[int]:
    """Return the part of each window that `intervals` cover, in their unit."""
    used = [0] * count
    for start, end in intervals:
        _spread(used, end - start, start, end, size)
    return used


def _channel(intervals: list[tuple[int, int]], moved_bytes: int, size: int, count: int) -> list[int]:
    """Return `moved_bytes` over the windows in proportion to the bus time in each, summing to it."""
    used = _used(intervals, size, count)
    whole, passed, given = sum(used), 0, 0
    series = []
    for part in used:
        passed += part
        upto = moved_bytes * passed // whole if whole else 0
        series.append(upto - given)
        given = upto
    return series


def _most(timeline: list[tuple[int, int]], size: int, count: int) -> list[int]:
    """Return the most bytes live in each window, carried over windows without a change."""
    last = list(dict(timeline).items())  # of several changes in one cycle the last holds
    series, live, at = [0] * count, 0, 0
    for index in range(count):
        most = live if not (at < len(last) and last[at][0] == index * size) else 0
        while at < len(last) and last[at][0] < (index + 1) * size:
            live = last[at][1]
            most = max(most, live)
            at += 1
        series[index] = most
    return series
