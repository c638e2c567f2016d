"""What moved and what lay where over a run: bytes per level, array and bus use, occupancy, in bins of equal length.

Counted from the commands and their times: the bytes of a command are spread evenly between its first and its last
beat, operand or step. Sums over the bins equal the traffic of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from sim.energy import LEVELS, Ledger, count_command
from sim.raw_run import Run
from workloads.errors import InputError

MAX_BINS = 10_000


@dataclass(frozen=True, slots=True)
class OverTime:
    """Series over a run; every list has one value per bin.

    Parameters
    ----------
    bin_cycles : int
        Length of a bin; the last may reach beyond the run.
    read_bytes, write_bytes : dict of str to list of float
        Per level, bytes moved in the bin.
    array_share, bus_share : list of float
        Share of the bin in which operands enter the array, and in which the DRAM bus is busy.
    occupied_bytes : dict of str to list of int
        Per memory, the most bytes that were live in the bin.
    """

    bin_cycles: int
    cycles: int
    read_bytes: dict[str, list[float]]
    write_bytes: dict[str, list[float]]
    array_share: list[float]
    bus_share: list[float]
    occupied_bytes: dict[str, list[int]]


def over_time(program: Program, run: Run, accelerator: Accelerator, bins: int = 120) -> OverTime:
    """Return the series of `run` in `bins` bins at most.

    Raises
    ------
    InputError
        If `bins` is not in 1..10 000.
    """
    if not 1 <= bins <= MAX_BINS:
        raise InputError(f"over_time: bins is {bins}, bound is 1..{MAX_BINS}; choose a number in it")
    size = max(1, -(-run.cycles // bins))
    count = max(1, -(-run.cycles // size))
    read = {level: [0.0] * count for level in LEVELS}
    write = {level: [0.0] * count for level in LEVELS}
    array = [0.0] * count
    for command, span in zip(program.commands, run.spans, strict=True):
        ledger = Ledger()
        count_command(ledger, command, accelerator)
        shares = _shares(span.begin, span.last, size, count)
        for level in LEVELS:
            for way, series in (("read", read), ("write", write)):
                moved = ledger.moved_bytes(level, way)
                if moved:
                    for index, share in shares:
                        series[level][index] += moved * share
        if command.engine == "array":
            for index, share in shares:
                array[index] += share * max(1, span.last - span.begin) / size
    bus = [0.0] * count
    for _, start, end in run.bus:
        length = (end - start) / run.bus_units
        for index, share in _shares(start / run.bus_units, end / run.bus_units, size, count):
            bus[index] += share * length / size
    return OverTime(size, run.cycles, read, write, array, bus, _occupied(run, size, count))


def _shares(begin: float, last: float, size: int, count: int) -> list[tuple[int, float]]:
    """Return (bin, share of the span in it); a span without length lies in one bin."""
    if last <= begin:
        return [(min(count - 1, int(begin // size)), 1.0)]
    first, final = int(begin // size), min(count - 1, int((last - 1e-9) // size))
    return [
        (index, (min(last, (index + 1) * size) - max(begin, index * size)) / (last - begin))
        for index in range(first, final + 1)
    ]


def _occupied(run: Run, size: int, count: int) -> dict[str, list[int]]:
    """Return the most live bytes per memory and bin, carried over bins without a change."""
    changes: dict[str, list[tuple[int, int]]] = {}
    for cycle, memory, live in run.occupancy:
        changes.setdefault(str(memory), []).append((cycle, live))
    result: dict[str, list[int]] = {}
    for memory in sorted(changes):
        series, live, at = [0] * count, 0, 0
        ordered = sorted(changes[memory], key=lambda change: change[0])
        for index in range(count):
            peak = live
            while at < len(ordered) and ordered[at][0] < (index + 1) * size:
                live = ordered[at][1]
                peak = max(peak, live)
                at += 1
            series[index] = peak
        result[memory] = series
    return result
