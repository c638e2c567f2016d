"""Pooling on paper: windows written out, the division proved for every sum and count, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from hw_models.pool import KINDS, PoolKind, PoolParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from tests.cosim.epilogue_cases import POOL
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int


def naive(params: PoolParams, window: list[int]) -> int:
    """Return the result of one window of one channel, by the definition."""
    if params.kind == "max":
        return sorted(window)[-1]
    count = len(window) if params.kind == "avg" else params.window
    return floor(Fraction(sum(window), count) + Fraction(1, 2))


@pytest.mark.parametrize("params", POOL, ids=lambda params: params.name)
def test_golden_is_the_definition(params: PoolParams) -> None:
    rng = np.random.default_rng(5)
    for index in range(examples(12)):
        (codes,) = draw(params, rng, CORNERS[index % len(CORNERS)])
        got = params.golden(codes)
        assert got.shape == (len(codes), -(-codes.shape[1] // params.window), params.lanes)
        for packet, at, lane in np.ndindex(got.shape):
            window = codes[packet, at * params.window : (at + 1) * params.window, lane]
            assert got[packet, at, lane] == naive(params, window.tolist())


FORMATS = (Int(8), Int(8, signed=False), Int(4), Int(1), Int(12, signed=False))


@pytest.mark.parametrize("kind", ["avg", "avg_padded"])
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 6, 7, 9, 16, 25, 49])
def test_multiply_and_shift_is_round_half_up_for_every_sum_and_count(kind: PoolKind, form: Int, window: int) -> None:
    params = PoolParams(kind, 1, window, form)
    for count in params.counts:
        sums = np.arange(count * form.min, count * form.max + 1)  # every sum of `count` codes
        from_least = sums - count * form.min
        quotient = ((from_least + count // 2) * params.reciprocal(count)) >> params.shift
        assert np.array_equal(quotient + form.min, np.floor_divide(2 * sums + count, 2 * count))
        assert from_least[-1] + count // 2 == params.greatest_dividend(count)


@pytest.mark.parametrize(
    "params", [p for p in POOL if p.kind != "max" and p.window > 1], ids=lambda params: params.name
)
def test_two_bits_less_behind_the_point_are_wrong_for_some_sum(params: PoolParams) -> None:
    """The bound on the shift is sufficient; it costs one bit at most that is not necessary."""
    shift = params.shift - 2

    def exact(count: int) -> bool:
        dividends = np.arange(params.greatest_dividend(count) + 1)
        wrong = (dividends * -(-(1 << max(shift, 0)) // count)) >> max(shift, 0) != dividends // count
        return not wrong.any()

    assert shift < 0 or not all(exact(count) for count in params.counts)


def test_short_windows_count_what_is_there_or_all() -> None:
    codes = np.array([[[7], [7], [7], [7], [7], [6]]])
    wanted: dict[PoolKind, list[int]] = {"max": [7, 7], "avg": [7, 7], "avg_padded": [7, 3]}
    for kind in KINDS:
        assert PoolParams(kind, 1, 4, Int(4)).golden(codes).reshape(-1).tolist() == wanted[kind]


def test_halves_go_up_on_both_sides_of_zero() -> None:
    codes = np.array([[[-2], [-1], [-1], [0], [0], [1], [1], [2]]])
    assert PoolParams("avg", 1, 2, Int(4)).golden(codes).reshape(-1).tolist() == [-1, 0, 1, 2]


def test_cycles_are_one_per_beat_and_the_latency() -> None:
    assert [PoolParams(kind, 4, 9, Int(8)).cycles([18, 5, 1]) for kind in KINDS] == [25, 27, 27]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoolParams("min", 4, 9, Int(8)), "^pooling: kind is 'min', bound is max, avg, avg_padded; choose one"),  # type: ignore[arg-type]
        (lambda: PoolParams("max", 0, 9, Int(8)), r"lanes is 0, bound is 1\.\.256; choose a value in it$"),
        (lambda: PoolParams("max", 4, 257, Int(8)), r"window is 257, bound is 1\.\.256"),
        (lambda: PoolParams("max", 4, 9, Int(17)), r"format is 17, bound is 1\.\.16"),
        (lambda: PoolParams("max", 4, 9, Int(8)).cycles([3, 0]), r"packet lengths are \[3, 0\], bound is >= 1"),
        (lambda: PoolParams("max", 4, 9, Int(8)).cycles([]), r"packet lengths are \[\]"),
        (lambda: PoolParams("max", 1, 9, Int(8)).golden([[[128]]]), r"codes span 128\.\.128, bound is -128\.\.127"),
        (lambda: PoolParams("max", 2, 9, Int(8)).golden([[[1]]]), r"codes of shape \(1, 1, 1\)"),
        (lambda: PoolParams("max", 1, 9, Int(8)).golden([[[0.5]]]), "type float64"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_same_parameters_same_bytes() -> None:
    assert [params.name for params in POOL[:3]] == [
        "pool_max_i8_x4_w9", "pool_avg_padded_i8_x4_w9", "pool_avg_i8_x4_w9",
    ]  # fmt: skip
    assert emit(POOL[1]) == emit(POOL[1])
