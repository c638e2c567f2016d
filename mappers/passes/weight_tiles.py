"""Weight tiles through a FIFO: a matrix product on an array that is given whole tiles of weights (TPU v1 style).

Tiles of `rows` x `cols` weights come from the weight memory into a FIFO of `fifo_tiles`; a tile is shifted into the
array behind a shadow while the tile before it works on its `m` vectors. The slowest of fetch, shift and vectors sets
the pace.
"""

from __future__ import annotations

from fractions import Fraction

from mappers.passes.plan import LayerPasses, StageSpec, shares
from workloads.errors import InputError


def plan_weight_tiles(
    name: str, m: int, k: int, n: int, rows: int, cols: int, memory_bytes_per_cycle: Fraction, fifo_tiles: int = 4
) -> LayerPasses:
    """Return an `m` x `k` x `n` product as passes, one per weight tile; a weight is one byte.

    Raises
    ------
    InputError
        If a size is below one.
    """
    for key, value in (("m", m), ("k", k), ("n", n), ("rows", rows), ("cols", cols), ("fifo_tiles", fifo_tiles)):
        if value < 1:
            raise InputError(f"product '{name}': {key} is {value}, bound is >= 1; correct it")
    tiles = -(-k // rows) * -(-n // cols)
    fetched = tiles * rows * cols
    fetch = shares(Fraction(fetched) / memory_bytes_per_cycle, [1] * tiles)
    return LayerPasses(
        name,
        m * k * n,
        (StageSpec("fetch", "weights", fifo_tiles), StageSpec("shift", "shadow", 1), StageSpec("array", "array", 2)),
        tuple((cycles, rows, m) for cycles in fetch),
        {"dram": {"weight": fetched}},
    )
