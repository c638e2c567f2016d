"""Dot-product cores on paper: widths, cycles, what they refuse, and products against their definition."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.dot import DotParams
from hw_models.products import IntProduct, NMProduct, Product, signed_bits
from hw_models.products_narrow import SelectProduct, XnorProduct
from hw_models.products_power import PowerProduct
from hw_models.products_table import CodebookProduct, OddProduct, ShiftProduct, SplitProduct
from rtl.emit import emit
from rtl.stimulus import draw
from tests.cosim.dot_cases import CORES, KINDS
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_extremes_are_the_extremes_of_all_pairs(kind: Product) -> None:
    left, right = kind.alphabets
    a, w = (grid.reshape(-1, 1) for grid in np.meshgrid(left, right, indexing="ij"))
    values = kind.pair_values(a, w)
    assert kind.extremes == (values.min(), values.max())
    least, greatest = (kind.terms * int(bound) for bound in (min(values.min(), 0), max(values.max(), 0)))
    assert signed_bits(least, greatest) == kind.product_bits


@pytest.mark.parametrize("params", CORES, ids=lambda params: params.name)
def test_golden_is_the_sum_of_products_written_out(params: DotParams) -> None:
    rng = np.random.default_rng(1)
    for _ in range(3):
        a, w = draw(params, rng, "random")
        sums = params.golden(a, w)
        for row, total in enumerate(sums):
            assert total == sum(
                int(params.product.pair_values(a[row : row + 1, j : j + 1], w[row : row + 1, j : j + 1])[0, 0])
                for j in range(a.shape[1])
            )


@pytest.mark.parametrize("params", CORES, ids=lambda params: params.name)
def test_required_bits_are_enough_and_least(params: DotParams) -> None:
    least, greatest = params.product.extremes
    for length in (params.product.elements, 512 * params.product.elements):
        bits = params.required_accumulator_bits(length)
        terms = length // params.product.elements * params.product.terms
        low, high = terms * min(least, 0), terms * max(greatest, 0)
        assert -(1 << (bits - 1)) <= low
        assert high < 1 << (bits - 1)
        assert bits == 1 or low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)


def test_beats_and_latency() -> None:
    core = DotParams(IntProduct(Int(8), Int(8)), lanes=4)
    assert (core.tree_levels, core.latency_cycles) == (2, 5)
    assert core.cycles([4]) == 5
    assert core.cycles([5, 1, 8]) == 2 + 1 + 2 - 1 + 5
    assert DotParams(NMProduct(2, 4, Int(8), Int(8)), lanes=2).beats([8, 9]) == 3


@settings(max_examples=examples(60))
@given(bits=st.integers(2, 6), inverse=st.integers(1, 4))
def test_power_forms_agree_exactly_where_theory_says_so(bits: int, inverse: int) -> None:
    exponent = Fraction(1, inverse)
    decode, table = (PowerProduct(bits, exponent, form) for form in ("decode", "table"))
    a, w = np.meshgrid(*decode.alphabets, indexing="ij")
    assert (decode.pair_values(a, w) == table.pair_values(a, w)).all()
    assert (decode.activation_values(a) == np.sign(a) * np.abs(a) ** inverse).all()
    if inverse == 2:
        assert (PowerProduct(bits, exponent, "square").pair_values(a, w) == table.pair_values(a, w)).all()
    if inverse == 1:
        assert (decode.pair_values(a, w) == a * w).all()


@settings(max_examples=examples(40))
@given(bits=st.integers(2, 5), numerator=st.integers(2, 6), more=st.integers(1, 5), fraction=st.integers(1, 6))
def test_power_forms_differ_within_the_bound_elsewhere(bits: int, numerator: int, more: int, fraction: int) -> None:
    exponent = Fraction(numerator, numerator + more)
    if (1 / exponent).denominator == 1:
        return
    decode, table = (PowerProduct(bits, exponent, form, fraction) for form in ("decode", "table"))
    a, w = np.meshgrid(*decode.alphabets, indexing="ij")
    difference = np.abs(decode.pair_values(a, w) - table.pair_values(a, w)).max()
    assert difference <= decode.product_difference_bound
    exact = np.abs(a).astype(float) ** float(1 / exponent) * 2.0**fraction
    assert np.abs(np.abs(decode.activation_values(a)) - exact).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NMProduct(5, 4, Int(8), Int(8)), "bound is 1 <= N <= M <= 16"),
        (lambda: NMProduct(2, 17, Int(8), Int(8)), "bound is 1 <= N <= M <= 16"),
        (lambda: DotParams(IntProduct(Int(8), Int(8)), 0), "lanes is 0, bound is 1..256"),
        (lambda: DotParams(IntProduct(Int(8), Int(8)), 4, 17), "needs 18; widen the accumulator"),
        (lambda: XnorProduct(0), "bits is 0"),
        (lambda: OddProduct(Int(4), 0), "bits is 0"),
        (lambda: ShiftProduct(Int(8), 31), "largest_exponent is 31"),
        (lambda: CodebookProduct(Int(8), (1, 2, 3)), "bound is a power of two"),
        (lambda: SplitProduct(Int(8), 2, (1, 2, 0), (0, 0, 0)), "scales are"),
        (lambda: SplitProduct(Int(8), 2, (1, 2, 3), (0, 4, 0)), "zeros are"),
        (lambda: PowerProduct(4, Fraction(1, 3), "square"), "bound is 1/2"),
        (lambda: PowerProduct(4, Fraction(2, 3), "decode"), "fraction_bits is 0"),
        (lambda: PowerProduct(4, Fraction(3, 2), "decode"), "bound is 0 < a <= 1"),
        (lambda: PowerProduct(7, Fraction(1, 2), "table"), "bound is 2..6"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("..", r"\.\.")):
        make()  # type: ignore[operator]


def test_codes_outside_the_format_are_refused() -> None:
    one = np.ones((1, 4), dtype=np.int64)
    with pytest.raises(InputError, match="weights hold 0"):
        DotParams(SelectProduct(Int(8), binary=True), 1).golden(one, 0 * one)
    with pytest.raises(InputError, match=r"span 200..200"):
        DotParams(IntProduct(Int(8), Int(8)), 1).golden(200 * one, one)
    with pytest.raises(InputError, match="a group of 4 has 4 weights"):
        DotParams(NMProduct(2, 4, Int(8), Int(8)), 1).golden(one, one)


@pytest.mark.parametrize("params", CORES[::5], ids=lambda params: params.name)
def test_same_parameters_same_bytes(params: DotParams) -> None:
    sources = emit(params)
    assert sources == emit(params)
    assert list(sources)[-1] == f"{params.name}.f"
    assert f"module {params.name} " in sources[f"{params.name}.sv"]


def test_index_patterns_of_two_of_four_are_all_there() -> None:
    kind = NMProduct(2, 4, Int(8), Int(8))
    words = set()
    for kept in product((0, 1), repeat=4):
        if sum(kept) == 2:
            words.add(kind.weight_words(np.array([kept]), np.ones((1, 4), dtype=bool))[0])
    assert len(words) == 6
