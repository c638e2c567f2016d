"""Epilogue cores under test: narrow and wide formats, one lane and odd numbers of lanes, both roundings."""

from __future__ import annotations

from hw_models.pool import PoolParams
from hw_models.requant import RequantParams
from hw_models.thresholds import ThresholdParams
from workloads.formats import Int

I8, U8, I4, U4 = (Int(bits, signed) for bits in (8, 4) for signed in (True, False))
REQUANT = (
    RequantParams(4),
    RequantParams(3, rounding="half_even"),
    RequantParams(4, multiplier_bits=30, residual=I8),
    RequantParams(1, U8, 32, 24, "half_even", U8),
    RequantParams(2, U4, 20, 16),
    RequantParams(5, Int(16), 24, 31, "half_even", I4),
    RequantParams(2, Int(1), 2, 16, residual=Int(1)),
    RequantParams(2, Int(16), 2, 16),
    RequantParams(7, Int(1, signed=False), 9, 17, "half_even"),
    RequantParams(4, I8, 8, 16),
    RequantParams(4, I4, 8, 31, "half_even", U8),
    RequantParams(3, U4, 10, 20, residual=I4),
)
THRESHOLDS = (
    ThresholdParams(4, U4),
    ThresholdParams(3, I4, 16),
    ThresholdParams(2, Int(1, signed=False), 24),
    ThresholdParams(5, Int(1), 1),
    ThresholdParams(2, Int(2), 8),
    ThresholdParams(2, Int(6), 10),
    ThresholdParams(3, Int(3, signed=False), 10),
)
POOL = (
    PoolParams("max", 4, 9, I8),
    PoolParams("avg_padded", 4, 9, I8),
    PoolParams("avg", 4, 9, I8),
    PoolParams("avg_padded", 3, 4, U8),
    PoolParams("avg", 3, 4, U8),
    PoolParams("max", 5, 1, U4),
    PoolParams("avg", 2, 1, I8),
    PoolParams("avg_padded", 2, 1, I4),
    PoolParams("max", 2, 2, U4),
    PoolParams("avg", 2, 3, Int(3)),
    PoolParams("avg_padded", 2, 3, Int(3)),
    PoolParams("avg_padded", 4, 5, Int(2)),
    PoolParams("max", 3, 8, Int(1, signed=False)),
    PoolParams("avg", 2, 49, U4),
    PoolParams("avg_padded", 1, 64, Int(16)),
    PoolParams("avg", 2, 16, Int(16, signed=False)),
)
CORES: tuple[object, ...] = (*REQUANT, *THRESHOLDS, *POOL)
