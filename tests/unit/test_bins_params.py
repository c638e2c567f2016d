"""Bin-accumulate cores on paper: sums against the definition and the decoding core, cycles, widths, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.bins import BinsParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from tests.cosim.bins_cases import CORES
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

CORE = BinsParams(Int(8), (0, 1, -3, 7))


def stepped_cycles(params: BinsParams, lengths: list[int]) -> int:
    """Return the cycles of a core that is played edge by edge: bins, copies, multiplier, handshake."""
    edge = at = 0
    held = [-(-length // params.lanes) for length in lengths]  # beats still to be binned
    full, left, ends = False, 0, []
    while len(ends) < len(lengths):
        edge += 1
        copied = full and left <= 1
        if left == 1:
            ends.append(edge + 2)  # product at this edge, sum at the next, handshake after that
        left = params.multiplies_per_output if copied else max(0, left - 1)
        if copied:
            full = False
        if not full and at < len(held):
            held[at] -= 1
            if held[at] == 0:
                at, full = at + 1, True
    return ends[-1]


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.lanes}")
def test_golden_is_the_decoding_core_and_the_sum_written_out(params: BinsParams) -> None:
    rng = np.random.default_rng(2)
    half = 1 << (params.accumulator_bits - 1)
    for index in range(examples(20)):
        a, w = draw(params, rng, CORNERS[index % 4])
        sums = params.golden(a, w).tolist()
        assert sums == params.decoding_core.golden(a, w).tolist()
        for row, total in enumerate(sums):
            plain = sum(x * params.table[i] for x, i in zip(a[row].tolist(), w[row].tolist(), strict=True))
            assert total == (plain + half) % (2 * half) - half


@settings(max_examples=examples(100))
@given(bits=st.integers(1, 5), lanes=st.integers(1, 4), lengths=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_cycles_are_those_of_the_core_played_out(bits: int, lanes: int, lengths: list[int]) -> None:
    params = BinsParams(Int(8), tuple(range(1 << bits)), lanes=lanes)
    assert params.cycles(lengths) == stepped_cycles(params, lengths)


@settings(max_examples=examples(40))
@given(bits=st.integers(1, 4), length=st.integers(1, 40))
def test_crossover_is_where_multiplies_are_saved(bits: int, length: int) -> None:
    params = BinsParams(Int(8), tuple(range(1 << bits)))
    assert params.crossover_length == 1 << bits
    assert (params.multiplies_saved(length) > 0) == (length >= params.crossover_length)


def test_bins_hold_the_longest_reduction_of_extremes() -> None:
    params = BinsParams(Int(8), (0, 1), longest=256)
    assert params.bin_bits == 16
    assert BinsParams(Int(8), (0, 1), longest=257).bin_bits == 17
    assert BinsParams(Int(8, signed=False), (0, 1), longest=257).bin_bits == 17
    assert BinsParams(Int(8), (0, 1), longest=1 << 20, accumulator_bits=20).bin_bits == 20


def test_zero_share() -> None:
    assert CORE.zero_share(np.array([[0, 1, 2, 0]])) == 0.5


def test_same_parameters_same_bytes() -> None:
    assert emit(CORE) == emit(CORE)
    assert f"module {CORE.name} " in emit(CORE)[f"{CORE.name}.sv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": (1, 0)}, "bound is 0; put the exact zero first"),
        ({"table": ()}, "bound is 0; put the exact zero first"),
        ({"table": (0, 1, 2)}, "bound is a power of two"),
        ({"table": tuple(range(128))}, "table has 128 entries, bound is 64"),
        ({"lanes": 0}, "lanes is 0, bound is 1..64"),
        ({"longest": 0}, "longest is 0, bound is 1..16777216"),
        ({"input_format": Int(17)}, "input_format is int17, bound is 16 bits"),
        ({"accumulator_bits": 5}, "widen the accumulator"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(change: dict[str, object], message: str) -> None:
    legal: dict[str, object] = {"input_format": Int(8), "table": (0, 1)}
    with pytest.raises(InputError, match=message.replace("..", r"\.\.")):
        BinsParams(**{**legal, **change})  # type: ignore[arg-type]


def test_wrong_operands_are_refused() -> None:
    one = np.ones((1, 4), dtype=np.int64)
    with pytest.raises(InputError, match=r"weight indices span 4\.\.4, bound is 0\.\.3"):
        CORE.golden(one, 4 * one)
    with pytest.raises(InputError, match=r"activations span 300\.\.300"):
        CORE.golden(300 * one, one)
    with pytest.raises(InputError, match="raise `longest`"):
        BinsParams(Int(8), (0, 1), longest=3).golden(one, one)
    with pytest.raises(InputError, match=r"reduction lengths are \[3, 5000\], bound is 1\.\.4096"):
        CORE.cycles([3, 5000])
