"""FIFO sizing: depths that keep the interval of unlimited FIFOs, then as shallow as they can be one by one."""

from __future__ import annotations

from sim.pipeline.network import UNBOUNDED, Pipeline
from sim.pipeline.run import PipelineRun, run_pipeline
from workloads.errors import InfeasibleError

LEAST = 2
"""Shallowest FIFO that passes a word every cycle (a place is free one cycle after its word was read)."""


def size_fifos(pipeline: Pipeline, images: int = 3, shrink: bool = True) -> tuple[Pipeline, PipelineRun]:
    """Return the pipeline with sized FIFOs and its run.

    First every FIFO gets the most words it holds when none has a limit, or one place more where that lengthens the
    interval: a place is free only in the cycle after its word was read. With `shrink`, each FIFO in turn is then made
    as shallow as the steady interval allows, by bisection, deepest first.

    Raises
    ------
    DeadlockError
        Never for depths of the first step; a pipeline that stops with unlimited FIFOs has a broken stage.
    """
    free = run_pipeline(pipeline.with_depths({c.name: UNBOUNDED for c in pipeline.channels}), images)
    depths = {fill.name: max(LEAST, fill.peak_words) for fill in free.fifos}
    target = free.interval_cycles
    if not _keeps(pipeline.with_depths(depths), images, target):
        depths = {name: depth + 1 for name, depth in depths.items()}
    if shrink:
        for name in sorted(depths, key=lambda key: (-depths[key], key)):
            low, high = LEAST, depths[name]
            while low < high:
                middle = (low + high) // 2
                if _keeps(pipeline.with_depths(depths | {name: middle}), images, target):
                    high = middle
                else:
                    low = middle + 1
            depths[name] = high
    sized = pipeline.with_depths(depths)
    return sized, run_pipeline(sized, images)


def _keeps(pipeline: Pipeline, images: int, target_cycles: int) -> bool:
    try:
        return run_pipeline(pipeline, images).interval_cycles <= target_cycles
    except InfeasibleError:
        return False
