"""Stream fabric under test: depths that are and are not powers of two, one bit and wide words, one port and many."""

from __future__ import annotations

from hw_models.fabric import ArbiterParams, FifoParams, SkidParams

FIFOS = tuple(FifoParams(*size) for size in ((2, 8), (3, 8), (4, 1), (5, 8), (8, 16), (17, 100)))
SKIDS = tuple(SkidParams(bits) for bits in (1, 8, 100))
ARBITERS = tuple(ArbiterParams(*size) for size in ((1, 4), (2, 8), (3, 8), (4, 16), (5, 8), (8, 70)))
CORES = (*FIFOS, *SKIDS, *ARBITERS)
