"""Covers: the event model where closed forms cannot tell two designs apart.

Scenario: pairs of designs with the same bytes, the same compute and therefore the same closed-form bound.
Expected: per pair the bound, the two event times, and what the trace says about the difference.
Run: python examples/why_events.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from hw_models.streaming.stages import MatrixVector, Source
from mappers.commands import AnyCommand, LayerRecord, LoadCommand, Program, Slot, StoreCommand, Transfer, VectorCommand
from mappers.given import GivenPlan
from mappers.mapping import Mapping, TileLoop
from mappers.plan import make_plan
from sim.machine import run_program
from sim.pipeline import chain, run_pipeline
from sim.raw_run import Run
from sim.shared_memory import run_shared
from sim.simulation import bounds_of
from workloads.builder import NetworkBuilder

Step = tuple[Transfer, int]
"""(what is loaded, cycles of vector work on it)."""
KIB = 1024


@dataclass(frozen=True)
class Case:
    """Two designs: what closed forms say of both, what the event model says of each, and why."""

    name: str
    bound_cycles: tuple[int, int]
    first: tuple[str, int]
    second: tuple[str, int]
    why: str


def program_of(steps: Sequence[Step], machine: Accelerator) -> Program:
    """Return load, work, store of every step, double buffered."""
    commands: list[AnyCommand] = []
    lanes = machine.core.vector.lanes
    for index, (transfer, cycles) in enumerate(steps):
        half, n = index % 2, index + 1
        operand = Slot("operand", half, 0, transfer.bytes, 2 * index)
        output = Slot("output", half, 0, 64, 2 * index + 1)
        before: Any = (("vector", n - 2),) if n > 2 else ()
        commands.append(LoadCommand(0, before, (), (operand,), (), "x", (transfer,)))
        rows = cycles - machine.core.vector.latency_cycles
        drained: Any = (("store", n - 2),) if n > 2 else ()
        commands.append(
            VectorCommand(
                0, (("load", n), *drained), (operand,), (output,), (operand,), "scale", rows, lanes, 1, 0,
                rows * lanes, (transfer.bytes,), (64,), ("x",), ("y",),
            )
        )  # fmt: skip
        result = Transfer((1 << 24) + 64 * index, 64)
        commands.append(StoreCommand(0, (("vector", n),), (output,), (), (output,), "y", (result,)))
    record = LayerRecord("steps", "scale", (), (), 0, "vector unit")
    return Program("steps", machine.name, (record,), tuple(commands), 1 << 25)


def bound(steps: Sequence[Step], machine: Accelerator) -> int:
    """Return the closed-form lower bound of `steps`."""
    return bounds_of(program_of(steps, machine), machine).lower_bound_cycles


def contiguous(count: int, size: int = 8 * KIB, work: int = 64, start: int = 0) -> list[Step]:
    """Return loads of consecutive tiles."""
    return [(Transfer(start + index * size, size), work) for index in range(count)]


def gaps(run: Run) -> dict[str, int]:
    """Return the idle ticks of the DRAM's data bus by cause."""
    assert run.dram is not None
    return {cause: ticks for cause, ticks in run.dram.total.gap_ticks.items() if ticks}


def two_cores() -> Case:
    """Two cores whose hungry phases meet, or alternate."""
    machine = load_accelerator("edge_int8", ["dram.bandwidth=8B/cycle"])
    hungry, busy = contiguous(16), contiguous(16, 256, 1200, 1 << 20)
    same = run_shared([program_of(hungry + busy, machine)] * 2, [machine] * 2)
    turns = run_shared([program_of(hungry + busy, machine), program_of(busy + hungry, machine)], [machine] * 2)
    plain = bounds_of(program_of(hungry + busy, machine), machine)
    together = max(2 * plain.dram_cycles, plain.vector_cycles)
    waits = [sum(s.end - s.issue for s in r.spans) for r in (same.runs[1], turns.runs[1])]
    return Case(
        "two cores on one channel", (together, together),
        ("phases meet", same.cycles), ("phases alternate", turns.cycles),
        f"commands of core 1 in flight for {waits[0]} and {waits[1]} cycles: both load at once, or one loads while the "
        f"other works",
    )  # fmt: skip


def bank_layout() -> Case:
    """Two tensors read in turn, a row apart in one bank or in different banks."""
    machine = load_accelerator("edge_ddr4")
    row = 1 << 17  # a full turn over banks and groups: the same bank, the next row

    def steps(distance: int) -> list[Step]:
        return [(Transfer(256 * index, 64, (4, 2), (256, distance)), 16) for index in range(64)]

    clash, apart = steps(row), steps(row + (1 << 15))
    runs = [run_program(program_of(s, machine), machine) for s in (clash, apart)]
    return Case(
        "layouts that meet in one bank", (bound(clash, machine), bound(apart, machine)),
        ("same bank", runs[0].cycles), ("another bank", runs[1].cycles),
        f"idle ticks of the data bus: {gaps(runs[0])} against {gaps(runs[1])}",
    )  # fmt: skip


