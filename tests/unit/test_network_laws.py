"""Every law of what a cluster's operators count fails when what it speaks of is wrong: one planted fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import mappers.network.layered
import sim.network.cores
from mappers.problem import TileProblem
from sim.network.cores import CoreRun
from tilewright.networks import simulate_network
from workloads.errors import InternalError


def _lost_channels(patch: pytest.MonkeyPatch) -> None:
    """Cut every part one step short: products that nobody makes."""
    whole = mappers.network.layered._works
    sized = mappers.network.layered._sized

    def short(problem: TileProblem, dim: str, size: int) -> TileProblem:
        return sized(problem, dim, max(1, size - 1))

    def works(*given: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(mappers.network.layered, "_sized", short)
            return whole(*given)

    patch.setattr(mappers.network.layered, "_works", works)


def _method(name: str, wrong: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Return a fault that changes what method `name` of `CoreRun` returns."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = getattr(CoreRun, name)
        patch.setattr(CoreRun, name, lambda self, task: wrong(right(self, task)))

    return plant


def _dear_port(patch: pytest.MonkeyPatch) -> None:
    right = sim.network.cores.byte_energy_pj

    def wrong(core: Any) -> Any:
        return {level: (2 * read, write) for level, (read, write) in right(core).items()}

    patch.setattr(sim.network.cores, "byte_energy_pj", wrong)


def _lost_cycles(patch: pytest.MonkeyPatch) -> None:
    right = sim.network.cores.attribute

    def wrong(*given: Any) -> Any:
        return [replace(time, compute_cycles=time.compute_cycles // 2) for time in right(*given)]

    patch.setattr(sim.network.cores, "attribute", wrong)


FAULTS = {
    "MACs": (_lost_channels, "MACs of the operators are the workload's"),
    "energy of tasks": (_method("energy_of", lambda e: {key: pj / 2 for key, pj in e.items()}), "energy is that of"),
    "energy of a byte": (_dear_port, "energy is that of"),
    "bytes of a level": (_method("traffic_of", lambda t: {**t, "weight": {}}), "bytes and cycles of the operators"),
    "cycles of tasks": (_method("cycles_of", lambda c: (c[0] // 2, c[1])), "bytes and cycles of the operators"),
    "cycles of a core": (_lost_cycles, "bytes and cycles of the operators"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, law = FAULTS[fault]
    plant(monkeypatch)
    with pytest.raises(InternalError, match=f"law '{law}.*is violated"):
        simulate_network("lenet", "quad_edge", execution="split")


def test_without_a_fault_they_hold() -> None:
    made = simulate_network("lenet", "quad_edge", execution="split")
    assert all(check.ok for check in made.result.checks[-3:])
