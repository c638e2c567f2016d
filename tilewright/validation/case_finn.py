"""FINN pipelines from their folding: steady interval and first image, FIFOs sized by the simulator."""

from __future__ import annotations

from typing import Any

from hw_models.streaming.links import StreamPool
from hw_models.streaming.stages import MatrixVector, SlidingWindow, Source, Stage
from sim.pipeline import Pipeline, chain, run_pipeline, size_fifos
from tilewright.validation.figures import load_figures
from tilewright.validation.rows import Row

NOT_MODELLED = "driver and DMA of the host; depths of the FIFOs are ours: unlimited run, then the most words each held"


def pipeline_of(name: str, layers: list[list[Any]]) -> Pipeline:
    """Return the pipeline of a folding: windows, matrix-vector units, pools where the next image is half as wide."""
    stages: list[Stage] = []
    for index, (kind, channels, side, high, wide, vectors, pe, simd) in enumerate(layers):
        if kind == "conv":
            stages.append(SlidingWindow(f"swu{index}", channels, side, side, 3, 1, simd))
        stages.append(MatrixVector(f"mvau{index}", high, wide, pe, simd, vectors))
        following = layers[index + 1] if index + 1 < len(layers) else None
        if following and following[0] == "conv" and following[2] * 2 == side - 2:
            stages.append(StreamPool(f"pool{index}", high, side - 2, side - 2, 2))
    first = stages[0]
    return chain(name, [Source("image", first.words_in, first.element_in), *stages])


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("finn")
    clock = float(figures.data["clock_mhz"])
    networks = figures.data["networks"]
    cnv = pipeline_of("CNV-W1A1", networks["CNV-W1A1"])
    sized, run = size_fifos(cnv, images=3, shrink=False)
    interval, latency = run.interval_cycles, run.latency_cycles
    low, high = figures.figure("CNV-W1A1 latency low"), figures.figure("CNV-W1A1 latency high")
    machine = "FINN 300 MHz"
    ends = run_pipeline(sized, images=5).result_cycles
    batch = ends[-1] + (10_000 - 5) * (ends[-1] - ends[-2])
    out = [
        figures.row("CNV-W1A1 interval", machine, "CNV-W1A1", "interval", interval / clock, not_modelled=NOT_MODELLED),
        Row(
            "FINN", "CNV-W1A1", "first image", "cycles", latency, None, low.source, "computed",
            low=low.value, high=high.value, not_modelled=NOT_MODELLED,
        ),
        figures.row(
            "CNV-W1A1 latency mlperf", "FINN 100 MHz", "CNV-W1A1", "first image", latency, not_modelled=NOT_MODELLED
        ),
        figures.row(
            "CNV-W1A1 batch", machine, "CNV-W1A1, 10 000 images", "time", batch / clock / 1e6, not_modelled=NOT_MODELLED
        ),
    ]  # fmt: skip
    lfc = size_fifos(pipeline_of("LFC-W1A1", networks["LFC-W1A1"]), shrink=False)[1]
    kws = size_fifos(pipeline_of("KWS-W3A3", networks["KWS-W3A3"]), shrink=False)[1]
    bound = "bound by driver and input stream, which are not modelled: ours is the pipeline alone"
    out += [
        figures.row(
            "LFC-W1A1 interval", machine, "LFC-W1A1", "interval", lfc.interval_cycles / clock, gates=False,
            not_modelled=bound,
        ),
        figures.row(
            "KWS-W3A3 latency", "FINN 100 MHz", "KWS-W3A3", "first image", kws.latency_cycles, gates=False,
            not_modelled=bound,
        ),
    ]  # fmt: skip
    return out
