"""The tables of a network result: a row per computation and per core, with what happened inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hw_models.cluster import Cluster
from mappers.network.program import Compute, NetworkProgram
from sim.network.cores import CoreRun, taken
from sim.network.engine import NetworkRun

INSIDE = {"dram_read": "port_read", "dram_write": "port_write", "dram_latency": "port_latency"}
"""What the causes of a single machine are called where its memory is the core's port."""
COMPUTE = "compute"


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One computation: where and when it ran, and what it waited for.

    Parameters
    ----------
    compute_cycles : int
        In which its core works on it.
    inside_cycles : dict of str to int
        These by cause: the array or vector unit works, fill and drain, the port, ...; empty where the cycles are those
        of a closed form.
    energy_pj : dict of str to float
        Of its core by component.
    operand_pj : dict of str to float
        The same by operand.
    traffic_bytes : dict
        Of its core: level, tensor, ``read`` or ``write``.
    array_macs : int
        Products that its commands make; more than `macs` where a halo of rows is made twice.
    pe_macs : list, optional
        These by block rows and columns of PEs (`CoreRow.pe_regions` has the edges).
    active_cycles : int
        Its working cycles, and those of its array commands under the operator before: its rates are over these.
    utilisation : float
        Products over its active cycles and the multipliers of its core.
    """

    name: str
    part: str
    core: str
    macs: int
    start_cycle: int
    end_cycle: int
    compute_cycles: int
    stall_cycles: dict[str, int]
    dram_read_bytes: int
    dram_write_bytes: int
    inside_cycles: dict[str, int] = field(default_factory=dict)
    energy_pj: dict[str, float] = field(default_factory=dict)
    operand_pj: dict[str, float] = field(default_factory=dict)
    traffic_bytes: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    array_macs: int = 0
    pe_macs: list[list[int]] | None = None
    active_cycles: int = 0
    utilisation: float = 0.0


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One core over the whole run: `busy`, `idle` (nothing left or not yet begun) and stalls sum to the cycles.

    Parameters
    ----------
    inside_cycles : dict of str to int
        The busy cycles by cause, as of `OperatorRow`.
    utilisation : float
        MACs over the cycles of the run and the multipliers of the core.
    alone_cycles : int
        Of its commands back to back with every operand in the shared scratchpad; 0 where they were not run.
    peak_bytes : dict of str to int
        Most live bytes of each scratchpad in that run.
    pe_regions : dict, optional
        ``row_edges``, ``col_edges``, and per block of PEs its ``macs`` in the whole run and its ``multipliers``.
    """

    name: str
    busy_cycles: int
    idle_cycles: int
    stall_cycles: dict[str, int]
    macs: int = 0
    multipliers: int = 0
    utilisation: float = 0.0
    alone_cycles: int = 0
    inside_cycles: dict[str, int] = field(default_factory=dict)
    energy_pj: dict[str, float] = field(default_factory=dict)
    operand_pj: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    pe_regions: dict[str, Any] | None = None


def operator_rows(program: NetworkProgram, run: NetworkRun, runs: Mapping[str, CoreRun]) -> tuple[OperatorRow, ...]:
    """Return a row per computation, in the order of the tasks."""
    rows = []
    for task, span in zip(program.tasks, run.spans, strict=True):
        if isinstance(task, Compute):
            moved = [sum(size for _, size in flow) for flow in (task.stream_in, task.stream_out)]
            own = runs.get(task.core)
            inside: dict[str, Any] = {} if own is None else _inside(task, own)
            read, written = moved
            row = OperatorRow(
                *(task.operator, task.part, task.core, task.macs, span.start, span.end, task.cycles, dict(span.waits)),
                dram_read_bytes=read,
                dram_write_bytes=written,
            )
            rows.append(replace(row, **inside))
    return tuple(rows)


