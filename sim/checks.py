"""The physics every run is held to (§3.9): each law is recomputed from the commands or the raw run, never copied.

A law that fails ends the run with exit code 70; laws that hold are listed in the result with what was compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import isclose

import numpy as np

from hw_models.accelerator import Accelerator
from mappers.commands import ENGINES, AnyCommand, ComputeCommand, LoadCommand, Program, StoreCommand, VectorCommand
from mappers.kinds import READ, RELEASED, WRITTEN, kinds_of, touches_of
from sim.columns import columns_of
from sim.dram.energy import counted_pj, layer_energy_pj, standby_pj
from sim.energy import LEVEL_OF, byte_energy_pj
from sim.raw_run import Run
from sim.result import Check, Result
from workloads.errors import InternalError

_Law = Callable[[Result, Program, Run, Accelerator], tuple[bool, str]]


def check_result(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[Check, ...]:
    """Return every law with its outcome for `result`, the result of `run`."""
    checks = []
    for name, law in _LAWS:
        ok, detail = law(result, program, run, accelerator)
        checks.append(Check(name, ok, detail))
    return tuple(checks)


def require(subject: str, checks: Sequence[Check]) -> None:
    """Raise on the first law that does not hold.

    Raises
    ------
    InternalError
        Naming the law and what was compared.
    """
    for check in checks:
        if not check.ok:
            raise InternalError(
                f"run of '{subject}': law '{check.name}' is violated, {check.detail}; the result is withheld"
            )


def _total(program: Program, accelerator: Accelerator, compute: Callable[[AnyCommand], int]) -> int:
    """Return the sum over all commands of what `compute` gives."""
    return kinds_of(program, accelerator.dram.beat_bytes).total(compute)


def _macs(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    commands = _total(program, accelerator, lambda c: c.macs if isinstance(c, ComputeCommand) else 0)
    table = sum(record.macs for record in program.layers)
    layers = [layer.macs for layer in result.layers]
    ok = layers == [record.macs for record in program.layers] and commands == table == result.totals.macs
    return ok, f"commands {commands}, workload {table}, result {result.totals.macs}, per layer {sum(layers)}"


def _non_negative(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    numbers: list[float] = [
        result.totals.cycles,
        result.totals.macs,
        result.totals.energy_pj,
        result.totals.dram_read_bytes,
        result.totals.dram_write_bytes,
    ]
    for layer in result.layers:
        numbers += [layer.cycles, layer.compute_cycles, layer.macs, layer.start_cycle, *layer.stall_cycles.values()]
        numbers += layer.energy_pj.values()
        numbers += [n for level in layer.traffic_bytes.values() for flow in level.values() for n in flow.values()]
    c = columns_of(kinds_of(program, accelerator.dram.beat_bytes), run)
    ordered = all(
        bool((a <= b).all()) for a, b in pairwise((0 * c.head, c.head, c.ready, c.issue, c.begin, c.last, c.end))
    )
    return min(numbers) >= 0 and ordered, f"{len(numbers)} counts, {len(run.spans)} command spans in order"


def _every_load_read(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    slots = touches_of(program)
    by_load = kinds_of(program, accelerator.dram.beat_bytes).engine[slots.whose] == ENGINES.index("load")
    written = slots.tag[(slots.part == WRITTEN) & by_load]
    unread = written[~np.isin(written, slots.tag[slots.part == READ])]
    return not len(unread), f"{len(written)} tiles loaded, {len(unread)} never read"


def _bytes(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    read = _total(program, accelerator, lambda c: c.bytes if isinstance(c, LoadCommand) else 0)
    written = _total(program, accelerator, lambda c: c.bytes if isinstance(c, StoreCommand) else 0)
    by_layer = [
        sum(flow[way] for layer in result.layers for flow in layer.traffic_bytes["dram"].values())
        for way in ("read", "write")
    ]
    totals = [result.totals.dram_read_bytes, result.totals.dram_write_bytes]
    moved = {level: _arriving(program, accelerator, level) for level in ("input", "weight", "staging")}
    found = {
        level: sum(flow["write"] for layer in result.layers for flow in layer.traffic_bytes[level].values())
        for level in moved
    }
    ok = by_layer == totals == [read, written] and moved == found
    return ok, f"commands {[read, written]}, layers {by_layer}, totals {totals}; into scratchpads {moved}, {found}"


def _arriving(program: Program, accelerator: Accelerator, level: str) -> int:
    """Return the bytes that commands put into the memories of `level`: loads, and what the vector unit makes."""

    def each(command: AnyCommand) -> int:
        if isinstance(command, LoadCommand):
            return command.bytes if LEVEL_OF[command.writes[0].memory] == level else 0
        if not isinstance(command, VectorCommand):
            return 0
        written = zip(command.writes, command.write_bytes, strict=True)
        return sum(size for slot, size in written if LEVEL_OF[slot.memory] == level)

    return _total(program, accelerator, each)


def _lower_bounds(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    b, cycles = result.bounds, result.totals.cycles
    parts = (b.mac_cycles, b.compute_cycles, b.dram_cycles, b.vector_cycles)
    ok = b.lower_bound_cycles == max(parts) and all(part <= cycles for part in parts)
    kinds = kinds_of(program, accelerator.dram.beat_bytes)
    columns = columns_of(kinds, run)
    hurried = int((columns.last - columns.begin < kinds.each(lambda c: _least_cycles(c, accelerator))).sum())
    text = f"{cycles} cycles; array {b.compute_cycles}, DRAM {b.dram_cycles}, vector {b.vector_cycles}"
    return ok and not hurried, f"{text}; {hurried} commands faster than their work"


def _least_cycles(command: AnyCommand, accelerator: Accelerator) -> int:
    """Return the least time from the first to the last operand, word or beat of `command`."""
    if isinstance(command, ComputeCommand):
        return command.job.folds * command.job.stream
    if isinstance(command, VectorCommand):
        passes = (command.simple_passes, command.special_passes)
        return accelerator.core.vector.cycles(command.rows, command.row_elements, *passes)
    dram = accelerator.dram
    if dram.device is not None or accelerator.core.link is not None:
        return 0  # a link may pass on what came before in less time than it came in
    return int(dram.beats_cycles(sum(t.beats(dram.beat_bytes) for t in command.transfers)))


def _parts(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    ok = result.totals.cycles == run.cycles == sum(layer.cycles for layer in result.layers)
    ok = ok and all(layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.cycles for layer in result.layers)
    at = 0
    for layer in result.layers:
        at += layer.cycles
        ok = ok and layer.end_cycle == at
    return ok, f"layers sum to {sum(layer.cycles for layer in result.layers)} of {result.totals.cycles} cycles"


def _released(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    slots = touches_of(program)
    written = np.unique(slots.tag[slots.part == WRITTEN])
    released = np.sort(slots.tag[slots.part == RELEASED])
    left = {memory: live for _, memory, live in run.occupancy}
    ok = np.array_equal(written, released) and not any(left.values())
    return ok, f"{len(written)} tiles written, {len(released)} released, {sum(left.values())} bytes live at the end"


def _bus(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    intervals = sorted((start, end) for _, start, end in run.bus)
    disjoint = all(first[1] <= second[0] for first, second in pairwise(intervals))
    beat = accelerator.dram.beat_bytes
    moves = LoadCommand | StoreCommand
    beats = _total(
        program, accelerator, lambda c: sum(t.beats(beat) for t in c.transfers) if isinstance(c, moves) else 0
    )
    if run.dram is not None:
        counts = run.dram.total
        moved = counts.reads + counts.writes
        assert accelerator.dram.device is not None
        ok = disjoint and moved == beats
        ok = ok and counts.busy_ticks == beats * accelerator.dram.device.standard.timing.burst
        ok = ok and all(c.busy_ticks + sum(c.gap_ticks.values()) <= run.dram.ticks for c in run.dram.channels)
        return ok, f"{len(intervals)} bus intervals, {moved} bursts in {counts.busy_ticks} ticks for {beats} asked for"
    busy = Fraction(sum(end - start for start, end in intervals), run.bus_units)
    ok = disjoint and busy == accelerator.dram.beats_cycles(beats)
    return ok, f"{len(intervals)} bus intervals, {float(busy):g} cycles busy for {beats} beats"


def _utilisation(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    t = result.totals
    slots = t.cycles * accelerator.core.array.multipliers
    exact = float(Fraction(t.macs, slots)) if slots else 0.0
    most = max((layer.utilisation for layer in result.layers), default=0.0)
    return t.utilisation == exact and t.utilisation <= 1 and most <= 1, f"{exact:.6f} over all, {most:.6f} at most"


def _energy(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    """Recompute every layer from its traffic table in exact arithmetic and compare."""
    per_byte = byte_energy_pj(accelerator)
    core = accelerator.core
    operations = [0] * len(program.layers)
    kinds = kinds_of(program, accelerator.dram.beat_bytes)
    for command, times in zip(kinds.samples, kinds.times, strict=True):
        if isinstance(command, VectorCommand):
            operations[command.layer] += times * command.operations
    total, wrong = Fraction(0), []
    counted: list[Fraction] = []
    whole = Fraction(0)
    if run.dram is not None and accelerator.dram.command_energy is not None:
        counted = layer_energy_pj(program, run.dram, accelerator, [layer.cycles for layer in result.layers])
        whole = standby_pj(run.dram, accelerator) + counted_pj(run.dram.total, accelerator) - sum(counted)
    for index, (layer, ops) in enumerate(zip(result.layers, operations, strict=True)):
        exact = {"mac": layer.macs * core.array.mac_pj, "vector": ops * core.vector.op_pj}
        for level, (read, write) in per_byte.items():
            flows = layer.traffic_bytes[level].values()
            exact[level] = sum((flow["read"] * read + flow["write"] * write for flow in flows), Fraction(0))
        if counted:
            exact["dram"] = counted[index]
        total += sum(exact.values())
        if {key: float(value) for key, value in exact.items()} != layer.energy_pj:
            wrong.append(layer.name)
    summed = sum(sum(layer.energy_pj.values()) for layer in result.layers)
    ok = not wrong and whole == 0 and result.totals.energy_pj == float(total)
    ok = ok and isclose(summed, result.totals.energy_pj, rel_tol=1e-9, abs_tol=1e-9)
    return ok, f"exact total {float(total):.6g} pJ, layers that differ: {wrong[:3] or 'none'}"


def _pe_regions(result: Result, program: Program, run: Run, accelerator: Accelerator) -> tuple[bool, str]:
    regions = result.pe_regions
    if regions is None:
        return True, "the commands do not say which PEs they use"
    ok, most = True, 0.0
    rows, cols = (list(pairwise(regions[key])) for key in ("row_edges", "col_edges"))
    for layer, blocks in zip(result.layers, regions["layer_macs"], strict=True):
        ok = ok and sum(map(sum, blocks)) == layer.macs
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(cols):
            macs = sum(blocks[i][j] for blocks in regions["layer_macs"])
            slots = (bottom - top) * (right - left) * accelerator.core.array.kept * result.totals.cycles
            ok = ok and macs <= slots
            most = max(most, macs / slots if slots else 0.0)
    return ok, f"{len(rows) * len(cols)} regions, the busiest {most:.6f} of its slots"


_LAWS: tuple[tuple[str, _Law], ...] = (
    ("MACs are conserved", _macs),
    ("no count is negative and every command's times are in order", _non_negative),
    ("every tile loaded is read", _every_load_read),
    ("DRAM bytes of commands, layers and totals agree", _bytes),
    ("cycles are at least every lower bound", _lower_bounds),
    ("compute and stalls sum to each layer, layers to the total", _parts),
    ("every tile written is released once and none is left", _released),
    ("the bus is never taken twice and moves every beat", _bus),
    ("utilisation is MACs over cycles and multipliers, at most 1", _utilisation),
    ("energies of components and layers sum to the total", _energy),
    ("MACs of the PE regions sum to each layer's, none above its slots", _pe_regions),
)