def row_misses() -> Case:
    """The same bytes as one run, or as single bursts a row apart."""
    machine = load_accelerator("edge_ddr4")
    scattered = [(Transfer(index * 64, 64, (128,), (1 << 17,)), 64) for index in range(8)]
    runs = [run_program(program_of(s, machine), machine) for s in (contiguous(8), scattered)]
    counts = [run.dram.total for run in runs if run.dram is not None]
    return Case(
        "row hits and row misses", (bound(contiguous(8), machine), bound(scattered, machine)),
        ("one run per tile", runs[0].cycles), ("a burst per row", runs[1].cycles),
        f"activates {counts[0].activates} against {counts[1].activates}",
    )  # fmt: skip


def refresh() -> Case:
    """The same stream with and without refresh."""
    machine = load_accelerator("edge_ddr4")
    quiet = load_accelerator("edge_ddr4", ["dram.refresh=false"])
    steps = contiguous(256)
    runs = [run_program(program_of(steps, m), m) for m in (quiet, machine)]
    refreshes = [run.dram.total.refreshes for run in runs if run.dram is not None]
    return Case(
        "refresh", (bound(steps, quiet), bound(steps, machine)),
        ("off", runs[0].cycles), ("on", runs[1].cycles),
        f"refreshes {refreshes[0]} against {refreshes[1]}, "
        f"bus idle after them for {gaps(runs[1]).get('refresh', 0)} ticks",
    )  # fmt: skip


def turnaround() -> Case:
    """Loads and stores in long or in short batches of one direction."""
    long = load_accelerator("edge_ddr4")
    short = load_accelerator("edge_ddr4", ["dram.batch=1"])

    def program(machine: Accelerator) -> Program:
        plain = program_of(contiguous(32), machine)
        # every tile is written back whole
        wide = tuple(
            replace(c, transfers=(Transfer((1 << 22) + index * 8 * KIB, 8 * KIB),))
            if isinstance(c, StoreCommand)
            else c
            for index, c in enumerate(plain.commands)
        )
        return replace(plain, commands=wide)

    runs = [run_program(program(m), m) for m in (long, short)]
    limits = [bounds_of(program(m), m).lower_bound_cycles for m in (long, short)]
    return Case(
        "read and write turnaround", (limits[0], limits[1]),
        ("batches of 32", runs[0].cycles), ("batches of 1", runs[1].cycles),
        f"idle ticks of the data bus: {gaps(runs[0])} against {gaps(runs[1])}",
    )  # fmt: skip


def queue_limit() -> Case:
    """Small loads with one request in flight, or two."""
    one, two = (load_accelerator("edge_int8", [f"dma.outstanding={n}"]) for n in (1, 2))
    steps = contiguous(64, 512, 16)
    runs = [run_program(program_of(steps, m), m) for m in (one, two)]
    heads = [sum(s.begin - s.head for s in run.spans[::3]) for run in runs]
    return Case(
        "requests in flight", (bound(steps, one), bound(steps, two)),
        ("one", runs[0].cycles), ("two", runs[1].cycles),
        f"loads wait {heads[0]} and {heads[1]} cycles from the head of their queue to the first beat",
    )  # fmt: skip


def bursts_in_flight() -> Case:
    """Tiles of many rows, whose bursts are asked for one by one or eight at a time."""
    machines = [load_accelerator("edge_int8", ["dma.max_burst=64B", f"dma.requests={n}"]) for n in (1, 8)]
    steps = [(Transfer(1024 * index, 32, (16,), (64,)), 16) for index in range(32)]
    runs = [run_program(program_of(steps, m), m) for m in machines]
    flying = [sum(s.last - s.begin for s in run.spans[::3]) for run in runs]
    return Case(
        "bursts in flight", (bound(steps, machines[0]), bound(steps, machines[1])),
        ("one", runs[0].cycles), ("eight", runs[1].cycles),
        f"from first to last beat the loads take {flying[0]} and {flying[1]} cycles together: a latency per burst, or "
        f"one for eight",
    )  # fmt: skip


def slow_host() -> Case:
    """Many small commands from a host that needs time for each, with room for two or for sixteen per engine."""
    machines = [load_accelerator("edge_int8", ["dma.host.interval=24cycles", f"dma.host.depth={n}"]) for n in (1, 16)]
    # long commands first: a deep queue takes in the short ones meanwhile
    steps = contiguous(4, 4 * KIB, 1200) + contiguous(32, 64, 16, 1 << 20)
    runs = [run_program(program_of(steps, m), m) for m in machines]
    late = [sum(s.given - e.end for e, s in zip(run.spans[1::3], run.spans[4::3], strict=False) if s.given > e.end)
            for run in runs]  # fmt: skip
    return Case(
        "queue of a host", (bound(steps, machines[0]), bound(steps, machines[1])),
        ("one command deep", runs[0].cycles), ("sixteen", runs[1].cycles),
        f"the vector unit is without a command for {late[0]} and {late[1]} cycles",
    )  # fmt: skip


