"""N:M reduction cores under test: every kind of value, all of a group kept, one value, one lane and an odd number."""

from __future__ import annotations

from hw_models.topk import TopKParams
from workloads.formats import Float16, Int

I8, U8, I4, I3, U4, I1 = Int(8), Int(8, False), Int(4), Int(3), Int(4, False), Int(1)
CORES = (
    TopKParams(2, 4, I8, 4), TopKParams(2, 8, I8, 3), TopKParams(1, 4, U8, 1), TopKParams(4, 8, I4, 2),
    TopKParams(1, 1, I4, 3), TopKParams(3, 5, U4, 2), TopKParams(16, 16, I4, 1), TopKParams(1, 16, Float16(), 2),
    TopKParams(2, 8, Float16(), 1), TopKParams(2, 4, I1, 1), TopKParams(3, 3, Int(32), 1), TopKParams(2, 4, I3, 1),
    TopKParams(1, 3, I3, 5), TopKParams(3, 4, I3, 4),
)  # fmt: skip
