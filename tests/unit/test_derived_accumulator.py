"""derived_accumulator: enough for every sum, one bit less is not, and the same width as the core asks for."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.systolic import SystolicParams, derived_accumulator
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

NARROW = [Int(bits, signed) for bits in (1, 2, 3) for signed in (True, False)]
FORMATS = st.builds(Int, st.integers(1, 16), st.booleans())


def holds(form: Int, values: list[int]) -> bool:
    return form.min <= min(values) and max(values) <= form.max


def narrower(form: Int) -> list[Int]:
    """Return the formats, signed and unsigned, that are one bit narrower."""
    return [Int(form.bits - 1, signed) for signed in (True, False)] if form.bits > 1 else []


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("weight", NARROW, ids=str)
@pytest.mark.parametrize("activation", NARROW, ids=str)
def test_every_sum_of_narrow_operands_fits_and_one_bit_less_does_not(activation: Int, weight: Int, k: int) -> None:
    products = {a * w for a, w in product(range(activation.min, activation.max + 1), range(weight.min, weight.max + 1))}
    sums = [sum(terms) for terms in combinations_with_replacement(sorted(products), k)]
    form = derived_accumulator(activation, weight, k)
    assert holds(form, sums)
    assert not any(holds(less, sums) for less in narrower(form))
    assert form.signed == (min(sums) < 0)


@settings(max_examples=examples(300), deadline=None)
@given(activation=FORMATS, weight=FORMATS, k=st.integers(1, 1 << 20))
def test_extreme_operands_fit_and_one_bit_less_does_not(activation: Int, weight: Int, k: int) -> None:
    ends = [k * a * w for a in (activation.min, activation.max) for w in (weight.min, weight.max)]
    form = derived_accumulator(activation, weight, k)
    assert holds(form, ends)
    assert not any(holds(less, ends) for less in narrower(form))
    core = SystolicParams("ws", 2, 2, activation, weight, form, 1)
    assert core.required_accumulator_bits(k) == form.bits
    wide = SystolicParams("ws", 2, 2, activation, weight, Int(64), 1)
    assert wide.required_accumulator_bits(k) == form.bits + (0 if form.signed else 1)


@pytest.mark.parametrize(
    ("activation", "weight", "k", "name"),
    [
        (Int(8), Int(8), 1, "int16"),  # -128 * -128 is 2**14
        (Int(8), Int(8), 2, "int17"),
        (Int(8, signed=False), Int(8, signed=False), 1, "uint16"),
        (Int(8, signed=False), Int(8), 1024, "int26"),
        (Int(1), Int(1), 3, "uint2"),  # codes -1 and 0: no product is negative
        (Int(1), Int(1, signed=False), 1, "int1"),
    ],
)
def test_known_cases(activation: Int, weight: Int, k: int, name: str) -> None:
    assert str(derived_accumulator(activation, weight, k)) == name


def test_impossible_accumulators_are_refused() -> None:
    with pytest.raises(InputError, match=r"^accumulator: reduction length k is 0, bound is >= 1; give a positive"):
        derived_accumulator(Int(8), Int(8), 0)
    with pytest.raises(InputError, match=r"2 products of int32 and int32 need 65 bits, bound is 64; split"):
        derived_accumulator(Int(32), Int(32), 2)
    with pytest.raises(
        InputError, match=r"^accumulator: sums of 1 products of uint32 and uint32 need 64 bits, bound i"
    ):
        derived_accumulator(Int(32, signed=False), Int(32, signed=False), 1)
    assert str(derived_accumulator(Int(32), Int(32), 1)) == "int64"
