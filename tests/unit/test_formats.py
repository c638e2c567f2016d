"""Number formats against bit-twiddling twins, binary16 exhaustively against numpy."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import InputError
from workloads.formats import BFloat16, Fixed, Float16, Float32, FloatFormat, Int, parse_format

INTEGERS = [Int(bits, signed) for bits in (1, 2, 3, 4, 7, 8, 12, 16, 31, 32, 63) for signed in (True, False)]


def naive_wrap(value: int, fmt: Int) -> int:
    """Keep the low bits one by one; the top bit of a signed word weighs minus."""
    total = 0
    for bit in range(fmt.bits):
        if (value >> bit) & 1:
            total += -(1 << bit) if fmt.signed and bit == fmt.bits - 1 else 1 << bit
    return total


@given(st.sampled_from(INTEGERS), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8))
def test_integers_wrap_and_saturate_as_bit_twiddling_does(fmt: Int, values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    assert fmt.wrap(array).tolist() == [naive_wrap(v, fmt) for v in values]
    assert fmt.saturate(array).tolist() == [sorted((fmt.min, v, fmt.max))[1] for v in values]
    for v in values:
        assert fmt.allowed(v) == (naive_wrap(v, fmt) == v)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signed", [True, False])
def test_small_integers_hold_exactly_their_codes(bits: int, signed: bool) -> None:
    fmt = Int(bits, signed)
    held = [v for v in range(-300, 300) if fmt.allowed(v)]
    assert len(held) == 2**bits and held == list(range(held[0], held[-1] + 1))
    assert (held[0], held[-1]) == (fmt.min, fmt.max)
    assert fmt.wrap(np.arange(-300, 300)).tolist() == [naive_wrap(v, fmt) for v in range(-300, 300)]


def test_int64_is_itself_and_uint64_saturates_below() -> None:
    extremes = np.array([-(2**63), -1, 2**63 - 1])
    assert Int(64).wrap(extremes).tolist() == extremes.tolist()
    assert Int(64, signed=False).saturate(extremes).tolist() == [0, 0, 2**63 - 1]
    with pytest.raises(InputError, match=r"^uint64: wrap needs 65-bit integers; use a width up to 63 bits$"):
        Int(64, signed=False).wrap(extremes)


@pytest.mark.parametrize("fmt", [Int(8), Fixed(16, 8), Float16()])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinity_and_nan_are_never_allowed(fmt: Int | Fixed | FloatFormat, value: float) -> None:
    assert not fmt.allowed(value)


@given(st.integers(2, 12), st.integers(-4, 14), st.booleans(), st.fractions(-5000, 5000, max_denominator=4096))
def test_fixed_point_allows_exactly_its_codes(bits: int, fraction_bits: int, signed: bool, value: Fraction) -> None:
    fmt = Fixed(bits, fraction_bits, signed)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    numbers = {Fraction(code) / Fraction(2) ** fraction_bits for code in range(low, high + 1)}
    assert (min(numbers), max(numbers)) == (fmt.min, fmt.max)
    assert fmt.allowed(value) == (value in numbers)
    assert fmt.allowed(fmt.scale) == (fmt.scale in numbers)


def test_fixed_point_codes_wrap_like_integers() -> None:
    codes = np.arange(-600, 600)
    assert Fixed(8, 3).wrap(codes).tolist() == Int(8).wrap(codes).tolist()
    assert Fixed(8, 3, signed=False).saturate(codes).tolist() == np.clip(codes, 0, 255).tolist()


def test_float16_allows_exactly_the_finite_codes_of_numpy() -> None:
    values = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    fmt = Float16()
    finite = values[np.isfinite(values)]
    assert all(fmt.allowed(float(v)) for v in finite)
    assert not any(fmt.allowed(float(v)) for v in values[~np.isfinite(values)])
    assert (fmt.min, fmt.max) == (float(finite.min()), float(finite.max()))
    # halfway between neighbours is never held
    ordered = np.unique(finite)
    middles = (ordered[:-1] + ordered[1:]) / 2
    assert not any(fmt.allowed(float(m)) for m in middles)


@given(st.integers(0, 2**32 - 1))
def test_float32_and_bfloat16_agree_with_the_bits(code: int) -> None:
    value = struct.unpack("<f", struct.pack("<I", code))[0]
    assert Float32().allowed(value) == math.isfinite(value)
    # a bfloat16 is a binary32 whose low sixteen bits are zero
    assert BFloat16().allowed(value) == (math.isfinite(value) and code & 0xFFFF == 0)


def test_floats_clamp_and_do_not_wrap() -> None:
    assert Float16().saturate([1e6, -1e6, 0.1]).tolist() == [65504.0, -65504.0, 0.1]
    with pytest.raises(InputError, match=r"^format float16: wrap is not defined for floating point; use saturate$"):
        Float16().wrap([1.0])


@pytest.mark.parametrize(
    "fmt", [*INTEGERS, Fixed(16, 8), Fixed(8, -3, signed=False), Float16(), BFloat16(), Float32()], ids=str
)
def test_names_read_back(fmt: Int | Fixed | FloatFormat) -> None:
    assert parse_format(fmt.name) == fmt and str(fmt) == fmt.name


@pytest.mark.parametrize(
    "text", ["int0", "int08", "int65", "sint8", "fixed8", "fixed8.", "float8", "", "INT8", "int8 "]
)
def test_unknown_names_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_format(text)


def test_messages_state_value_bound_and_remedy() -> None:
    with pytest.raises(
        InputError, match=r"^integer format: bits is 65, bound is 1\.\.64; choose a width in that range$"
    ):
        Int(65)
    with pytest.raises(InputError, match=r"^integer codes expected, got dtype float64; quantise first$"):
        Int(8).wrap([0.5])
    with pytest.raises(InputError, match=r"^integer codes: greatest is 9223372036854775808, bound is 2\*\*63 - 1; "):
        Int(8).saturate(np.array([2**63], dtype=np.uint64))
    with pytest.raises(InputError, match=r"^float format 'float16': .* \(8, 7\), the name means \(5, 10\); "):
        FloatFormat(8, 7, "float16")
