"""Scratchpads under test: one bank and many, one port of a kind and several, sizes that are no powers of two."""

from __future__ import annotations

from hw_models.scratchpad import BankedParams
from hw_models.shift_read import ShiftReadParams

BANKED = tuple(
    BankedParams(*size)
    for size in (
        (2, 2, 8, 2, 1), (1, 3, 8, 1, 1), (1, 1, 4, 2, 2), (4, 16, 8, 2, 1), (4, 5, 8, 4, 2), (8, 4, 70, 3, 1),
        (2, 7, 1, 1, 3), (16, 2, 4, 5, 1),
    )
)  # fmt: skip
SHIFTS = tuple(
    ShiftReadParams(*size) for size in ((64, 8), (37, 8), (1, 4), (18, 1, 4), (100, 32, 10), (128, 8, 16), (2, 8, 3))
)
CORES = (*BANKED, *SHIFTS)
