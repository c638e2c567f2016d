"""What the cores of a cluster do inside their operators: the single machine's event model, one run per core.

A core of a cluster is a machine whose memory is its port to the shared scratchpad. Its commands run back to back with
every operand there (`sim.machine`), so weights of the next operator load while one computes; each operator's part of
that run (`sim.attribution`) is its cycles, split by cause. What it moves, computes and pays is counted from the same
commands (`sim.energy`, `sim.pe_map`). What an operator waits for beyond that - other cores, DRAM - is the network's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from weakref import ref

from hw_models.accelerator import Accelerator
from hw_models.cluster import Cluster
from mappers.commands import Program
from mappers.network.program import Compute, NetworkProgram, Task
from sim.attribution import LayerTime, attribute
from sim.collector import paused
from sim.energy import Traffic, byte_energy_pj, count
from sim.machine import run_program
from sim.pe_map import PERegions, pe_macs, regions_of
from sim.simulation import first_array_issue

PORT = "port"
"""Name of the level that a core's own view calls its DRAM."""
LEVELS = ("port", "input", "weight", "accumulator", "staging")
COMPONENTS = ("mac", "vector", *LEVELS)
ARITHMETIC = "arithmetic"
OPERANDS = ("input", "weight", "output", ARITHMETIC)


@dataclass(frozen=True)
class CoreRun:
    """One core's commands back to back, every operand in the shared scratchpad.

    Parameters
    ----------
    cycles : int
        Of the whole run; 0 where only counts were asked for.
    times : tuple of LayerTime
        Per entry of the core's program; empty where only counts were asked for.
    active_cycles : tuple of int
        Per entry, its cycles and those of its array commands that lie in the time of the entry before: what its rates
        are over.
    traffic : tuple of Traffic
        Per entry and level of `LEVELS`, bytes by tensor and direction.
    energy_pj : tuple of dict
        Per entry, exact, by (component of `COMPONENTS`, operand of `OPERANDS`).
    macs : tuple of int
        Per entry, as the commands make them.
    regions : PERegions, optional
        Useful MACs of blocks of PEs per entry; None on row-stationary arrays.
    peak_bytes : dict of str to int
        Most live bytes of each memory.
    live_bytes : tuple of dict
        Per entry, the most live bytes of each memory in its time; empty where only counts were asked for.
    """

    accelerator: Accelerator
    cycles: int
    times: tuple[LayerTime, ...]
    active_cycles: tuple[int, ...]
    traffic: tuple[Traffic, ...]
    energy_pj: tuple[dict[tuple[str, str], Fraction], ...]
    macs: tuple[int, ...]
    regions: PERegions | None
    peak_bytes: dict[str, int]
    live_bytes: tuple[dict[str, int], ...]

    def cycles_of(self, task: Compute) -> tuple[int, dict[str, int]]:
        """Return the cycles of `task` in which the array or vector unit works, and the others by cause."""
        time = self.times[task.entry]
        return taken(time.compute_cycles, task.share), {
            cause: taken(cycles, task.share) for cause, cycles in time.stall_cycles.items()
        }

    def energy_of(self, task: Compute) -> dict[tuple[str, str], Fraction]:
        """Return the energy of `task` by component and operand, in pJ, exact."""
        low, high, whole = task.share
        return {part: pj * (high - low) / whole for part, pj in self.energy_pj[task.entry].items()}

    def traffic_of(self, task: Compute) -> Traffic:
        """Return the bytes of `task` by level, tensor and direction."""
        return {
            level: {
                tensor: {way: taken(moved, task.share) for way, moved in flow.items()} for tensor, flow in flows.items()
            }
            for level, flows in self.traffic[task.entry].items()
        }


def taken(count: int, share: tuple[int, int, int]) -> int:
    """Return the part of `count` that falls to `share`; the parts of all shares of a whole sum to it."""
    low, high, whole = share
    return count * high // whole - count * low // whole


def run_cores(program: NetworkProgram, cluster: Cluster, *, timed: bool = True) -> dict[str, CoreRun]:
    """Return what every core of `program` does; empty if the program has no commands.

    Parameters
    ----------
    timed : bool
        Run the commands; without it they are counted only.
    """
    with paused():
        return {name: core_run(own, cluster.core(name), timed) for name, own in program.cores.items()}


_KNOWN: dict[int, tuple[ref[Program], list[tuple[Accelerator, bool, CoreRun]]]] = {}


def core_run(program: Program, core: Accelerator, timed: bool) -> CoreRun:
    """Return the run of `program`, made once as long as it lives: equal cores and plans share programs."""
    key = id(program)
    found = _KNOWN.get(key)
    if found is None or found[0]() is not program:
        found = _KNOWN[key] = ref(program, lambda _: _KNOWN.pop(key, None)), []
    for other, was_timed, run in found[1]:
        if was_timed == timed and _equal(other, core):
            return run
    found[1].append((core, timed, _run(program, core, timed)))
    return found[1][-1][2]


