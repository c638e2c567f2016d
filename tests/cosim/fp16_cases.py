"""FP16 cores under test: every adder latency to 8, each with one sum and with as many as it takes to hide it."""

from __future__ import annotations

from hw_models.fp16 import FP16Params
from workloads.formats import Float16, Float32

LATENCIES = range(1, 9)
NAIVE = tuple(FP16Params(1, latency, (Float16(), Float32())[latency % 2]) for latency in LATENCIES)
INTERLEAVED = tuple(FP16Params(latency, latency, (Float32(), Float16())[latency % 2]) for latency in LATENCIES)
OTHERS = (
    FP16Params(3, 5), FP16Params(7, 4, Float32(), 3), FP16Params(12, 16, Float32(), 2), FP16Params(5, 1, Float16(), 4),
)  # fmt: skip
CORES = (*NAIVE, *INTERLEAVED, *OTHERS)
