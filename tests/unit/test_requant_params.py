"""Requantiser on paper: the formula in unbounded integers, widths that are least, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from hw_models.requant import RequantParams
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from tests.cosim.epilogue_cases import REQUANT
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int


def rounded(value: Fraction, even: bool) -> int:
    """Return the nearest integer; a half goes up, or to the even neighbour."""
    return round(value) if even else floor(value + Fraction(1, 2))


def naive(params: RequantParams, at: tuple[int, int], operands: tuple[np.ndarray, ...]) -> int:
    """Return one result by the definition, in unbounded integers."""
    m, n = at
    x, bias, multiplier, shift = (
        int(one[m, n] if index == 0 else one[n]) for index, one in enumerate(operands[:4])
    )  # fmt: skip
    total = (x + bias) * multiplier
    if params.residual:
        r, factor, zero = operands[5:]
        total += (int(r[m, n]) - int(zero)) * int(factor[n])
    point, low, high = (int(one) for one in operands[4])
    return max(low, min(high, point + rounded(Fraction(total, 1 << shift), params.rounding == "half_even")))


@pytest.mark.parametrize("params", REQUANT, ids=lambda params: params.name)
def test_golden_is_the_definition(params: RequantParams) -> None:
    rng = np.random.default_rng(5)
    met: set[int] = set()
    for index in range(examples(24)):
        operands = draw(params, rng, CORNERS[index % len(CORNERS)])
        got = params.golden(*operands)
        for at in np.ndindex(got.shape):
            assert got[at] == naive(params, at, operands)
        met |= set(got.reshape(-1).tolist())
    assert len(met) > min(30, (1 << params.output_format.bits) // 2)  # not just the ends of the clamp


def ends(params: RequantParams) -> tuple[int, int]:
    """Return the least and the greatest sum that operands give, by trying all their ends."""
    form, most = params.accumulator_format, (1 << params.multiplier_bits) - 1
    spans = [0] if not params.residual else [params.residual.min - params.residual.max]
    spans += [-span for span in spans]
    sums = [2 * end * most + span * most for end in (form.min, form.max) for span in spans]
    return min(sums), max(sums)


@pytest.mark.parametrize("params", REQUANT, ids=lambda params: params.name)
def test_widths_are_least_and_within_64_bits(params: RequantParams) -> None:
    least, greatest = ends(params)
    assert params.sum_range == (least, greatest)
    assert Int(params.sum_bits).min <= least <= greatest <= Int(params.sum_bits).max
    assert least < Int(params.sum_bits - 1).min or greatest > Int(params.sum_bits - 1).max
    value = Int(params.value_bits)
    out = params.output_format
    assert value.min <= least + out.min <= greatest + 1 + out.max <= value.max
    assert params.value_bits <= 64


def test_the_greatest_sum_of_all_is_exact() -> None:
    """Accumulator and bias at their ends, the widest multiplier, no shift: 64 bits are just enough."""
    params = RequantParams(1, Int(16), rounding="half_even")
    most = (1 << 31) - 1
    for x in (-1 << 31, (1 << 31) - 1):
        for shift in (0, 1, 16, 47):
            operands = tuple(np.array(one) for one in ([[x]], [x], [most], [shift], [-32768, -32768, 32767]))
            assert params.golden(*operands)[0, 0] == naive(params, (0, 0), operands)


def test_halves_go_up_or_to_the_even_neighbour() -> None:
    x = np.array([[-5, -3, -1, 1, 3, 5]])
    coefficients = (np.zeros(6, int), np.ones(6, int), np.ones(6, int), [0, -128, 127])
    assert RequantParams(4).golden(x, *coefficients).tolist() == [[-2, -1, 0, 1, 2, 3]]
    assert RequantParams(4, rounding="half_even").golden(x, *coefficients).tolist() == [[-2, -2, 0, 0, 2, 2]]


def test_relu_is_a_low_end_at_the_zero_point() -> None:
    x = np.arange(-300, 300)[:, None]
    got = RequantParams(4).golden(x, [0], [1], [1], [-10, -10, 127])
    assert got[:, 0].tolist() == [min(127, max(0, floor(one / 2 + 0.5)) - 10) for one in range(-300, 300)]


def test_residual_has_its_own_scale_and_is_rounded_once() -> None:
    """0.25 + 0.25 is a half: rounded before they are added, both were 0."""
    params = RequantParams(4, multiplier_bits=30, residual=Int(8))
    assert params.golden([[1]], [0], [1], [2], [0, -128, 127], [[4]], [1], 3).tolist() == [[1]]


def test_cycles_are_one_per_vector_and_the_latency() -> None:
    plain, added = RequantParams(4), RequantParams(4, multiplier_bits=30, residual=Int(8))
    shapes = ((1, 1), (1, 5), (10, 8))
    assert [plain.cycles(*shape) for shape in shapes] == [6, 7, 25]
    assert [added.cycles(*shape) for shape in shapes] == [7, 8, 26]


GOOD = ([[0]], [0], [1], [0], [0, -128, 127])
ADDED = RequantParams(1, multiplier_bits=30, residual=Int(8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RequantParams(0), r"^requantiser: lanes is 0, bound is 1\.\.256; choose a width in it$"),
        (lambda: RequantParams(1, accumulator_bits=33), r"accumulator_bits is 33, bound is 2\.\.32"),
        (lambda: RequantParams(1, multiplier_bits=15), r"multiplier_bits is 15, bound is 16\.\.31"),
        (lambda: RequantParams(1, multiplier_bits=32), "multiplier_bits is 32"),
        (lambda: RequantParams(1, Int(17)), "output_format is 17"),
        (lambda: RequantParams(1, residual=Int(17)), "residual is 17"),
        (lambda: RequantParams(1, rounding="down"), "rounding is 'down', bound is half_up or half_even"),  # type: ignore[arg-type]
        (lambda: RequantParams(1, residual=Int(8)), "need 65 bits, bound is 64; narrow the multipliers"),
        (lambda: RequantParams(1).cycles(1, 0), "a result of 1 x 0"),
        (lambda: RequantParams(1).golden([[1 << 31]], *GOOD[1:]), "accumulators span 2147483648"),
        (lambda: RequantParams(1).golden([0], *GOOD[1:]), r"accumulators \(1,\), bound is \(M, N\)"),
        (lambda: RequantParams(1).golden([[0.5]], *GOOD[1:]), "type float64"),
        (lambda: RequantParams(1).golden([[0]], [0, 0], [1], [0], GOOD[4]), r"biases of shape \(2,\)"),
        (lambda: RequantParams(1).golden([[0]], [0], [-1], [0], GOOD[4]), r"multipliers span -1\.\.-1"),
        (lambda: RequantParams(1).golden([[0]], [0], [1], [48], GOOD[4]), r"shifts span 48\.\.48, bound is 0\.\.47"),
        (lambda: RequantParams(1).golden(*GOOD[:4], [128, 0, 1]), r"zero point, low and high span 0\.\.128"),
        (lambda: RequantParams(1).golden(*GOOD[:4], [0, 1, 0]), r"clamp is 1\.\.0, bound is low <= high"),
        (lambda: RequantParams(1).golden(*GOOD, [[0]], [1], 0), "3 of the three residual operands given, bound is no"),
        (lambda: ADDED.golden(*GOOD), "0 of the three residual operands given, bound is three"),
        (lambda: ADDED.golden(*GOOD, [[128]], [1], 0), r"residual codes span 128\.\.128"),
        (lambda: ADDED.golden(*GOOD, [[0]], [1 << 30], 0), "residual multipliers span"),
        (lambda: ADDED.golden(*GOOD, [[0]], [1], 200), "residual zero point span"),
    ],
)  # fmt: skip
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_same_parameters_same_bytes() -> None:
    assert [params.name for params in REQUANT[:4]] == [
        "requant_i32_i8_x4", "requant_i32_i8_x3_even", "requant_i32_i8_x4_add_i8", "requant_i32_u8_x1_add_u8_even",
    ]  # fmt: skip
    assert emit(REQUANT[3]) == emit(REQUANT[3])
