"""From a command list to a checked result: run, attribute, count, check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, overload

from hw_models.accelerator import Accelerator
from hw_models.array_timing import timings_of
from mappers.commands import ComputeCommand, LayerRecord, LoadCommand, Program, StoreCommand, VectorCommand
from mappers.kinds import kinds_of
from sim.attribution import LayerTime, attribute
from sim.checks import check_result, require
from sim.collector import paused
from sim.columns import columns_of
from sim.dram.energy import layer_energy_pj, summary
from sim.energy import Ledger, byte_energy_pj, count, energy_pj
from sim.machine import run_program
from sim.pe_map import pe_macs, regions_of
from sim.raw_run import Run
from sim.result import Bounds, LayerAnnotation, LayerResult, Result, Totals
from workloads.errors import InternalError


@overload
def simulate(
    program: Program,
    accelerator: Accelerator,
    manifest: dict[str, Any],
    annotations: Sequence[LayerAnnotation],
    placement: dict[str, Any],
    not_modelled: Sequence[str],
    *,
    keep_run: Literal[False] = False,
    fast_forward: bool = True,
) -> Result: ...


@overload
def simulate(
    program: Program,
    accelerator: Accelerator,
    manifest: dict[str, Any],
    annotations: Sequence[LayerAnnotation],
    placement: dict[str, Any],
    not_modelled: Sequence[str],
    *,
    keep_run: Literal[True],
    fast_forward: bool = True,
) -> tuple[Result, Run]: ...


def simulate(
    program: Program,
    accelerator: Accelerator,
    manifest: dict[str, Any],
    annotations: Sequence[LayerAnnotation],
    placement: dict[str, Any],
    not_modelled: Sequence[str],
    *,
    keep_run: bool = False,
    fast_forward: bool = True,
) -> Result | tuple[Result, Run]:
    """Run `program` on `accelerator` and return the result, checked.

    Parameters
    ----------
    manifest : dict
        How the run came about; ``machine`` (clock, peak rates) is added.
    annotations : sequence of LayerAnnotation
        One per layer of the program.
    keep_run : bool
        Return the raw run as well, for traces.
    fast_forward : bool
        Leave out periods that repeat exactly; the result is the same.

    Raises
    ------
    InternalError
        If the program violates a slot rule or the run its own physics (§3.9).
    """
    if len(annotations) != len(program.layers):
        raise InternalError(
            f"program '{program.workload}': {len(annotations)} annotations, {len(program.layers)} layers; give one each"
        )
    with paused():
        run = run_program(program, accelerator, fast_forward=fast_forward)
        result = build_result(program, run, accelerator, manifest, annotations, placement, not_modelled)
        checks = check_result(result, program, run, accelerator)
    require(program.workload, checks)
    result = replace(result, checks=checks)
    return (result, run) if keep_run else result


def build_result(
    program: Program,
    run: Run,
    accelerator: Accelerator,
    manifest: dict[str, Any],
    annotations: Sequence[LayerAnnotation],
    placement: dict[str, Any],
    not_modelled: Sequence[str],
) -> Result:
    """Return the result of `run`, not checked yet."""
    times = attribute(program, run, accelerator)
    ledgers = count(program, accelerator)
    energies = [energy_pj(ledger, accelerator) for ledger in ledgers]
    if run.dram is not None and accelerator.dram.command_energy is not None:
        counted = layer_energy_pj(program, run.dram, accelerator, [time.cycles for time in times])
        energies = [energy | {"dram": pj} for energy, pj in zip(energies, counted, strict=True)]
    firsts = first_array_issue(program, run, accelerator)
    multipliers = accelerator.core.array.multipliers
    layers = [
        _layer(record, note, time, ledger, energy, first, multipliers)
        for record, note, time, ledger, energy, first in zip(
            program.layers, annotations, times, ledgers, energies, firsts, strict=True
        )
    ]
    macs = sum(ledger.macs for ledger in ledgers)
    total = sum((pj for energy in energies for pj in energy.values()), Fraction(0))
    totals = Totals(
        cycles=run.cycles,
        time_s=float(run.cycles / (accelerator.clock_mhz * 10**6)),
        macs=macs,
        energy_pj=float(total),
        dram_read_bytes=sum(ledger.moved_bytes("dram", "read") for ledger in ledgers),
        dram_write_bytes=sum(ledger.moved_bytes("dram", "write") for ledger in ledgers),
        utilisation=_share(macs, run.cycles * multipliers),
        peak_scratchpad_bytes=run.peak_scratchpad_bytes,
    )
    return Result(
        manifest=manifest | {"machine": machine_facts(accelerator)},
        totals=totals,
        bounds=bounds_of(program, accelerator),
        layers=tuple(layers),
        placement=placement,
        not_modelled=tuple(not_modelled),
        dram=None if run.dram is None else summary(run.dram, accelerator),
        pe_regions=_pe_regions(program, accelerator),
    )


def _pe_regions(program: Program, accelerator: Accelerator) -> dict[str, Any] | None:
    """Return the MACs of blocks of PEs as plain data, None if the commands do not say."""
    macs = pe_macs(program, accelerator)
    if macs is None:
        return None
    regions = regions_of(macs, accelerator)
    return {
        "row_edges": list(regions.row_edges),
        "col_edges": list(regions.col_edges),
        "layer_macs": [[list(row) for row in layer] for layer in regions.layer_macs],
    }


def _layer(
    record: LayerRecord,
    note: LayerAnnotation,
    time: LayerTime,
    ledger: Ledger,
    energy: dict[str, Fraction],
    first_array_issue: int | None,
    multipliers: int,
) -> LayerResult:
    start = time.window_start_cycle if first_array_issue is None else min(time.window_start_cycle, first_array_issue)
    return LayerResult(
        name=record.name,
        op=record.op,
        core=note.core,
        fused=record.fused,
        placement=record.placement,
        dims=dict(record.dims),
        macs=ledger.macs,
        start_cycle=time.start_cycle,
        end_cycle=time.end_cycle,
        cycles=time.cycles,
        compute_cycles=time.compute_cycles,
        stall_cycles=time.stall_cycles,
        analytic_cycles=note.analytic_cycles,
        energy_pj={component: float(pj) for component, pj in energy.items()},
        traffic_bytes=ledger.traffic,
        utilisation=_share(ledger.macs, (time.end_cycle - start) * multipliers),
        mapping=note.mapping,
        proven_optimal=note.proven_optimal,
        gap=note.gap,
    )


def _share(part: int, whole: int) -> float:
    return float(Fraction(part, whole)) if whole else 0.0


def first_array_issue(program: Program, run: Run, accelerator: Accelerator) -> list[int | None]:
    """Return, per layer, the cycle at which its first array command was issued."""
    columns = columns_of(kinds_of(program, accelerator.dram.beat_bytes), run)
    array = columns.of("array")[::-1]
    first = dict(zip(columns.layer[array].tolist(), columns.issue[array].tolist(), strict=True))
    return [first.get(layer) for layer in range(len(program.layers))]


def machine_facts(accelerator: Accelerator) -> dict[str, Any]:
    """Return the rates a reader of the result needs, as plain data."""
    pattern = accelerator.core.array.sparsity
    clocks = {part: float(clock.mhz) for part, clock in accelerator.own_clocks().items()}
    own = {"weight_pattern": "" if pattern is None else str(pattern), "clocks_mhz": clocks}
    return {key: value for key, value in own.items() if value} | {
        "reference_clock_mhz": float(accelerator.clock_mhz),
        "peak_macs_per_cycle": accelerator.core.array.multipliers,
        "dram_bytes_per_cycle": float(accelerator.dram.bytes_per_cycle),
        "dram_latency_cycles": accelerator.dram.latency_cycles,
        "technology_nm": accelerator.technology_nm,
        "energy_pj_per_byte": {
            level: [float(read), float(write)] for level, (read, write) in byte_energy_pj(accelerator).items()
        },
    }


def bounds_of(program: Program, accelerator: Accelerator) -> Bounds:
    """Return lower bounds of the run of `program`, from the commands alone."""
    core, dram = accelerator.core, accelerator.dram
    timings = timings_of(core.array)
    kinds = kinds_of(program, dram.beat_bytes)
    macs = streaming = beats = vector = 0
    for command, times in zip(kinds.samples, kinds.times, strict=True):
        if isinstance(command, LoadCommand | StoreCommand):
            beats += times * sum(transfer.beats(dram.beat_bytes) for transfer in command.transfers)
        elif isinstance(command, ComputeCommand):
            macs += times * command.macs
            interval = timings[command.dataflow].interval_cycles(command.job)
            streaming += times * ((command.job.folds - 1) * interval + command.job.stream)
        elif isinstance(command, VectorCommand):
            vector += times * core.vector.cycles(
                command.rows, command.row_elements, command.simple_passes, command.special_passes
            )
    least = -(-macs // core.array.multipliers)
    compute = max(least, streaming)
    bus = -(-dram.beats_cycles(beats) // 1)
    return Bounds(least, compute, int(bus), vector, max(compute, int(bus), vector))
