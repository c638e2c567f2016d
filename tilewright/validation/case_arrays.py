"""TPU v1 and VTA: peaks, weight-bound applications, and what latency hiding brings."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, isqrt

from mappers.passes.dot_array import plan_dot_array
from mappers.passes.plan import shapes_of
from mappers.passes.weight_tiles import plan_weight_tiles
from sim.passes import run_passes
from tilewright.validation.case_dpu import dot_array
from tilewright.validation.figures import Figures, load_figures
from tilewright.validation.rows import Row
from workloads.zoo import load

TPU = "activation, normalisation and the host; weights as one square matrix; the published figures are recalled"
VTA = "CPU operators, micro-op fetch; the first layer, which runs on the CPU, is left out"


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("arrays")
    return [*_tpu(figures), *_vta(figures)]


def _tpu(figures: Figures) -> list[Row]:
    data = figures.data["tpu"]
    rows_, cols, clock = data["rows"], data["cols"], float(data["clock_mhz"])
    out = [figures.row("tpu peak", "TPU v1", "peak", "rate", 2 * rows_ * cols * clock / 1e6)]
    bandwidth = Fraction(str(data["memory_gb_per_s"])) * 1000 / data["clock_mhz"]
    for name, weights, batch, key in data["applications"]:
        side = ceil(isqrt(weights) / cols) * cols
        run = run_passes(plan_weight_tiles(name, batch, side, side, rows_, cols, bandwidth, data["fifo_tiles"]))
        share = 100 * run.busy_cycles["array"] / run.cycles
        out.append(figures.row(key, "TPU v1", name, "array active", share, gates=False, not_modelled=TPU))
    return out


def _vta(figures: Figures) -> list[Row]:
    array = dot_array(figures.data["vta"])
    peak = 2 * array.macs_per_cycle * float(array.clock_mhz) / 1e3
    # The first layer of 3 channels runs on the CPU.
    shapes = [shape for shape in shapes_of(load("resnet18"))[1:] if shape.filter_height * shape.out_height > 1]
    plans = [plan_dot_array(shape, array) for shape in shapes]
    runs = [run_passes(plan) for plan in plans]
    apart = [run_passes(plan_dot_array(shape, replace(array, overlap=False))) for shape in shapes]
    best = max(2 * run.macs / run.cycles * float(array.clock_mhz) / 1e3 for run in runs)
    ideal = (
        sum(shape.macs for shape in shapes_of(load("resnet18"))) / array.macs_per_cycle / float(array.clock_mhz) / 1e3
    )
    points = [
        plan.busy_cycles["memory"] > plan.busy_cycles["array"]
        for plan, shape in zip(plans, shapes, strict=True)
        if shape.filter_height == 1
    ]
    slower = sum(run.cycles for run in apart) / sum(run.cycles for run in runs)
    source = figures.figure("vta ideal").source
    return [
        figures.row("vta peak", "VTA", "peak", "rate", peak),
        figures.row("vta ideal", "VTA", "ResNet-18", "time at the peak", ideal),
        Row("VTA", "ResNet-18", "fastest layer stays below the peak", "GOPS", best, None, source, "computed",
            low=0.0, high=peak, not_modelled=VTA),
        Row("VTA", "ResNet-18 1x1 layers", "bound by memory", "layers", sum(points), len(points), source, "computed",
            gates=False, not_modelled=VTA),
        Row("VTA", "ResNet-18", "slow-down without overlap", "x", slower, None, source, "computed", low=1.3, high=2.0,
            gates=False, not_modelled=VTA),
    ]  # fmt: skip
