"""hls4ml: a streaming CNN as a region of tasks, and multipliers under reuse factors."""

from __future__ import annotations

import itertools

from hw_models.streaming.stages import Source, Stage
from hw_models.streaming.tasks import DenseTask, WindowTask
from sim.pipeline import Pipeline, chain, size_fifos
from tilewright.validation.figures import Figures, load_figures
from tilewright.validation.rows import Row

NOT_MODELLED = "the depth of each task is taken from its own line of the report; how they run together is predicted"


def pipeline_of(figures: Figures) -> Pipeline:
    """Return the region: a task's depth is its reported latency less its words."""
    stages: list[Stage] = [Source("image", 32 * 32, 3)]
    for name, kind, high, wide, kernel, stride, cycles in figures.data["tasks"]:
        words = high * wide
        if kind == "window":
            stages.append(WindowTask(name, high, wide, kernel, stride, cycles - words))
        else:
            stages.append(DenseTask(name, words, cycles - words))
    return chain("hls4ml CNN", stages)


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("hls4ml")
    run = size_fifos(pipeline_of(figures), images=3, shrink=False)[1]
    machine = "hls4ml, 5 ns"
    workload = "SVHN CNN, io_stream, reuse 1"
    out = [
        figures.row("latency", machine, workload, "latency", run.done_cycles[0], not_modelled=NOT_MODELLED),
        figures.row("interval", machine, workload, "interval", run.interval_cycles, not_modelled=NOT_MODELLED),
    ]
    sizes = figures.data["jet_tagger"]
    for reuse in range(1, 7):
        ours = sum(-(-a * b // reuse) for a, b in itertools.pairwise(sizes))
        out.append(figures.row(f"multipliers {reuse}", "hls4ml", f"jet tagger, reuse {reuse}", "multipliers", ours))
    return out
