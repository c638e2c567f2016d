"""The outcome of a network-level run: totals, a row per operator, cores, checks; schema ``tilewright.network/1``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any

from hw_models.cluster import Cluster
from mappers.network.program import Compute, Load, NetworkProgram, Store, computes
from sim.channel import READ, WRITE
from sim.dram.energy import counted_pj, standby_pj, summary
from sim.network.engine import NetworkRun, run_network
from sim.result import Check
from workloads.errors import InternalError

SCHEMA = "tilewright.network/1"
FIRST_BYTES = "which part of a tensor a task moves that moves part of it: its first bytes are taken for the DRAM's rows"
NOT_MODELLED = (
    "tiles inside an operator: its cycles are the layer mapper's bound with operands on chip",
    "conflicts of cores in the banks of the shared scratchpad; every core has a port of its own",
    "issue time of DMA descriptors; short and unaligned runs of whole-tensor transfers",
    "DRAM rows, banks and refresh: the channel has a fixed latency and bandwidth",
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


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One computation: where and when it ran, and what it waited for."""

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


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One core over the whole run: `busy`, `idle` (nothing left or not yet begun) and stalls sum to the cycles."""

    name: str
    busy_cycles: int
    idle_cycles: int
    stall_cycles: dict[str, int]


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
    not_modelled: tuple[str, ...] = field(default=NOT_MODELLED)
    dram: dict[str, Any] | None = None
    """What a DRAM with timing did; None, and absent from the file, for a channel of fixed latency."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "schema": SCHEMA,
            "manifest": self.manifest,
            "totals": asdict(self.totals),
            "bounds": self.bounds,
            "energy_pj": self.energy_pj,
            "operators": [asdict(row) for row in self.operators],
            "cores": [asdict(row) for row in self.cores],
            "placement": self.placement,
            "occupancy": [list(point) for point in _last_per_cycle(self.run.memory.timeline)],
            "checks": [asdict(check) for check in self.checks],
            "not_modelled": list(self.not_modelled),
        } | ({} if self.dram is None else {"dram": self.dram})