def _inside(task: Compute, own: CoreRun) -> dict[str, Any]:
    """Return the fields of `OperatorRow` that the commands of a core tell."""
    array = own.accelerator.core.array
    components, operands = _summed(own.energy_of(task))
    blocks = None
    if own.regions is not None:
        blocks = [[taken(macs, task.share) for macs in line] for line in own.regions.layer_macs[task.entry]]
    active = taken(own.active_cycles[task.entry], task.share) if own.times else task.cycles
    products = taken(own.macs[task.entry], task.share)
    return {
        "inside_cycles": inside_cycles(task, own),
        "energy_pj": components,
        "operand_pj": operands,
        "traffic_bytes": own.traffic_of(task),
        "array_macs": products,
        "pe_macs": blocks,
        "active_cycles": active,
        "utilisation": _share(products, active * array.multipliers),
    }


def inside_cycles(task: Compute, own: CoreRun) -> dict[str, int]:
    """Return the working cycles of `task` by cause; empty where its commands were not run."""
    if not own.times:
        return {}
    busy, stalls = own.cycles_of(task)
    named = {INSIDE.get(cause, cause): cycles for cause, cycles in stalls.items() if cycles}
    return {COMPUTE: busy, **dict(sorted(named.items()))}


def core_row(
    name: str, program: NetworkProgram, run: NetworkRun, runs: Mapping[str, CoreRun], cluster: Cluster
) -> CoreRow:
    """Return what a core did with every cycle of the run."""
    own = runs.get(name)
    busy, reached, macs = 0, 0, 0
    stalls: dict[str, int] = {}
    inside: dict[str, int] = {}
    energy: dict[tuple[str, str], Fraction] = {}
    times: dict[int, int] = {}
    for task, span in zip(program.tasks, run.spans, strict=True):
        if not isinstance(task, Compute) or task.core != name:
            continue
        busy += task.cycles
        macs += task.macs
        reached = max(reached, span.end)
        for cause, cycles in span.waits.items():
            stalls[cause] = stalls.get(cause, 0) + cycles
        if own is not None:
            times[task.entry] = times.get(task.entry, 0) + 1
            for cause, cycles in inside_cycles(task, own).items():
                inside[cause] = inside.get(cause, 0) + cycles
            for key, pj in own.energy_of(task).items():
                energy[key] = energy.get(key, Fraction(0)) + pj
    multipliers = cluster.core(name).core.array.multipliers
    components, operands = _summed(energy)
    return CoreRow(
        *(name, busy, run.cycles - reached, dict(sorted(stalls.items())), macs, multipliers),
        utilisation=_share(macs, run.cycles * multipliers),
        alone_cycles=0 if own is None else own.cycles,
        inside_cycles=dict(sorted(inside.items())),
        energy_pj=components,
        operand_pj=operands,
        peak_bytes={} if own is None else own.peak_bytes,
        pe_regions=None if own is None else _regions(own, times),
    )


def _regions(own: CoreRun, times: Mapping[int, int]) -> dict[str, Any] | None:
    """Return blocks of PEs with their MACs, entry i of the program run ``times[i]`` times."""
    regions = own.regions
    if regions is None:
        return None
    rows, cols = (list(pairwise(edges)) for edges in (regions.row_edges, regions.col_edges))
    macs = [
        [sum(n * regions.layer_macs[entry][i][j] for entry, n in times.items()) for j in range(len(cols))]
        for i in range(len(rows))
    ]
    kept = own.accelerator.core.array.kept
    return {
        "row_edges": list(regions.row_edges),
        "col_edges": list(regions.col_edges),
        "macs": macs,
        "multipliers": [[(b - a) * (d - c) * kept for c, d in cols] for a, b in rows],
    }


def _summed(energy: Mapping[tuple[str, str], Fraction]) -> tuple[dict[str, float], dict[str, float]]:
    """Return pJ by component and by operand."""
    found: tuple[dict[str, Fraction], dict[str, Fraction]] = ({}, {})
    for key, pj in energy.items():
        for sums, name in zip(found, key, strict=True):
            sums[name] = sums.get(name, Fraction(0)) + pj
    components, operands = ({name: float(pj) for name, pj in sorted(sums.items())} for sums in found)
    return components, operands


def _share(part: int, whole: int) -> float:
    return float(Fraction(part, whole)) if whole else 0.0
