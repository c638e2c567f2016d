"""Clusters on a DRAM with timing: rows and bursts of what tasks move, their laws, what refresh costs."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from hw_models.cluster_description import load_cluster
from mappers.network.program import Compute, Load, NetworkProgram, Region, Task
from sim.network.engine import CHUNK_BYTES, run_network
from sim.network.places import DramPlaces
from tilewright.networks import EXECUTIONS, simulate_network
from workloads.errors import InfeasibleError

STANDARD = "dram.standard=DDR4-2400"
TIMED = load_cluster("quad_edge", [STANDARD])


def program(tasks: list[Task], regions: list[Region]) -> NetworkProgram:
    return NetworkProgram("hand", TIMED.name, tuple(tasks), tuple(regions), 1 << 20)


def test_places_follow_one_another_and_ranges_cross_tensors() -> None:
    task = Compute("op", "core0", 9, Fraction(1), 0, (), (), (), (("a", 5000), ("b", 100)), (("c", 7),), ())
    places = DramPlaces(program([task], []))
    assert places.bytes == 8192 + 4096 + 4096
    runs = places.transfers(task.stream_in, 4990, 60)
    assert [(run.address, run.run_bytes) for run in runs] == [(4990, 10), (8192, 50)]


def test_a_load_is_its_bursts() -> None:
    size = 3 * CHUNK_BYTES
    made = run_network(program([Load("x", "fetch", size, 0, ())], [Region("x", 0, size)]), TIMED)
    assert made.dram is not None
    assert (made.dram.total.reads, made.dram.total.writes) == (size // 64, 0)
    assert made.dram.total.activates == 4, "24 KiB in a row of 8 KiB per bank group"
    assert made.cycles > size / TIMED.dram.bytes_per_cycle


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_execution_keeps_its_laws_and_its_bytes(execution: str) -> None:
    runs = [simulate_network("tiny_ic", overrides=[STANDARD], execution=execution).result for _ in range(2)]
    data = [json.dumps(run.to_json()) for run in runs]
    assert data[0] == data[1]
    assert all(check.ok for check in runs[0].checks)
    dram = runs[0].to_json()["dram"]
    assert 64 * dram["read_bursts"] >= runs[0].totals.dram_read_bytes
    assert 64 * dram["write_bursts"] >= runs[0].totals.dram_write_bytes
    assert not any(line.startswith("DRAM rows") for line in runs[0].not_modelled)


def test_refresh_costs_cycles() -> None:
    def cycles(*more: str) -> int:
        return simulate_network("tiny_ic", overrides=[STANDARD, *more]).result.totals.cycles

    assert cycles("dram.refresh=false") < cycles()


def test_tensors_beyond_the_capacity_are_refused() -> None:
    huge = Compute("op", "core0", 9, Fraction(1), 0, (), (), (), (("w", 1 << 40),), (), ())
    with pytest.raises(InfeasibleError, match=r"tensors of 'hand'.*capacity\[DDR4-2400\]"):
        run_network(program([huge], []), TIMED)
