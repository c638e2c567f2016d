"""Micro-benchmarks of a DRAM: streams, one bank group, row conflicts, activates, idle latencies.

Each returns a plain number from a run of the controller, so that tests and the validation table can compare it with a
published or derived figure. Rates are in GB/s (10^9 bytes), latencies in ticks of the command clock.
"""

from __future__ import annotations

from random import Random

from hw_models.dram import TimedDram, load_standard
from hw_models.dram.address import Place
from sim.dram.controller import READ, Controller
from sim.dram.ports import Request, Segment


def _dram(standard: str, *, refresh: bool) -> TimedDram:
    return TimedDram(load_standard(standard), 1, refresh=refresh)


def _rate_gb_per_s(dram: TimedDram, segments: list[Segment]) -> float:
    """Return the rate of reading `segments` in order on an idle channel."""
    controller = Controller(dram, (READ,))
    controller.submit(0, Request(0, segments))
    ticks = controller.settle()
    moved = sum(count for _, count in segments) * dram.standard.burst_bytes
    return float(moved * dram.standard.clock_mhz / ticks / 1000)


def stream_gb_per_s(standard: str, bursts: int = 100_000, *, refresh: bool = True) -> float:
    """Return the rate of a sequential read, bank groups interleaved, open page."""
    return _rate_gb_per_s(_dram(standard, refresh=refresh), [(0, bursts)])


def one_bank_group_gb_per_s(standard: str, bursts: int = 20_000, *, refresh: bool = False) -> float:
    """Return the rate of reading every burst of one bank group in order and none of the others."""
    dram = _dram(standard, refresh=refresh)
    return _rate_gb_per_s(dram, [(dram.standard.bank_groups * index, 1) for index in range(bursts)])


def row_conflict_gb_per_s(standard: str, bursts: int = 2_000) -> float:
    """Return the rate of reading another row of one bank with every burst, without refresh."""
    dram = _dram(standard, refresh=False)
    rows = dram.standard.rows
    places = [Place(0, 0, 0, (index * 7) % rows, 0) for index in range(bursts)]
    return _rate_gb_per_s(dram, [(dram.map.burst_of(place), 1) for place in places])


def random_rows_gb_per_s(standard: str, bursts: int = 4_000, seed: int = 1) -> float:
    """Return the rate of reading random rows, banks in turn, without refresh: bound by four activates per tFAW."""
    dram = _dram(standard, refresh=False)
    random, m = Random(seed), dram.map
    places = []
    for index in range(bursts):
        group, bank = index % m.bank_groups, index // m.bank_groups % m.banks
        places.append(Place(0, group, bank, random.randrange(m.rows), random.randrange(m.columns)))
    return _rate_gb_per_s(dram, [(m.burst_of(place), 1) for place in places])


def idle_read_ticks(standard: str) -> dict[str, int]:
    """Return the ticks from request to end of data of a read alone: row open (hit), bank closed, other row open."""
    dram = _dram(standard, refresh=False)
    result = {}
    for name, rows in (("hit", (3, 3)), ("closed", (3,)), ("conflict", (5, 3))):
        controller = Controller(dram, (READ,))
        at = 0
        for row in rows:
            request = Request(at, [(dram.map.burst_of(Place(0, 0, 0, row, row)), 1)])
            controller.submit(0, request)
            controller.settle()
            result[name] = request.end_tick - at
            at = controller.tick + 10_000
            controller.advance(at)
    return result


def tick_ns(standard: str) -> float:
    """Return the period of the command clock."""
    return float(1000 / load_standard(standard).clock_mhz)
