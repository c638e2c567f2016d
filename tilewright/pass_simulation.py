"""Whole networks on a row-stationary machine: every group of layers in passes, one after the other.

The array runs MAC layers in the passes of `mappers.passes.row_stationary`; what is fused behind them goes through the
vector unit between array and memory. Other layers move through the vector unit. Results have the schema of every other
machine, and are held to the same laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from math import prod
from typing import Any

from hw_models.accelerator import Accelerator
from hw_models.row_stationary import RowMapping, RowStationaryArray, row_stationary_array
from mappers.dram_layout import make_layout
from mappers.group import Group, make_groups
from mappers.passes.plan import LayerPasses, StageSpec, shape_of, shares
from mappers.passes.row_stationary import active_pes, plan_row_stationary
from sim.energy import Ledger, energy_pj
from sim.passes import run_passes
from sim.result import Bounds, Check, LayerResult, Result, Totals
from sim.simulation import machine_facts
from workloads.errors import InternalError
from workloads.mac_layers import MacLayer
from workloads.network import Network

NOT_MODELLED = (
    "layers do not overlap: each begins when the one before has stored its results",
    "the fill of PE pipelines between passes, and control",
    "compression of activations in DRAM, and gating of zeros",
    "energy of the memories inside the PEs and of the buses",
    "limits of the DMA (outstanding, issue) and the staging buffers of the vector unit",
    "a pooling that is fused behind a layer does not make its stored output smaller",
    "DRAM rows, banks and refresh: the channel has a fixed latency and bandwidth",
    "values: shapes and formats only, no tensor is computed",
)
CAUSES = {
    "load": "dram_read",
    "store": "dram_write",
    "latency": "dram_latency",
    "filters": "fill_drain",
    "vector": "vector",
    "buffer": "dependency",
}
"""Stall causes of the result file for the stages of a pass: filters move into the PEs while the arithmetic stands."""
_VECTOR_PASSES = 16
"""Pieces in which a layer without MACs moves through the vector unit."""


def simulate_in_passes(
    network: Network, accelerator: Accelerator, manifest: dict[str, Any], fidelity: str, notes: Sequence[str]
) -> Result:
    """Return the result of `network` on a row-stationary `accelerator`.

    Parameters
    ----------
    fidelity : {"event", "analytic"}
        The pass engine, or the busiest resource of each layer.
    notes : sequence of str
        What the workload's reader assumed.

    Raises
    ------
    InputError, InfeasibleError
        If the array cannot be run in passes, or a layer has no mapping.
    """
    array = row_stationary_array(accelerator)
    groups = make_groups(network, make_layout(network, array.word_bytes), accelerator.core)
    layers: list[LayerResult] = []
    plans: list[LayerPasses] = []
    start = 0
    for group in groups:
        plan, ledger = _plan(network, group, accelerator, array)
        layers.append(_layer(group, plan, ledger, accelerator, array, start, fidelity))
        plans.append(plan)
        start = layers[-1].end_cycle
    macs = sum(layer.macs for layer in layers)
    totals = Totals(
        cycles=start,
        time_s=float(start / (accelerator.clock_mhz * 10**6)),
        macs=macs,
        energy_pj=float(sum(pj for layer in layers for pj in layer.energy_pj.values())),
        dram_read_bytes=_dram(layers, "read"),
        dram_write_bytes=_dram(layers, "write"),
        utilisation=macs / (start * array.pes) if start else 0.0,
        peak_scratchpad_bytes=None,
    )
    bounds = _bounds(plans, macs, array)
    checks = (
        Check("macs conserved", macs == network.macs, f"{macs} in the passes, {network.macs} in the layers"),
        Check(
            "parts sum to the whole",
            all(layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.cycles for layer in layers),
            f"{start} cycles",
        ),
        Check("not below the bound", start >= bounds.lower_bound_cycles, f"{start} >= {bounds.lower_bound_cycles}"),
    )
    broken = [check for check in checks if not check.ok]
    if broken:
        raise InternalError(f"run of '{network.name}': {broken[0].name}: {broken[0].detail}; report this")
    placement = {"objective_bytes": 0, "lower_bound_bytes": 0, "proven_optimal": True, "tensors": []}
    return Result(
        manifest | {"machine": machine_facts(accelerator)}, totals, bounds, tuple(layers), placement, checks,
        (*NOT_MODELLED, *notes),
    )  # fmt: skip


def _dram(layers: Sequence[LayerResult], way: str) -> int:
    return sum(flow[way] for layer in layers for flow in layer.traffic_bytes["dram"].values())


def _bounds(plans: Sequence[LayerPasses], macs: int, array: RowStationaryArray) -> Bounds:
    busy = {name: sum(plan.busy_cycles.get(name, 0) for plan in plans) for name in ("array", "memory", "vector")}
    mac_cycles = -(-macs // array.pes)
    values = (max(mac_cycles, busy["array"]), busy["memory"], busy["vector"])
    return Bounds(mac_cycles, *values, max(values))


def _plan(
    network: Network, group: Group, accelerator: Accelerator, array: RowStationaryArray
) -> tuple[LayerPasses, Ledger]:
    lead, ledger = group.lead, Ledger()
    elements = prod(network.tensors[group.output].shape)
    unit = accelerator.core.vector
    steps = unit.cycles(1, elements, group.simple_passes, group.special_passes) if group.kind != "data movement" else 0
    ledger.vector_operations = elements * group.lane_operations
    if not isinstance(lead, MacLayer):
        return _moved(network, group, array, steps, ledger), ledger
    shape = shape_of(lead)
    plan = plan_row_stationary(shape, array)
    dram, buffer = plan.traffic_bytes["dram"], plan.traffic_bytes["buffer"]
    image, weight, output = lead.inputs[0], lead.inputs[1], group.output
    ledger.macs = shape.macs
    ledger.move("dram", image, "read", dram["input"])
    ledger.move("dram", weight, "read", dram["weight"])
    ledger.move("dram", output, "write", dram["output"])
    ledger.move("input", image, "write", dram["input"])
    ledger.move("input", image, "read", buffer["input"])
    ledger.move("weight", weight, "write", dram["weight"])
    loads = sum(work[1] for work in plan.work_cycles)
    ledger.move("weight", weight, "read", loads * array.filter_bus_words * array.word_bytes)
    ledger.move("accumulator", output, "write", buffer["psum"] // 2)
    ledger.move("accumulator", output, "read", buffer["psum"] - buffer["psum"] // 2)
    extra = 0
    if group.residual:
        extra = elements * array.word_bytes
        ledger.move("dram", group.residual, "read", extra)
        ledger.move("staging", group.residual, "write", extra)
        ledger.move("staging", group.residual, "read", extra)
    return _with_vector(plan, steps, Fraction(extra) / array.memory_bytes_per_cycle), ledger


def _with_vector(plan: LayerPasses, steps: int, extra: Fraction) -> LayerPasses:
    """Put the vector unit between array and store, and the reading of a second operand before it."""
    final = [int(work[-1] > 0) for work in plan.work_cycles]
    vector, more = shares(steps, final), shares(extra, final)
    work = tuple(
        (*row[:-2], row[-2], lanes, row[-1] + read)
        for row, lanes, read in zip(plan.work_cycles, vector, more, strict=True)
    )
    stages = (*plan.stages[:-1], StageSpec("vector", "vector", 2), plan.stages[-1])
    return replace(plan, stages=stages, work_cycles=work)


def _moved(network: Network, group: Group, array: RowStationaryArray, steps: int, ledger: Ledger) -> LayerPasses:
    """Return a layer without MACs: read, vector unit (or nothing), write."""
    read = {name: network.tensors[name].elements * array.word_bytes for name in group.lead.inputs}
    written = {group.output: network.tensors[group.output].elements * array.word_bytes}
    for name, size in read.items():
        ledger.move("dram", name, "read", size)
        ledger.move("staging", name, "write", size)
        ledger.move("staging", name, "read", size)
    for name, size in written.items():
        ledger.move("staging", name, "write", size)
        ledger.move("staging", name, "read", size)
        ledger.move("dram", name, "write", size)
    even = [1] * _VECTOR_PASSES
    loads = shares(Fraction(sum(read.values())) / array.memory_bytes_per_cycle, even)
    stores = shares(Fraction(sum(written.values())) / array.memory_bytes_per_cycle, even)
    return LayerPasses(
        group.lead.name,
        0,
        (StageSpec("load", "memory"), StageSpec("arithmetic", "vector"), StageSpec("store", "memory")),
        tuple(zip(loads, shares(steps, even), stores, strict=True)),
        latency_cycles=array.latency_cycles,
    )


def _layer(
    group: Group,
    plan: LayerPasses,
    ledger: Ledger,
    accelerator: Accelerator,
    array: RowStationaryArray,
    start: int,
    fidelity: str,
) -> LayerResult:
    lead = group.lead
    if fidelity == "analytic":
        cycles = plan.bound_cycles
        names = [stage.name for stage in plan.stages]
        compute = sum(work[names.index("arithmetic")] for work in plan.work_cycles)
        stalls = {"bound": cycles - compute}
    else:
        run = run_passes(plan)
        cycles, compute = run.cycles, run.compute_cycles
        stalls = {CAUSES[name]: run.stall_cycles.get(name, 0) for name in CAUSES}
    energy = {name: float(pj) for name, pj in energy_pj(ledger, accelerator).items()}
    mapping = None
    if isinstance(plan.mapping, RowMapping):
        pes = active_pes(shape_of(lead), array, plan.mapping) if isinstance(lead, MacLayer) else 0
        mapping = {"dataflow": "rs", **asdict(plan.mapping), "active_pes": pes}
    return LayerResult(
        name=lead.name,
        op=lead.op,
        core=accelerator.core.name if mapping else "vector",
        fused=group.names,
        placement="dram",
        dims=asdict(lead.dims) if isinstance(lead, MacLayer) else {},
        macs=ledger.macs,
        start_cycle=start,
        end_cycle=start + cycles,
        cycles=cycles,
        compute_cycles=compute,
        stall_cycles=stalls,
        analytic_cycles=plan.bound_cycles,
        energy_pj=energy,
        traffic_bytes=ledger.traffic,
        utilisation=ledger.macs / (cycles * array.pes) if cycles else 0.0,
        mapping=mapping,
        proven_optimal=True if mapping else None,
        gap=0.0 if mapping else None,
    )
