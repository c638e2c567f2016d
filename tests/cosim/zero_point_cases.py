"""Zero-point cores under test: every mix of signs, one column, one bit, raw sums at their least and at 32 bits."""

from __future__ import annotations

from hw_models.systolic import derived_accumulator
from hw_models.zero_point import ZeroPointParams
from workloads.formats import Int


def tight(a: Int, w: Int, cols: int, length: int) -> ZeroPointParams:
    """Return a core whose raw sums are as narrow as the reduction allows."""
    return ZeroPointParams(a, w, derived_accumulator(a, w, length), cols, length)


I8, U8, I4, U4, I2, U2 = (Int(bits, signed) for bits in (8, 4, 2) for signed in (True, False))
CORES = (
    ZeroPointParams(U8, I8, Int(32), 4, 64),
    tight(I8, I8, 3, 40), tight(U8, U8, 4, 17), tight(I8, U4, 1, 5), tight(U4, I8, 5, 9),
    tight(I4, I4, 8, 1), tight(U4, U4, 8, 1), tight(U4, I4, 8, 3), tight(I2, U2, 2, 3),
    tight(Int(1), Int(1), 2, 3), tight(Int(1, False), Int(1), 2, 6), tight(Int(16), Int(16), 2, 4),
    ZeroPointParams(I2, I2, Int(63), 2, 7),
)  # fmt: skip