def _last_per_cycle(timeline: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (cycle, bytes live in the shared scratchpad) at every change, the last value of a cycle."""
    return list(dict(timeline).items())


def simulate_network(
    program: NetworkProgram, cluster: Cluster, manifest: dict[str, Any], placement: dict[str, Any]
) -> NetworkResult:
    """Execute `program` on `cluster` and return the checked result.

    Raises
    ------
    InternalError
        If the program is wrong or the run breaks its own physics (§3.9); `DeadlockError` names who waits on what.
    """
    run = run_network(program, cluster)
    clock = float(cluster.clock_mhz) * 1e6
    energy = _energy(program, cluster, run)
    macs = sum(task.macs for task in computes(program.tasks))
    total = sum(energy.values(), Fraction(0))
    totals = NetworkTotals(
        cycles=run.cycles,
        time_s=run.cycles / clock,
        macs=macs,
        energy_pj=float(total),
        dram_read_bytes=run.moved_bytes[READ],
        dram_write_bytes=run.moved_bytes[WRITE],
        utilisation=macs / (run.cycles * cluster.macs_per_cycle) if run.cycles else 0.0,
        peak_scratchpad_bytes=run.memory.peak_bytes,
    )
    bounds = _bounds(program, cluster)
    rows = _operators(program, run)
    cores = tuple(_core(name, program, run) for name in cluster.core_names)
    checks = _checks(program, cluster, run, cores, bounds)
    for check in checks:
        if not check.ok:
            raise InternalError(
                f"network run of '{program.workload}': law '{check.name}' is violated, {check.detail}; "
                "the result is withheld"
            )
    plain = {part: float(pj) for part, pj in energy.items()}
    result = NetworkResult(manifest, totals, bounds, plain, rows, cores, placement, checks, program, run)
    if run.dram is None:
        return result
    left = (*(line for line in NOT_MODELLED if not line.startswith("DRAM rows")), FIRST_BYTES)
    return replace(result, not_modelled=left, dram=summary(run.dram, cluster))


def _energy(program: NetworkProgram, cluster: Cluster, run: NetworkRun) -> dict[str, Fraction]:
    """Return the energy of cores with their ports, of the shared scratchpad's DMA side, and of DRAM, in pJ.

    What a core streams passes the shared scratchpad too, but for weights; those are told by their name.
    """
    shared, cores = cluster.shared, sum((t.energy_pj for t in computes(program.tasks)), Fraction(0))
    written = sum(t.size_bytes for t in program.tasks if isinstance(t, Load))
    read = sum(t.size_bytes for t in program.tasks if isinstance(t, Store))
    for task in computes(program.tasks):
        written += sum(size for name, size in task.stream_in if name != f"{task.operator}.weights")
        read += sum(size for _, size in task.stream_out)
    moved = program.loaded_bytes + program.stored_bytes
    return {
        "cores": cores,
        "shared": written * shared.write_pj_per_byte + read * shared.read_pj_per_byte,
        "dram": _dram_pj(moved, cluster, run),
    }


def _dram_pj(moved_bytes: int, cluster: Cluster, run: NetworkRun) -> Fraction:
    """Return the energy of the DRAM: of its commands and standby where these are known, else by the byte."""
    if run.dram is None or cluster.dram.command_energy is None:
        return moved_bytes * cluster.dram.energy_pj_per_byte
    return standby_pj(run.dram, cluster) + counted_pj(run.dram.total, cluster)


def _bounds(program: NetworkProgram, cluster: Cluster) -> dict[str, int]:
    """Return lower bounds of the cycles: the busiest core, the channel, the longest chain of waits."""
    busy: dict[str, int] = {}
    longest = [0] * len(program.tasks)
    for task in computes(program.tasks):
        busy[task.core] = busy.get(task.core, 0) + task.cycles
    for number, step in enumerate(program.tasks):
        before = max((longest[other] for other in step.after if other < number), default=0)
        longest[number] = before + (step.cycles if isinstance(step, Compute) else 0)
    bus = (program.loaded_bytes + program.stored_bytes) / cluster.dram.bytes_per_cycle
    parts = {
        "core_cycles": max(busy.values(), default=0),
        "dram_cycles": int(bus),
        "chain_cycles": max(longest, default=0),
    }
    return {**parts, "lower_bound_cycles": max(parts.values())}


def _operators(program: NetworkProgram, run: NetworkRun) -> tuple[OperatorRow, ...]:
    rows = []
    for task, span in zip(program.tasks, run.spans, strict=True):
        if isinstance(task, Compute):
            moved = tuple(sum(size for _, size in flow) for flow in (task.stream_in, task.stream_out))
            rows.append(
                OperatorRow(
                    *(task.operator, task.part, task.core, task.macs, span.start, span.end, task.cycles),
                    dict(span.waits),
                    *moved,
                )
            )
    return tuple(rows)


def _core(name: str, program: NetworkProgram, run: NetworkRun) -> CoreRow:
    """Return what a core did with every cycle of the run."""
    busy, reached = 0, 0
    stalls: dict[str, int] = {}
    for task, span in zip(program.tasks, run.spans, strict=True):
        if isinstance(task, Compute) and task.core == name:
            busy += task.cycles
            reached = max(reached, span.end)
            for cause, cycles in span.waits.items():
                stalls[cause] = stalls.get(cause, 0) + cycles
    return CoreRow(name, busy, run.cycles - reached, dict(sorted(stalls.items())))


def _checks(
    program: NetworkProgram, cluster: Cluster, run: NetworkRun, cores: tuple[CoreRow, ...], bounds: dict[str, int]
) -> tuple[Check, ...]:
    """Return every law with its outcome; overlap and reads before completion end the run itself."""
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