def multicast() -> Case:
    """Two cores that read the same weights from one multicasting channel, in step or one behind other work."""
    machine = load_accelerator("edge_int8", ["dram.bandwidth=8B/cycle"])
    shared, own = contiguous(16, 4 * KIB, 64), contiguous(16, 256, 100, 1 << 20)
    steps = shared + own
    late = own + shared
    pairs = ([steps, steps], [steps, late])
    runs = [run_shared([program_of(s, machine) for s in pair], [machine] * 2, [0, 0], multicast=True) for pair in pairs]
    limits = [max(bound(s, machine) for s in pair) for pair in pairs]
    return Case(
        "multicast", (limits[0], limits[1]), ("in step", runs[0].cycles), ("one later", runs[1].cycles),
        f"beats brought to both cores at once: {runs[0].joined_beats} and {runs[1].joined_beats}",
    )  # fmt: skip


def fifo() -> Case:
    """A pipeline of three stages with shallow or deep FIFOs."""

    def line(depth: int) -> Any:
        stages = [
            Source("in", 64, 4), MatrixVector("a", 8, 4, 8, 4, 64), MatrixVector("b", 64, 512, 1, 8),
            MatrixVector("c", 8, 64, 1, 1),
        ]  # fmt: skip
        return chain("two", stages, depth)

    shallow, deep = line(2), line(64)
    runs = [run_pipeline(p) for p in (shallow, deep)]
    limits = [max(stage.cycles for stage in p.stages if hasattr(stage, "cycles")) for p in (shallow, deep)]
    return Case(
        "FIFO-coupled pipeline", (limits[0], limits[1]),
        ("depth 2", runs[0].interval_cycles), ("depth 64", runs[1].interval_cycles),
        "cycles between images: a stage that cannot put its words down stops the one before it",
    )  # fmt: skip


def scratchpad_layout() -> Case:
    """A layer whose input tile lies channels last or plane by plane in 32 banks."""
    b = NetworkBuilder("layer", "example")
    network = b.build(b.conv(b.input("x", (1, 64, 28, 28)), 64, 3, padding=1, name="conv"))
    overrides = ["core.dataflows=[ws]", "core.input.banks.count=32", "core.input.banks.word=1B"]
    machines = [
        load_accelerator("edge_int8", [*overrides, f"core.input.banks.layout={layout}"])
        for layout in ("channel_last", "planar")
    ]
    programs = [make_plan(network, machine).program for machine in machines]
    runs = [run_program(program, machine) for program, machine in zip(programs, machines, strict=True)]
    limits = [bounds_of(p, m).lower_bound_cycles for p, m in zip(programs, machines, strict=True)]
    waits = [sum(run.conflicts.values()) for run in runs]
    return Case(
        "scratchpad layouts", (limits[0], limits[1]),
        ("channels last", runs[0].cycles), ("plane by plane", runs[1].cycles),
        f"operands wait for a bank for {waits[0]} and {waits[1]} cycles: the channels of a pixel lie side by side "
        f"or a plane apart",
    )  # fmt: skip


def single_buffer() -> Case:
    """The same tiles with one or two buffers for the input."""
    b = NetworkBuilder("layer", "example")
    network = b.build(b.conv(b.input("x", (1, 64, 56, 56)), 64, 3, padding=1, name="conv"))
    nest = Mapping("conv", "core0", "ws", (TileLoop("OY", 56, 4),), (("I", 1), ("W", 0), ("O", 1)))
    machines = [load_accelerator("edge_int8", [f"core.input.buffers={n}"]) for n in (1, 2)]
    programs = [make_plan(network, machine, given=GivenPlan({"conv": (nest,)}, {})).program for machine in machines]
    runs = [run_program(program, machine) for program, machine in zip(programs, machines, strict=True)]
    limits = [bounds_of(p, m).lower_bound_cycles for p, m in zip(programs, machines, strict=True)]
    idle = [_array_idle(program, run) for program, run in zip(programs, runs, strict=True)]
    return Case(
        "buffers of a scratchpad", (limits[0], limits[1]),
        ("one", runs[0].cycles), ("two", runs[1].cycles),
        f"between its first and its last operand the array waits {idle[0]} and {idle[1]} cycles for tiles",
    )  # fmt: skip


def _array_idle(program: Program, run: Run) -> int:
    spans = [s for c, s in zip(program.commands, run.spans, strict=True) if c.engine == "array"]
    return sum(max(0, later.begin - earlier.last) for earlier, later in pairwise(spans))


CASES = (
    two_cores, bank_layout, row_misses, refresh, turnaround, queue_limit, bursts_in_flight, slow_host, multicast, fifo,
    scratchpad_layout, single_buffer,
)  # fmt: skip


def main() -> None:
    """Print every case."""
    for make in CASES:
        case = make()
        print(f"{case.name}: closed form {case.bound_cycles[0]:,} and {case.bound_cycles[1]:,} cycles")
        for label, cycles in (case.first, case.second):
            print(f"  {label:20} {cycles:>9,} cycles")
        print(f"  {case.why}")


if __name__ == "__main__":
    main()
