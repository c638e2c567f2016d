"""The outcome of a network-level run: totals, a row per operator, cores, checks; schema ``tilewright.network/1``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from hw_models.cluster import Cluster
from mappers.network.program import Compute, NetworkProgram, computes
from sim.channel import READ, WRITE
from sim.dram.energy import summary
from sim.network.checks import execution_checks, metric_checks, require
from sim.network.cores import run_cores, with_core_times
from sim.network.energy import EnergyTable, by_component, by_operand, energy_table
from sim.network.engine import NetworkRun, run_network
from sim.network.laws import command_checks
from sim.network.noc import NocRun
from sim.network.over_time import NetworkOverTime, network_over_time
from sim.network.rows import CoreRow, OperatorRow, core_row, operator_rows
from sim.result import Check

SCHEMA = "tilewright.network/1"
FIRST_BYTES = "which part of a tensor a task moves that moves part of it: its first bytes are taken for the DRAM's rows"
CLOSED_FORM = "tiles inside an operator: its cycles are the layer mapper's bound with operands on chip"
BACK_TO_BACK = (
    "what a core loads ahead for its next operator while it waits for another core or DRAM: an operator's cycles are "
    "those of its commands in a run of all of its core's with every operand in the shared scratchpad"
)
FIXED_CHANNEL = "DRAM rows, banks and refresh: the channel has a fixed latency and bandwidth"
PORTS_APART = "conflicts of cores in the banks of the shared scratchpad; every core has a port of its own"
ON_CHIP = "conflicts in the banks of the shared scratchpad; topology and energy of the network on chip"
NOT_MODELLED = (
    "issue time of DMA descriptors; short and unaligned runs of whole-tensor transfers",
    "leakage, clock tree, control and wires in the energy",
)


@dataclass(frozen=True, slots=True)
class NetworkTotals:
    """Sums of a run; `utilisation` is MACs over cycles times the MACs of all arrays."""

    cycles: int
    time_s: float
    macs: int
    energy_pj: float
    dram_read_bytes: int
    dram_write_bytes: int
    utilisation: float
    peak_scratchpad_bytes: int


@dataclass(frozen=True)
class NetworkResult:
    """See the module docstring; `run` and `program` hold the raw times for plots and traces."""

    manifest: dict[str, Any]
    totals: NetworkTotals
    bounds: dict[str, int]
    energy_pj: dict[str, float]
    operators: tuple[OperatorRow, ...]
    cores: tuple[CoreRow, ...]
    placement: dict[str, Any]
    checks: tuple[Check, ...]
    program: NetworkProgram
    run: NetworkRun
    not_modelled: tuple[str, ...]
    dram: dict[str, Any] | None
    """What a DRAM with timing did; None, and absent from the file, for a channel of fixed latency."""
    component_pj: dict[str, float]
    operand_pj: dict[str, float]
    over_time: NetworkOverTime
    noc: dict[str, Any] | None = None
    """What a network on chip did; None, and absent from the file, where ports do not disturb each other."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "schema": SCHEMA,
            "manifest": self.manifest,
            "totals": asdict(self.totals),
            "bounds": self.bounds,
            "energy_pj": self.energy_pj,
            "component_pj": self.component_pj,
            "operand_pj": self.operand_pj,
            "operators": [asdict(row) for row in self.operators],
            "cores": [asdict(row) for row in self.cores],
            "placement": self.placement,
            "over_time": asdict(self.over_time),
            "occupancy": [list(point) for point in _last_per_cycle(self.run.memory.timeline)],
            "checks": [asdict(check) for check in self.checks],
            "not_modelled": list(self.not_modelled),
        } | {name: part for name, part in (("dram", self.dram), ("noc", self.noc)) if part is not None}


