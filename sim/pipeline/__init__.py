"""Event model of spatial pipelines: units joined by FIFOs, exact cycle of every word, deadlocks named."""

from __future__ import annotations

from sim.pipeline.network import Channel, Pipeline, chain
from sim.pipeline.run import PipelineRun, run_pipeline
from sim.pipeline.sizing import size_fifos

__all__ = ["Channel", "Pipeline", "PipelineRun", "chain", "run_pipeline", "size_fifos"]
