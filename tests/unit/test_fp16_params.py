"""FP16 core on paper: numpy's arithmetic against exact rationals, the schedule written out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.fp16 import FP16Params, float_codes, float_values
from rtl.emit import emit
from rtl.fp16_top import FP16_CORNERS
from rtl.stimulus import CORNERS, draw
from rtl.stream_core import stream_work
from tests.cosim.fp16_cases import CORES, LATENCIES
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import BFloat16, Float16, Float32, FloatFormat

F16, F32 = Float16(), Float32()


def split(code: int, form: FloatFormat) -> tuple[int, int, int]:
    """Return sign, exponent field and mantissa field."""
    mantissa = form.mantissa_bits
    return code >> (form.bits - 1), code >> mantissa & (1 << form.exponent_bits) - 1, code & (1 << mantissa) - 1


def exact(code: int, form: FloatFormat) -> Fraction:
    """Return the magnitude and sign of a finite code as a rational."""
    sign, exponent, mantissa = split(code, form)
    hidden = (1 << form.mantissa_bits if exponent else 0) + mantissa
    bias = (1 << (form.exponent_bits - 1)) - 1
    return (-1) ** sign * hidden * Fraction(2) ** (max(exponent, 1) - bias - form.mantissa_bits)


def rounded(value: Fraction, sign: int, form: FloatFormat) -> int:
    """Return the code nearest to `value`, of two the even one; `sign` is that of zero."""
    bias = (1 << (form.exponent_bits - 1)) - 1
    sign = int(value < 0) if value else sign
    exponent = 1 - bias
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    steps = round(abs(value) / Fraction(2) ** (exponent - form.mantissa_bits))  # Python rounds halves to even
    code = steps + (exponent + bias - 1 << form.mantissa_bits)
    return sign << (form.bits - 1) | min(code, infinity(form))


def infinity(form: FloatFormat) -> int:
    """Return the code of plus infinity."""
    return (1 << form.exponent_bits) - 1 << form.mantissa_bits


def multiplied(a: int, b: int, form: FloatFormat) -> int:
    """Return the product of two FP16 codes in `form`, from the rules of IEEE 754."""
    quiet = infinity(form) | 1 << (form.mantissa_bits - 1)
    sign = split(a, F16)[0] ^ split(b, F16)[0]
    left, right = a & 0x7FFF, b & 0x7FFF
    if max(left, right) > 0x7C00 or {left, right} == {0, 0x7C00}:
        return quiet
    if max(left, right) == 0x7C00:
        return sign << (form.bits - 1) | infinity(form)
    return rounded(exact(a, F16) * exact(b, F16), sign, form)


def added(a: int, b: int, form: FloatFormat) -> int:
    """Return the sum of two codes of `form`, from the rules of IEEE 754."""
    top, most = 1 << (form.bits - 1), infinity(form)
    left, right = a & (top - 1), b & (top - 1)
    if max(left, right) > most or (left == right == most and a != b):
        return most | 1 << (form.mantissa_bits - 1)
    if max(left, right) == most:
        return a if left == most else b
    return rounded(exact(a, form) + exact(b, form), int(a >= top and b >= top), form)


def summed(a: list[int], w: list[int], form: FloatFormat) -> int:
    """Return the sum of products, one after another."""
    total = 0
    for left, right in zip(a, w, strict=True):
        total = added(total, multiplied(left, right, form), form)
    return total


@pytest.mark.parametrize("form", [F16, F32], ids=lambda form: form.name)
def test_every_pair_of_corners(form: FloatFormat) -> None:
    core = FP16Params(1, 1, form)
    pairs = np.array(list(product(FP16_CORNERS, repeat=2)))
    products = core.golden(pairs[:, :1], pairs[:, 1:])
    assert products.tolist() == [summed([a], [w], form) for a, w in pairs.tolist()]
    one = 0x3C00
    ones = np.full_like(pairs, one)
    assert core.golden(pairs, ones).tolist() == [summed([a, b], [one, one], form) for a, b in pairs.tolist()]


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), form=st.sampled_from([F16, F32]))
def test_golden_is_the_sum_in_order_rounded_each_time(data: st.DataObject, form: FloatFormat) -> None:
    code = st.one_of(st.integers(0, 0xFFFF), st.sampled_from(FP16_CORNERS), st.integers(0x3000, 0x4400))
    pairs = data.draw(st.lists(st.tuples(code, code), min_size=1, max_size=8))
    a, w = ([pair[place] for pair in pairs] for place in (0, 1))
    assert FP16Params(1, 1, form).golden(np.array([a]), np.array([w])).tolist() == [summed(a, w, form)]


def scheduled(interleave: int, latency: int, rounds: int) -> tuple[int, int]:
    """Return busy cycles and stalls of the adder, issue by issue."""
    free = [0] * interleave
    clock = stalls = 0
    for _ in range(rounds):
        for slot in range(interleave):
            issue = max(clock, free[slot])
            stalls += issue - clock
            free[slot] = issue + latency
            clock = issue + 1
    return max(free), stalls


@pytest.mark.parametrize("latency", range(1, 13))
@pytest.mark.parametrize("interleave", [1, 2, 3, 4, 5, 7, 8, 16])
def test_busy_cycles_are_those_of_the_schedule(interleave: int, latency: int) -> None:
    core = FP16Params(interleave, latency)
    for rotations, length in product((1, 2, 3), (1, 2, 9)):
        outputs = rotations * interleave
        busy, stalls = scheduled(interleave, latency, rotations * length)
        assert core.adder_busy_cycles(outputs, length) == busy
        assert core.stall_cycles(outputs, length) == stalls
        assert busy == outputs * length + stalls + latency - 1


@pytest.mark.parametrize("latency", LATENCIES)
def test_naive_and_interleaved_formulas(latency: int) -> None:
    naive, rotated = FP16Params(1, latency), FP16Params(latency, latency)
    for length, outputs in product((1, 2, 17), (1, latency, 3 * latency)):
        assert naive.adder_busy_cycles(outputs, length) == latency * length * outputs
        assert naive.cycles(outputs, length) == 1 + latency * length * outputs + FP16Params.OUTPUT_CYCLES
    assert rotated.adder_busy_cycles(latency, 17) == latency * 17 + latency - 1
    assert rotated.stall_cycles(latency, 17) == 0


def test_pairs_go_in_rotation() -> None:
    a = np.arange(12).reshape(4, 3)
    work = stream_work(FP16Params(2, 1), a, a)
    assert work.inputs["s_axis_a"].data == (0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11)
    assert work.inputs["s_axis_a"].last == (False, False, False, False, True, True) * 2
    assert len(work.outputs["m_axis_o"].data) == 4


@pytest.mark.parametrize("params", CORES[::3], ids=lambda params: f"{params.name}-{params.interleave}")
def test_stimulus_has_finite_and_special_sums(params: FP16Params) -> None:
    rng = np.random.default_rng(0)
    sums = np.concatenate([params.golden(*draw(params, rng, corner)) for corner in CORNERS * 8])
    finite = np.isfinite(float_values(sums, params.accumulator_format))
    assert finite.sum() > len(sums) // 2
    assert not finite.all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FP16Params(0, 1), r"interleave is 0, bound is 1\.\.64"),
        (lambda: FP16Params(65, 1), r"interleave is 65, bound is 1\.\.64"),
        (lambda: FP16Params(1, 0), r"adder_latency_cycles is 0, bound is 1\.\.16"),
        (lambda: FP16Params(1, 17), r"adder_latency_cycles is 17, bound is 1\.\.16"),
        (lambda: FP16Params(1, 1, F16, 0), "multiplier_latency_cycles is 0"),
        (lambda: FP16Params(1, 1, BFloat16()), "bound is float16 or float32"),
        (lambda: FP16Params(3, 1).cycles(4, 2), r"positive multiple of interleave \(3\)"),
        (lambda: FP16Params(3, 1).cycles(3, 0), "3 outputs of 0 pairs"),
        (lambda: FP16Params(1, 1).golden(np.array([[65536]]), np.array([[0]])), r"span 65536\.\.65536"),
        (lambda: FP16Params(1, 1).golden(np.array([[1, 2]]), np.array([[0]])), "bound is two equal shapes"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_codes_and_values_agree() -> None:
    codes = np.arange(1 << 16)
    back = float_codes(float_values(codes, F16), F16)
    special = (codes & 0x7FFF) > 0x7C00
    assert (back[~special] == codes[~special]).all()
    assert (back[special] == 0x7E00).all()


def test_same_parameters_same_bytes() -> None:
    assert emit(CORES[3]) == emit(CORES[3])
    assert f"module {CORES[3].name} " in emit(CORES[3])[f"{CORES[3].name}.sv"]
