"""Laws of what operators count, recomputed from the commands of the cores and the workload, never copied (§3.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from hw_models.cluster import Cluster
from mappers.commands import LoadCommand, StoreCommand, VectorCommand
from mappers.kinds import Kinds, kinds_of
from mappers.network.program import Compute, NetworkProgram, computes
from sim.energy import byte_energy_pj
from sim.network.cores import PORT, CoreRun, taken
from sim.network.energy import EnergyTable
from sim.network.engine import NetworkRun
from sim.result import Check

if TYPE_CHECKING:
    from sim.network.rows import OperatorRow


def command_checks(
    program: NetworkProgram,
    cluster: Cluster,
    run: NetworkRun,
    runs: Mapping[str, CoreRun],
    operators: Sequence[OperatorRow],
    table: EnergyTable,
) -> tuple[Check, ...]:
    """Return the laws; `operators` has a row for every computation of `program`, in order."""
    tasks = tuple(computes(program.tasks))
    return (
        _macs(program, operators),
        _energy(tasks, program, cluster, run, runs, table),
        _counts(tasks, program, runs, operators),
    )


def _macs(program: NetworkProgram, operators: Sequence[OperatorRow]) -> Check:
    """Return the law of MACs: every item makes the workload's, and commands no others but halos of stripes."""
    name = "MACs of the operators are the workload's, those of their commands the same or a halo more"
    given: dict[str, int] = {}
    made: dict[str, int] = {}
    striped: dict[str, bool] = {}
    for row in operators:
        given[row.name] = given.get(row.name, 0) + row.macs
        made[row.name] = made.get(row.name, 0) + row.array_macs
        striped[row.name] = striped.get(row.name, False) or row.part.startswith("rows")
    wanted = program.operator_macs
    items = {divmod(given.get(op, 0), macs) for op, macs in wanted.items() if macs}
    ok = len(items) <= 1 and all(rest == 0 and count > 0 for count, rest in items)
    if program.cores:
        ok = ok and all(made[op] == macs or (striped[op] and made[op] > macs) for op, macs in given.items())
    return Check(name, ok, f"{sum(given.values())} of {sum(wanted.values())} an item, commands {sum(made.values())}")


def _energy(
    tasks: Sequence[Compute],
    program: NetworkProgram,
    cluster: Cluster,
    run: NetworkRun,
    runs: Mapping[str, CoreRun],
    table: EnergyTable,
) -> Check:
    """Return the law of energy: of the cores from bytes, MACs and lane operations, of DRAM from the bytes moved."""
    name = "energy is that of the bytes, MACs and lane operations of the commands, and of the bytes of DRAM"
    entries = {core: _entry_energies(own, _kinds(program, core, own)) for core, own in runs.items()}
    exact = Fraction(0)
    for task in tasks:
        low, high, whole = task.share
        exact += entries[task.core][task.entry] * (high - low) / whole if task.core in entries else task.energy_pj
    inside = sum((pj for (part, _), pj in table.items() if part not in ("shared", "dram")), Fraction(0))
    dram = sum((pj for (part, _), pj in table.items() if part == "dram"), Fraction(0))
    counted = run.dram is not None and cluster.dram.command_energy is not None
    ok = inside == exact and (counted or dram == sum(run.moved_bytes) * cluster.dram.energy_pj_per_byte)
    return Check(name, ok, f"cores {float(inside):.6g} of {float(exact):.6g} pJ, DRAM {float(dram):.6g} pJ")


def _entry_energies(own: CoreRun, kinds: Kinds) -> list[Fraction]:
    """Return the energy of every entry of a core's program, from what its commands move and compute."""
    core = own.accelerator.core
    exact = [macs * Fraction(core.array.mac_pj) for macs in own.macs]
    for command, times in zip(kinds.samples, kinds.times, strict=True):
        if isinstance(command, VectorCommand):
            exact[command.layer] += times * command.operations * core.vector.op_pj
    for level, (read, write) in byte_energy_pj(own.accelerator).items():
        for entry, traffic in enumerate(own.traffic):
            flows = traffic[PORT if level == "dram" else level].values()
            exact[entry] += sum((flow["read"] * read + flow["write"] * write for flow in flows), Fraction(0))
    return exact


def _counts(
    tasks: Sequence[Compute], program: NetworkProgram, runs: Mapping[str, CoreRun], operators: Sequence[OperatorRow]
) -> Check:
    """Return the law of counts: rows have their shares of what cores did, and ports moved what commands move."""
    wrong = []
    for core, own in runs.items():
        kinds = _kinds(program, core, own)
        asked = [
            kinds.total(lambda c: c.bytes if isinstance(c, LoadCommand) else 0),
            kinds.total(lambda c: c.bytes if isinstance(c, StoreCommand) else 0),
        ]
        flows = [flow for traffic in own.traffic for flow in traffic[PORT].values()]
        if asked != [sum(flow[way] for flow in flows) for way in ("read", "write")]:
            wrong.append(f"port of {core}")
        if any(time.compute_cycles + sum(time.stall_cycles.values()) != time.cycles for time in own.times):
            wrong.append(f"cycles of {core}")
    for task, row in zip(tasks, operators, strict=True):
        if task.core not in runs:
            continue
        own = runs[task.core]
        for level, moved in own.traffic[task.entry].items():
            parts = sum(taken(size, task.share) for flow in moved.values() for size in flow.values())
            if parts != sum(size for flow in row.traffic_bytes[level].values() for size in flow.values()):
                wrong.append(f"{level} bytes of {task.name}")
        if own.times:
            time = own.times[task.entry]
            cycles = (time.compute_cycles, *time.stall_cycles.values())
            if row.compute_cycles != sum(taken(part, task.share) for part in cycles):
                wrong.append(f"cycles of {task.name}")
    name = "bytes and cycles of the operators are those of their commands"
    return Check(name, not wrong, f"{len(operators)} operators, that differ: {', '.join(wrong[:3]) or 'none'}")


def _kinds(program: NetworkProgram, core: str, own: CoreRun) -> Kinds:
    return kinds_of(program.cores[core], own.accelerator.dram.beat_bytes)
