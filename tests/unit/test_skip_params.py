"""Zero-skipping rows on paper: golden and cycles against a row written out step by step, storage, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.zero_skip import SkipParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import stream_work
from tests.cosim.skip_cases import CORES
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

ROW = SkipParams(Int(8), Int(8), pes=2, block=4)


def stepped(params: SkipParams, a: np.ndarray, w: np.ndarray) -> tuple[list[list[int]], int]:
    """Return sums and cycles of a row that is played cycle by cycle, weight by weight."""
    sums, cycles = [], 0
    for x, rows in zip(a.tolist(), w.tolist(), strict=True):
        total = [0] * params.pes
        for start in range(0, len(x), params.block):
            queues = [
                [(x[j], row[j]) for j in range(start, min(start + params.block, len(x))) if row[j]] for row in rows
            ]
            while True:
                cycles += 1
                for pe, queue in enumerate(queues):
                    if queue:
                        value, weight = queue.pop(0)
                        total[pe] += value * weight
                if not any(queues):
                    break
        half = 1 << (params.accumulator_bits - 1)
        sums.append([(one + half) % (2 * half) - half for one in total])
    return sums, cycles + 3


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.pes}x{params.block}")
def test_golden_and_cycles_are_those_of_the_row_played_out(params: SkipParams) -> None:
    rng = np.random.default_rng(3)
    for index in range(examples(20)):
        a, w = draw(params, rng, CORNERS[index % 4])
        sums, cycles = stepped(params, a, w)
        assert params.golden(a, w).tolist() == sums
        assert params.cycles([a.shape[1]] * len(a), (a, w)) == cycles


def test_cycles_of_empty_dense_and_uneven_blocks() -> None:
    a = np.ones((1, 4), dtype=np.int64)
    for rows, cycles in (
        ([[0, 0, 0, 0], [0, 0, 0, 0]], 1),
        ([[1, 1, 1, 1], [1, 1, 1, 1]], 4),
        ([[0, 0, 0, 0], [0, 3, 0, 9]], 2),
    ):
        assert ROW.cycles([4], (a, np.array([rows]))) == cycles + ROW.FIXED_CYCLES


def test_statistics_tell_ideal_from_obtained() -> None:
    even = np.tile([1, 0, 0, 0], (1, 2, 4))  # every PE one weight per block
    uneven = np.concatenate([np.ones((1, 1, 16), dtype=np.int64), np.zeros((1, 1, 16), dtype=np.int64)], axis=1)
    found = ROW.statistics(even)
    assert (found.ideal_speedup, found.obtained_speedup, found.balance) == (4.0, 4.0, 1.0)
    found = ROW.statistics(uneven)
    assert (found.ideal_speedup, found.obtained_speedup, found.balance) == (2.0, 1.0, 0.5)
    empty = ROW.statistics(np.zeros((1, 2, 16), dtype=np.int64))
    assert (empty.obtained_cycles, empty.ideal_cycles) == (4, 1)


@settings(max_examples=examples(60))
@given(seed=st.integers(0, 2**32 - 1), keep=st.floats(0, 1), pes=st.integers(1, 6), block=st.integers(1, 9))
def test_obtained_lies_between_ideal_and_dense(seed: int, keep: float, pes: int, block: int) -> None:
    params = SkipParams(Int(8), Int(8), pes, block)
    rng = np.random.default_rng(seed)
    w = rng.integers(-128, 128, (2, pes, 4 * block)) * (rng.random((2, pes, 4 * block)) < keep)
    found = params.statistics(w)
    assert found.ideal_cycles <= found.obtained_cycles <= found.dense_cycles


def test_stored_bits_are_the_bits_that_travel() -> None:
    rng = np.random.default_rng(4)
    for params in CORES:
        a, w = draw(params, rng, "random")
        inputs = stream_work(params, a, w).inputs
        words = sum(len(beats.data) for port, beats in inputs.items() if "_v" in port)
        maps = len(inputs["s_axis_m"].data) * params.pes * params.block if params.form == "bitmap" else 0
        assert params.stored_bits(w) == words * params.value_word_bits + maps


def test_required_bits_and_sources() -> None:
    assert ROW.required_accumulator_bits(1) == 16
    assert SkipParams(Int(8, False), Int(8, False), 1, 1).required_accumulator_bits(2) == 18
    assert emit(ROW) == emit(ROW)
    assert f"module {ROW.name} " in emit(ROW)[f"{ROW.name}.sv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pes": 0}, "pes is 0, bound is 1..64"),
        ({"block": 65}, "block is 65, bound is 1..64"),
        ({"form": "csr"}, "form is 'csr', bound is 'bitmap' or 'coordinate'"),
        ({"input_format": Int(17)}, "input_format is int17, bound is 16 bits"),
        ({"accumulator_bits": 15}, "accumulator_bits is 15, bound is 16..63"),
        ({"accumulator_bits": 64}, "accumulator_bits is 64, bound is 16..63"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(change: dict[str, object], message: str) -> None:
    legal: dict[str, object] = {"input_format": Int(8), "weight_format": Int(8), "pes": 2, "block": 4}
    with pytest.raises(InputError, match=message.replace("..", r"\.\.")):
        SkipParams(**{**legal, **change})  # type: ignore[arg-type]


def test_wrong_operands_are_refused() -> None:
    a, w = np.ones((1, 4), dtype=np.int64), np.ones((1, 2, 4), dtype=np.int64)
    with pytest.raises(InputError, match=r"bound is \(reductions, length\) and \(reductions, 2, length\)"):
        ROW.golden(a, w[:, :1])
    with pytest.raises(InputError, match=r"weights span 200\.\.200"):
        ROW.golden(a, 200 * w)
    with pytest.raises(InputError, match="operands hold 1 reductions of 4"):
        ROW.cycles([5], (a, w))
    with pytest.raises(InputError, match="reduction length is 0"):
        ROW.required_accumulator_bits(0)
