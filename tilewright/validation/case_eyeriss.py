"""Eyeriss v1 on AlexNet: our mapper chooses the mapping, nothing of the chip's is given."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction

from hw_models.row_stationary import RowStationaryArray
from mappers.passes.plan import LayerPasses, shapes_of
from mappers.passes.row_stationary import active_pes, plan_row_stationary
from sim.passes import PassRun, run_passes
from tilewright.validation.figures import Figures, load_figures
from tilewright.validation.rows import Row

TIME = (
    "processing time, as published: without the first load from memory; PE pipeline fill and control are not modelled"
)
DRAM = "images and results in 64-bit words of three values and their zero runs, from the published zero shares"
LAST = DRAM + "; the zero share of conv5's output is not published, its input's is used"


def array_of(figures: Figures) -> RowStationaryArray:
    """Return the machine of the figures file."""
    data = figures.data["machine"]
    values = {key.name: data[key.name] for key in fields(RowStationaryArray) if key.name in data}
    values["clock_mhz"] = Fraction(str(data["clock_mhz"]))
    values["memory_bytes_per_cycle"] = Fraction(str(data["memory_bytes_per_cycle"]))
    return RowStationaryArray(**values)


def run_lengths(bytes_raw: int, zeros: float) -> float:
    """Return the bytes of run-length coded 16-bit values: 64 bits per three non-zero ones, never more than raw."""
    return min(float(bytes_raw), bytes_raw * (1.0 - zeros) * 4.0 / 3.0)


def rows() -> list[Row]:
    """Return the rows."""
    from workloads.zoo.alexnet import alexnet_caffe

    figures = load_figures("eyeriss")
    array = array_of(figures)
    network = alexnet_caffe(batch=int(figures.data["batch"]))
    machine, clock = "Eyeriss v1", float(array.clock_mhz)
    out: list[Row] = []
    total = 0.0
    for shape in shapes_of(network):
        if shape.name not in figures.data["zeros"]:
            continue
        plan = plan_row_stationary(shape, array)
        run = run_passes(plan)
        time_ms = run.cycles / clock / 1e3
        total += time_ms
        out += _layer(figures, machine, shape.name, plan, run, time_ms, active_pes(shape, array, plan.mapping))  # type: ignore[arg-type]
    out.append(figures.row("total time", machine, "AlexNet, batch 4", "time", total, not_modelled=TIME))
    return out


def _layer(
    figures: Figures, machine: str, name: str, plan: LayerPasses, run: PassRun, time_ms: float, pes: int
) -> list[Row]:
    workload = f"AlexNet {name}, batch 4"
    into, outof = figures.data["zeros"][name]
    dram = plan.traffic_bytes["dram"]
    moved = run_lengths(dram["input"], into) + dram["weight"] + run_lengths(dram["output"], outof)
    last = name == "conv5"
    return [
        figures.row(f"{name} time", machine, workload, "time", time_ms, not_modelled=TIME),
        figures.row(f"{name} PEs", machine, workload, "active PEs", pes),
        figures.row(
            f"{name} buffer", machine, workload, "buffer traffic", sum(plan.traffic_bytes["buffer"].values()) / 1e6
        ),
        figures.row(
            f"{name} dram", machine, workload, "DRAM traffic", moved / 1e6, gates=not last,
            not_modelled=LAST if last else DRAM,
        ),
    ]  # fmt: skip