def _last_per_cycle(timeline: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (cycle, bytes live in the shared scratchpad) at every change, the last value of a cycle."""
    return list(dict(timeline).items())


def simulate_network(
    program: NetworkProgram,
    cluster: Cluster,
    manifest: dict[str, Any],
    placement: dict[str, Any],
    *,
    tiles: bool = True,
) -> NetworkResult:
    """Execute `program` on `cluster` and return the checked result.

    Parameters
    ----------
    tiles : bool
        Take the cycles of operators from a run of their commands, where the program has them; without it from the
        closed form of the layer mapper.

    Raises
    ------
    InternalError
        If the program is wrong or the run breaks its own physics (§3.9); `DeadlockError` names who waits on what.
    """
    runs = run_cores(program, cluster, timed=tiles)
    program = with_core_times(program, runs)
    run = run_network(program, cluster)
    clock = float(cluster.clock_mhz) * 1e6
    table = energy_table(program, cluster, run, runs)
    macs = sum(task.macs for task in computes(program.tasks))
    totals = NetworkTotals(
        cycles=run.cycles,
        time_s=run.cycles / clock,
        macs=macs,
        energy_pj=float(sum(table.values(), Fraction(0))),
        dram_read_bytes=run.moved_bytes[READ],
        dram_write_bytes=run.moved_bytes[WRITE],
        utilisation=macs / (run.cycles * cluster.macs_per_cycle) if run.cycles else 0.0,
        peak_scratchpad_bytes=run.memory.peak_bytes,
    )
    bounds = _bounds(program, cluster)
    rows = operator_rows(program, run, runs)
    cores = tuple(core_row(name, program, run, runs, cluster) for name in cluster.core_names)
    series = network_over_time(program, run, runs, cluster.core_names)
    checks = execution_checks(program, cluster, run, cores, bounds)
    checks += metric_checks(program, cluster, run, runs, rows, cores, table, series)
    checks += command_checks(program, cluster, run, runs, rows, table)
    require(program.workload, checks)
    timed = any(own.times for own in runs.values())
    return NetworkResult(
        *(manifest, totals, bounds, _groups(table), rows, cores, placement, checks, program, run),
        not_modelled=_not_modelled(run, timed, cluster),
        dram=None if run.dram is None else summary(run.dram, cluster),
        component_pj={part: float(pj) for part, pj in by_component(table).items()},
        operand_pj={part: float(pj) for part, pj in by_operand(table).items()},
        over_time=series,
        noc=None if run.noc is None else _noc(run.noc),
    )


def _noc(noc: NocRun) -> dict[str, Any]:
    """Return what passed the network on chip as plain data."""
    both = (("read", 0), ("write", 1))
    return {
        **{f"{way}_bytes": noc.asked_bytes[index] for way, index in both},
        **{f"{way}_busy_cycles": noc.busy_cycles[index] for way, index in both},
        "joined_words": noc.joined_words,
    }


def _groups(table: EnergyTable) -> dict[str, float]:
    """Return the energy of all cores with their ports, of the shared scratchpad's DMA side and of DRAM."""
    parts = by_component(table)
    outside = {name: parts.pop(name, Fraction(0)) for name in ("shared", "dram")}
    return {name: float(pj) for name, pj in {"cores": sum(parts.values(), Fraction(0)), **outside}.items()}


def _not_modelled(run: NetworkRun, timed: bool, cluster: Cluster) -> tuple[str, ...]:
    """Return what this run leaves out."""
    own = ", ".join(cluster.own_clocks())
    clocks = (f"synchronisers between the clock domains ({own} on their own)",) if own else ()
    lines = (BACK_TO_BACK if timed else CLOSED_FORM, PORTS_APART if run.noc is None else ON_CHIP, *clocks)
    lines += NOT_MODELLED
    if run.dram is None:
        return (*lines[:-1], FIXED_CHANNEL, lines[-1])
    return (*lines, FIRST_BYTES)


def _bounds(program: NetworkProgram, cluster: Cluster) -> dict[str, int]:
    """Return lower bounds of the cycles: the busiest core, the channel, the longest chain of waits."""
    busy: dict[str, int] = {}
    longest = [0] * len(program.tasks)
    for task in computes(program.tasks):
        busy[task.core] = busy.get(task.core, 0) + task.cycles
    for number, step in enumerate(program.tasks):
        before = max((longest[other] for other in step.after if other < number), default=0)
        longest[number] = before + (step.cycles if isinstance(step, Compute) else 0)
    read, written = (
        sum(part) for part in zip((0, 0), *(_at_port(task) for task in computes(program.tasks)), strict=True)
    )
    bus = (program.loaded_bytes + program.stored_bytes) / cluster.dram.bytes_per_cycle
    parts = {
        "core_cycles": max(busy.values(), default=0),
        "dram_cycles": int(bus),
        "chain_cycles": max(longest, default=0),
    }
    noc = cluster.noc
    if noc is not None:  # what several cores read as one may pass once
        parts["noc_cycles"] = max(0 if noc.multicast else read, written) // noc.bytes_per_cycle
    return {**parts, "lower_bound_cycles": max(parts.values())}


def _at_port(task: Compute) -> tuple[int, int]:
    return sum(size for _, size in task.port_in), task.port_out
