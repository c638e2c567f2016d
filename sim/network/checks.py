"""The laws that every run on a cluster is held to (§3.9); overlap and reads before completion end the run itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from hw_models.cluster import Cluster
from mappers.network.program import Load, NetworkProgram, Store, computes
from sim.channel import READ, WRITE
from sim.network.cores import CoreRun
from sim.network.energy import EnergyTable
from sim.network.engine import NetworkRun
from sim.network.over_time import NetworkOverTime
from sim.result import Check
from workloads.errors import InternalError

if TYPE_CHECKING:
    from sim.network.rows import CoreRow, OperatorRow


def require(workload: str, checks: Sequence[Check]) -> None:
    """Raise `InternalError` on the first law that does not hold."""
    for check in checks:
        if not check.ok:
            raise InternalError(
                f"network run of '{workload}': law '{check.name}' is violated, {check.detail}; the result is withheld"
            )


def execution_checks(
    program: NetworkProgram, cluster: Cluster, run: NetworkRun, cores: Sequence[CoreRow], bounds: Mapping[str, int]
) -> tuple[Check, ...]:
    """Return the laws of tasks, channel, scratchpad and time."""
    wanted = [program.loaded_bytes, program.stored_bytes]
    beat = cluster.dram.beat_bytes
    units = [sum(end - start for stream, start, end in run.bus if stream == way) for way in (READ, WRITE)]
    if run.dram is None:
        per_beat = cluster.dram.beats_cycles(1) * run.bus_units
        beats = [int(Fraction(part) / per_beat) for part in units]
    else:
        beats = [run.dram.total.reads, run.dram.total.writes]
    least = [-(-size // beat) for size in wanted]
    summed = [row.busy_cycles + row.idle_cycles + sum(row.stall_cycles.values()) for row in cores]
    bus_order = all(a[2] <= b[1] for a, b in zip(run.bus, run.bus[1:], strict=False))
    done = [span for span in run.spans if 0 <= span.ready <= span.start <= span.end <= span.done]
    whole = all(
        task.size_bytes <= program.regions[task.region].size_bytes
        for task in program.tasks
        if isinstance(task, Load | Store)
    )
    return (
        Check("every task ran once, in order of its times", len(done) == len(run.spans), f"{len(done)} tasks"),
        Check("DRAM bytes asked for are the bytes moved", run.moved_bytes == wanted, f"{run.moved_bytes} of {wanted}"),
        Check(
            "the channel moved at least the beats of these bytes, never two at once",
            bus_order and all(a >= b for a, b in zip(beats, least, strict=True)),
            f"{beats} beats, least {least}",
        ),
        Check(
            "the shared scratchpad never held more than its capacity",
            run.memory.peak_bytes <= program.capacity_bytes,
            f"{run.memory.peak_bytes} of {program.capacity_bytes}",
        ),
        Check(
            "every region was taken and given back",
            run.memory.empty and len(run.memory.stays) == len(program.regions),
            f"{len(run.memory.stays)} of {len(program.regions)} regions",
        ),
        Check("transfers fit their regions", whole, f"{len(program.regions)} regions"),
        Check(
            "cycles are at least every lower bound",
            run.cycles >= bounds["lower_bound_cycles"],
            f"{run.cycles} >= {bounds['lower_bound_cycles']}",
        ),
        Check(
            "busy, stalled and idle cycles of each core sum to the run",
            all(s == run.cycles for s in summed),
            f"{summed} of {run.cycles}",
        ),
    )


def _on_chip(program: NetworkProgram, cluster: Cluster, run: NetworkRun) -> Check:
    """Return the law of the network on chip: it moves, or joins, at least the words of what passes the ports."""
    name = "the network on chip moves the words of what passes the ports"
    if run.noc is None or cluster.noc is None:
        return Check(name, True, "there is none")
    tasks = computes(program.tasks)
    wanted = (sum(size for task in tasks for _, size in task.port_in), sum(task.port_out for task in tasks))
    words = (run.noc.busy_cycles[0] + run.noc.joined_words, run.noc.busy_cycles[1])
    least = tuple(-(-size // cluster.noc.bytes_per_cycle) for size in wanted)
    ok = run.noc.asked_bytes == wanted and all(a >= b for a, b in zip(words, least, strict=True))
    return Check(name, ok, f"{words} words for {wanted} bytes, least {least}")


def metric_checks(
    program: NetworkProgram,
    cluster: Cluster,
    run: NetworkRun,
    runs: Mapping[str, CoreRun],
    operators: Sequence[OperatorRow],
    cores: Sequence[CoreRow],
    table: EnergyTable,
    series: NetworkOverTime,
) -> tuple[Check, ...]:
    """Return the laws of what is counted inside operators and over time."""
    whole = sum((task.energy_pj for task in computes(program.tasks)), Fraction(0))
    outside = {"shared", "dram"}
    inside = sum((pj for (component, _), pj in table.items() if component not in outside), Fraction(0))
    moved = [sum(series.read_bytes["dram"]), sum(series.write_bytes["dram"])]
    levels = {level for row in operators for level in row.traffic_bytes}
    wrong = [
        f"{level} {way}"
        for level in sorted(levels)
        for way, over in (("read", series.read_bytes), ("write", series.write_bytes))
        if sum(over[level]) != sum(flow[way] for row in operators for flow in row.traffic_bytes[level].values())
    ]
    busy = [sum(series.busy_cycles[row.name]) == row.busy_cycles for row in cores]
    split = [sum(row.inside_cycles.values()) == row.compute_cycles for row in operators if row.inside_cycles]
    blocks = [row for row in operators if row.pe_macs is not None]
    slots = [
        macs <= run.cycles * place
        for row in cores
        if row.pe_regions is not None
        for line, places in zip(row.pe_regions["macs"], row.pe_regions["multipliers"], strict=True)
        for macs, place in zip(line, places, strict=True)
    ]
    chained = [own for name, own in sorted(runs.items()) if own.times]
    parts = [sum(time.cycles for time in own.times) == own.cycles for own in chained]
    used = [*(row.utilisation for row in cores), *(row.utilisation for row in operators if row.inside_cycles)]
    return (
        Check(
            "energies of components and operands sum to that of the tasks", inside == whole, f"{float(whole):.6g} pJ"
        ),
        Check(
            "bytes and busy cycles of the windows sum to the totals",
            moved == run.moved_bytes and not wrong and all(busy),
            f"{len(series.bus_cycles)} windows, levels that differ: {wrong or 'none'}",
        ),
        Check(
            "an operator's cycles are its commands' by cause, and those of a core's commands sum to their run",
            all(split) and all(parts),
            f"{len(split)} operators, {len(parts)} cores",
        ),
        Check(
            "MACs of the PE regions sum to each operator's, none above its slots",
            all(sum(map(sum, row.pe_macs or ())) == row.array_macs for row in blocks) and all(slots),
            f"{len(blocks)} operators, {len(slots)} regions",
        ),
        _on_chip(program, cluster, run),
        Check("utilisation is at most 1", max(used, default=0.0) <= 1, f"{max(used, default=0.0):.6f} at most"),
    )
