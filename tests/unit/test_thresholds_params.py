"""Threshold bank on paper: counting written out, equality with requantisers on every accumulator, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hw_models.requant import ROUNDINGS, RequantParams, Rounding
from hw_models.thresholds import ThresholdParams, requantiser_thresholds, thresholds_of
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import stream_work
from tests.cosim.epilogue_cases import THRESHOLDS
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

EVERY_16_BITS = np.arange(-(1 << 15), 1 << 15, dtype=np.int64)


@pytest.mark.parametrize("params", THRESHOLDS, ids=lambda params: params.name)
def test_golden_counts_the_thresholds(params: ThresholdParams) -> None:
    rng = np.random.default_rng(5)
    for index in range(examples(16)):
        x, bank = draw(params, rng, CORNERS[index % len(CORNERS)])
        got = params.golden(x, bank)
        for m, n in np.ndindex(got.shape):
            count = sum(int(threshold) <= int(x[m, n]) for threshold in bank[n])
            assert got[m, n] == params.output_format.min + count


def channels_of(params: RequantParams, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
    """Return coefficients whose codes change within 16 bits; the last channels are the ends of their ranges."""
    shift = rng.integers(12, 40, count)
    least = np.maximum(1.0, 2.0 ** (shift + params.output_format.bits - 18))
    factor = np.minimum(least * 64 ** rng.random(count), 2**31 - 1).astype(np.int64)
    bias = rng.integers(-3000, 3000, count)
    bias[-3:], factor[-3:], shift[-3:] = (-32768, 32767, 0), (0, 2**31 - 1, 1), (0, 0, 47)
    return bias, factor, shift


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("form", [Int(8), Int(4, signed=False), Int(1), Int(2), Int(7, signed=False)], ids=str)
def test_a_requantiser_and_its_thresholds_agree_on_every_16_bit_accumulator(form: Int, rounding: Rounding) -> None:
    rng = np.random.default_rng(form.bits)
    params = RequantParams(4, form, 16, 31, rounding)
    for zero, low, high in (
        (0, form.min, form.max),
        (form.max, form.min, form.max),
        (form.min, form.min + 1, form.max),
    ):
        coefficients = channels_of(params, rng, 12)
        operands = (*coefficients, np.array([zero, low, high]))
        bank, thresholds = requantiser_thresholds(params, *operands)
        x = np.repeat(EVERY_16_BITS[:, None], 12, axis=1)
        wanted = params.golden(x, *operands)
        assert np.array_equal(bank.golden(x, thresholds), wanted)
        assert low == form.max or (np.ptp(wanted[:, :-3], axis=0) > 0).any()  # codes do change


@pytest.mark.parametrize("accumulator_bits", [1, 2, 3, 9])
def test_thresholds_of_any_rising_function_are_exact(accumulator_bits: int) -> None:
    """Every rising function of few accumulators, among them constant ones: thresholds always and never reached."""
    rng = np.random.default_rng(accumulator_bits)
    params = ThresholdParams(2, Int(2), accumulator_bits)
    form = params.accumulator_format
    every = np.arange(form.min, form.max + 1)[:, None]
    table = np.sort(rng.integers(-2, 2, (1 << accumulator_bits, 200)), axis=0)
    table[:, :4] = [-2, -1, 0, 1]

    def codes(x: np.ndarray) -> np.ndarray:
        return np.take_along_axis(table, x - form.min, axis=0)

    bank = thresholds_of(params, 200, codes)
    assert np.array_equal(params.golden(np.repeat(every, 200, axis=1), bank), table)
    assert (bank[0] == params.never).all() and (bank[3] == form.min).all()


def test_32_bit_thresholds_of_a_requantiser_are_where_its_code_changes() -> None:
    params = RequantParams(4, Int(4), rounding="half_even")
    operands = (np.array([-5, 1 << 20, 0]), np.array([1 << 30, 3, 2**31 - 1]), np.array([40, 20, 47]), [2, -6, 7])
    bank, thresholds = requantiser_thresholds(params, *operands)
    for step in (-1, 0):
        x = np.clip(thresholds.T + step, -(1 << 31), (1 << 31) - 1)
        assert np.array_equal(bank.golden(x, thresholds), params.golden(x, *operands))


@pytest.mark.parametrize("params", THRESHOLDS, ids=lambda params: params.name)
def test_order_names_each_threshold_once_parents_first(params: ThresholdParams) -> None:
    order = params.order
    assert sorted(order) == list(range(params.thresholds))
    for node in range(2, params.thresholds + 1):
        parent, child = order[node // 2 - 1], order[node - 1]
        assert (child > parent) == bool(node % 2)


def test_cycles_are_the_longer_of_vectors_and_thresholds() -> None:
    params = ThresholdParams(4, Int(3))  # 7 thresholds
    assert params.latency_cycles == 4
    shapes = ((1, 1), (1, 4), (10, 4), (1, 5), (10, 5), (7, 12))
    assert [params.cycles(*shape) for shape in shapes] == [11, 11, 20, 18, 30, 31]
    rng = np.random.default_rng(0)
    for m, n in shapes:
        x, bank = rng.integers(-9, 9, (m, n)), np.sort(rng.integers(-9, 9, (n, 7)), axis=1)
        assert stream_work(params, x, bank).cycles == played(params, m, -(-n // 4))


def played(params: ThresholdParams, m: int, tiles: int) -> int:
    """Return the time cycle by cycle: two slots, one beat of thresholds and one vector a cycle."""
    cycle, loaded, taken = 0, 0, 0
    while taken < tiles * m:
        free, whole = taken // m + 2, loaded // params.thresholds
        vector = taken // m < whole
        loaded += loaded < min(free, tiles) * params.thresholds
        taken += vector
        cycle += 1
    return cycle - 1 + params.latency_cycles


BANK = ThresholdParams(1, Int(1), 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ThresholdParams(0, Int(4)), r"^threshold bank: lanes is 0, bound is 1\.\.256; choose a width in it$"),
        (lambda: ThresholdParams(1, Int(9)), r"output_format is 9, bound is 1\.\.8"),
        (lambda: ThresholdParams(1, Int(4), 33), r"accumulator_bits is 33, bound is 1\.\.32"),
        (lambda: BANK.cycles(0, 1), "a result of 0 x 1"),
        (lambda: BANK.golden([[8]], [[0]]), r"accumulators span 8\.\.8, bound is -8\.\.7"),
        (lambda: BANK.golden([[0]], [[16]]), r"thresholds span 16\.\.16, bound is -16\.\.15"),
        (lambda: BANK.golden([[0]], [[0, 1]]), r"thresholds \(1, 2\), bound is \(M, N\) and \(N, 1\)"),
        (lambda: BANK.golden([[0.5]], [[0]]), "not integers; round thresholds upwards"),
        (lambda: ThresholdParams(1, Int(2)).golden([[0, 0]], [[0, 1, 1], [3, 2, 4]]), "thresholds of channel 1 fall"),
        (
            lambda: requantiser_thresholds(RequantParams(1, multiplier_bits=16, residual=Int(8)), [0], [1], [0], [0]),
            "a residual depends on the place",
        ),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_same_parameters_same_bytes() -> None:
    assert THRESHOLDS[0].name == "threshold_i32_u4_x4"
    assert emit(THRESHOLDS[0]) == emit(THRESHOLDS[0])
