"""Zero-skipping rows under test: both forms, one PE, odd blocks, blocks of one, several widths."""

from __future__ import annotations

from hw_models.zero_skip import SkipParams
from workloads.formats import Int

CORES = (
    SkipParams(Int(8), Int(8), pes=4, block=8, form="bitmap"),
    SkipParams(Int(8), Int(8), pes=4, block=8, form="coordinate"),
    SkipParams(Int(8, signed=False), Int(4), pes=1, block=16, form="bitmap", accumulator_bits=18),
    SkipParams(Int(4), Int(4, signed=False), pes=3, block=5, form="coordinate", accumulator_bits=14),
    SkipParams(Int(2), Int(2), pes=2, block=4, form="bitmap", accumulator_bits=4),  # wraps
    SkipParams(Int(2), Int(2), pes=2, block=4, form="coordinate", accumulator_bits=8),
    SkipParams(Int(8), Int(8), pes=2, block=1, form="bitmap"),
    SkipParams(Int(8), Int(8), pes=2, block=1, form="coordinate"),
    SkipParams(Int(4), Int(8, signed=False), pes=7, block=3, form="bitmap"),
)
