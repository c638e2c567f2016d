"""Fidelity ``analytic``: a result from closed forms alone, no simulated time.

Traffic and energy are those of the event model, which counts them from the same commands; cycles are the lower bound of
`mappers.analytic`. Layers stand one after the other. What a layer's bound holds beyond its busy array (or vector unit)
is reported as the one stall cause ``bound``: closed forms do not tell causes apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from hw_models.accelerator import Accelerator
from mappers.analytic import GroupBound
from mappers.commands import Program
from sim.energy import count, energy_pj
from sim.result import Check, LayerAnnotation, LayerResult, Result, Totals
from sim.simulation import bounds_of, machine_facts


def analytic_result(
    program: Program,
    accelerator: Accelerator,
    manifest: dict[str, Any],
    annotations: Sequence[LayerAnnotation],
    bounds: Sequence[GroupBound],
    placement: dict[str, Any],
    not_modelled: Sequence[str],
) -> Result:
    """Return the closed-form result of `program`; arguments as in `sim.simulate`, `bounds` from `mappers.analytic`."""
    ledgers = count(program, accelerator)
    energies = [energy_pj(ledger, accelerator) for ledger in ledgers]
    multipliers = accelerator.core.array.multipliers
    layers, start = [], 0
    for record, note, ledger, energy, bound in zip(program.layers, annotations, ledgers, energies, bounds, strict=True):
        cycles = bound.analytic_cycles
        busy = min(cycles, bound.array_cycles or bound.vector_cycles)
        layers.append(
            LayerResult(
                name=record.name,
                op=record.op,
                core=note.core,
                fused=record.fused,
                placement=record.placement,
                dims=dict(record.dims),
                macs=ledger.macs,
                start_cycle=start,
                end_cycle=start + cycles,
                cycles=cycles,
                compute_cycles=busy,
                stall_cycles={"bound": cycles - busy},
                analytic_cycles=cycles,
                energy_pj={component: float(pj) for component, pj in energy.items()},
                traffic_bytes=ledger.traffic,
                utilisation=float(Fraction(ledger.macs, cycles * multipliers)) if cycles else 0.0,
                mapping=note.mapping,
                proven_optimal=note.proven_optimal,
                gap=note.gap,
            )
        )
        start += cycles
    macs = sum(ledger.macs for ledger in ledgers)
    totals = Totals(
        cycles=start,
        time_s=float(start / (accelerator.clock_mhz * 10**6)),
        macs=macs,
        energy_pj=float(sum((pj for energy in energies for pj in energy.values()), Fraction(0))),
        dram_read_bytes=sum(ledger.moved_bytes("dram", "read") for ledger in ledgers),
        dram_write_bytes=sum(ledger.moved_bytes("dram", "write") for ledger in ledgers),
        utilisation=float(Fraction(macs, start * multipliers)) if start else 0.0,
        peak_scratchpad_bytes=None,
    )
    whole = sum(layer.macs for layer in program.layers)
    checks = (
        Check("macs conserved", macs == whole, f"{macs} in the commands, {whole} in the layers"),
        Check("parts sum to the whole", sum(layer.cycles for layer in layers) == start, f"{start} cycles"),
    )
    return Result(
        manifest=manifest | {"machine": machine_facts(accelerator)},
        totals=totals,
        bounds=bounds_of(program, accelerator),
        layers=tuple(layers),
        placement=placement,
        checks=checks,
        not_modelled=(*not_modelled, "fidelity analytic: no time is simulated, peak scratchpad use is not known"),
    )
