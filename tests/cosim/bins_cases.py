"""Bin-accumulate cores under test: one bit of index to five, one lane and several, sums and bins that just fit."""

from __future__ import annotations

from hw_models.bins import BinsParams
from workloads.formats import Int

CORES = (
    BinsParams(Int(8), (0, 3, -7, 100)),
    BinsParams(Int(4), (0, 5), longest=64),
    BinsParams(Int(4, signed=False), (0, -1, 7, 2, -8, 4, 1, 3), longest=300, lanes=3, accumulator_bits=20),
    BinsParams(Int(8, signed=False), tuple((-1) ** i * i * i for i in range(16)), lanes=2, accumulator_bits=28),
    BinsParams(Int(4), (0, 127, -128, 1), longest=8, lanes=4, accumulator_bits=14),  # sums wrap
    BinsParams(Int(2), (0, 1, 0, -1), longest=1000, accumulator_bits=4),  # bins as wide as the sum wrap with it
    BinsParams(Int(8), tuple(range(0, 320, 10)), longest=128),
)
