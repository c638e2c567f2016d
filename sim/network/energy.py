"""Energy of a run on a cluster by component and operand, exact.

Components: of the cores their arithmetic, scratchpads and ports; the DMA side of the shared scratchpad; DRAM. What a
core streams passes the shared scratchpad too, but for weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from hw_models.cluster import Cluster
from mappers.network.program import Compute, Load, NetworkProgram, computes
from sim.channel import READ, WRITE
from sim.dram.energy import counted_pj, standby_pj
from sim.network.cores import CoreRun
from sim.network.engine import NetworkRun

EnergyTable = dict[tuple[str, str], Fraction]
CORES = "cores"
"""Component of cores of which costs alone are known."""


def energy_table(
    program: NetworkProgram, cluster: Cluster, run: NetworkRun, runs: Mapping[str, CoreRun]
) -> EnergyTable:
    """Return pJ by (component, operand); ``other`` is what no operand causes, such as the standby of DRAM."""
    table: EnergyTable = {}

    def add(component: str, operand: str, pj: Fraction) -> None:
        if pj:
            table[component, operand] = table.get((component, operand), Fraction(0)) + pj

    for task in computes(program.tasks):
        if task.core in runs:
            for (component, operand), pj in runs[task.core].energy_of(task).items():
                add(component, operand, pj)
        else:
            add(CORES, "other", task.energy_pj)
    shared = cluster.shared
    moved = [0, 0]
    by_operand: dict[str, int] = {}
    for way, operand, size, passes in dma_bytes(program):
        moved[way] += size
        by_operand[operand] = by_operand.get(operand, 0) + size
        if passes:
            add("shared", operand, size * (shared.write_pj_per_byte if way == READ else shared.read_pj_per_byte))
    if run.dram is None or cluster.dram.command_energy is None:
        whole = sum(moved) * cluster.dram.energy_pj_per_byte
    else:
        whole = counted_pj(run.dram.total, cluster)
        add("dram", "other", standby_pj(run.dram, cluster))
    for operand, size in by_operand.items():
        add("dram", operand, whole * size / sum(moved))
    return table


def dma_bytes(program: NetworkProgram) -> Iterator[tuple[int, str, int, bool]]:
    """Yield (direction on the channel, operand, bytes, whether they pass the shared scratchpad) of every transfer."""
    for task in program.tasks:
        if isinstance(task, Compute):
            weights = f"{task.operator}.weights"
            for name, size in task.stream_in:
                yield READ, "weight" if name == weights else "input", size, name != weights
            for _, size in task.stream_out:
                yield WRITE, "output", size, True
        elif isinstance(task, Load):
            yield READ, "weight" if task.tensor.endswith(".weights") else "input", task.size_bytes, True
        else:
            yield WRITE, "output", task.size_bytes, True


def by_component(table: EnergyTable) -> dict[str, Fraction]:
    """Return the sums over operands."""
    return _sums((component, pj) for (component, _), pj in table.items())


def by_operand(table: EnergyTable) -> dict[str, Fraction]:
    """Return the sums over components."""
    return _sums((operand, pj) for (_, operand), pj in table.items())


def _sums(parts: Iterable[tuple[str, Fraction]]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for name, pj in parts:
        found[name] = found.get(name, Fraction(0)) + pj
    return dict(sorted(found.items()))