def _equal(a: Accelerator, b: Accelerator) -> bool:
    return a is b or (a.dram == b.dram and replace(a.core, name="") == replace(b.core, name=""))


def _run(program: Program, core: Accelerator, timed: bool) -> CoreRun:
    ledgers = count(program, core)
    per_byte = byte_energy_pj(core)
    energies = []
    for ledger in ledgers:
        work = {
            "mac": ledger.macs * core.core.array.mac_pj,
            "vector": ledger.vector_operations * core.core.vector.op_pj,
        }
        parts = {(part, ARITHMETIC): Fraction(pj) for part, pj in work.items()}
        for level, flows in ledger.traffic.items():
            read, write = per_byte[level]
            for tensor, flow in flows.items():
                key = PORT if level == "dram" else level, _operand(ledger.traffic, tensor)
                parts[key] = parts.get(key, Fraction(0)) + flow["read"] * read + flow["write"] * write
        energies.append(parts)
    planes = pe_macs(program, core)
    regions = None if planes is None else regions_of(planes, core)
    cycles, peaks = 0, dict[str, int]()
    times: tuple[LayerTime, ...] = ()
    active: tuple[int, ...] = ()
    live: tuple[dict[str, int], ...] = ()
    if timed and program.commands:
        run = run_program(program, core)
        cycles, times = run.cycles, tuple(attribute(program, run, core))
        active = tuple(
            time.end_cycle - min(time.window_start_cycle, time.window_start_cycle if first is None else first)
            for time, first in zip(times, first_array_issue(program, run, core), strict=True)
        )
        live = tuple(most_live(run.occupancy, [(time.window_start_cycle, time.end_cycle) for time in times]))
        for _, memory, held in run.occupancy:
            peaks[str(memory)] = max(peaks.get(str(memory), 0), held)
    traffic = tuple(
        {PORT if level == "dram" else level: flows for level, flows in ledger.traffic.items()} for ledger in ledgers
    )
    macs = tuple(ledger.macs for ledger in ledgers)
    return CoreRun(
        *(core, cycles, times, active, traffic, tuple(energies), macs, regions),
        *(dict(sorted(peaks.items())), live),
    )


def most_live(changes: Sequence[tuple[int, str, int]], windows: Sequence[tuple[int, int]]) -> list[dict[str, int]]:
    """Return the most live bytes of each memory in every window, carried over windows without a change.

    Parameters
    ----------
    changes : sequence of (cycle, memory, bytes live from then on)
    windows : sequence of (start, end)
        One after the other; what changes at the end of one belongs to the next.
    """
    found: list[dict[str, int]] = [{} for _ in windows]
    by_memory: dict[str, list[tuple[int, int]]] = {}
    for cycle, memory, held in changes:
        by_memory.setdefault(str(memory), []).append((cycle, held))
    for memory in sorted(by_memory):
        # of several changes in one cycle the last holds
        own, at, held = sorted(dict(by_memory[memory]).items()), 0, 0
        for place, (start, end) in enumerate(windows):
            while at < len(own) and own[at][0] <= start:
                held, at = own[at][1], at + 1
            most = held if start < end else 0
            while at < len(own) and own[at][0] < end:
                held, at = own[at][1], at + 1
                most = max(most, held)
            found[place][memory] = most
    return found


def _operand(traffic: Traffic, tensor: str) -> str:
    """Return what `tensor` is to an operator: weights lie in the weight scratchpad, outputs are summed or written."""
    if tensor in traffic["weight"]:
        return "weight"
    written = traffic["dram"].get(tensor, {}).get("write", 0)
    return "output" if tensor in traffic["accumulator"] or written else "input"


def with_core_times(program: NetworkProgram, runs: Mapping[str, CoreRun]) -> NetworkProgram:
    """Return `program` with what `runs` found for every computation: energy, bytes at the port, cycles if timed."""

    def changed(task: Task) -> Task:
        if not isinstance(task, Compute) or task.core not in runs:
            return task
        own = runs[task.core]
        flows = own.traffic_of(task)[PORT]
        task = replace(
            task,
            energy_pj=sum(own.energy_of(task).values(), Fraction(0)),
            port_in=tuple((tensor, flow["read"]) for tensor, flow in flows.items() if flow["read"]),
            port_out=sum(flow["write"] for flow in flows.values()),
        )
        if not own.times:
            return task
        busy, stalls = own.cycles_of(task)
        return replace(task, cycles=busy + sum(stalls.values()))

    return replace(program, tasks=tuple(changed(task) for task in program.tasks))
