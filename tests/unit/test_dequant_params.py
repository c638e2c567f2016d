"""Dequantise-on-read on paper: packer and inverse, values against exact fractions, cycles, widths, refusals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.dequantise import DequantParams
from hw_models.nibbles import AWQ_ORDER, linear_order, pack_codes, unpack_codes
from rtl.emit import emit
from rtl.stimulus import CORNERS, draw
from tests.cosim.dequant_cases import CORES
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import BFloat16, Float16, Int

UNIT = DequantParams(group=8)


def half_of(value: Fraction, negative: bool) -> int:
    """Return the binary16 bits of an exact value: nearest, ties to even, infinity from 65520 upwards."""
    magnitude, sign = abs(value), int(negative) << 15
    if magnitude >= 65520:
        return sign | 0x7C00
    exponent = -14
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    units = round(magnitude / Fraction(2) ** (exponent - 10))  # Fraction rounds halves to even
    return sign | ((exponent + 14) * 1024 + units if units else 0)


@settings(max_examples=examples(100))
@given(data=st.data(), bits=st.integers(2, 8), count=st.integers(1, 16), words=st.integers(0, 5))
def test_packer_and_inverse(data: st.DataObject, bits: int, count: int, words: int) -> None:
    order = tuple(data.draw(st.permutations(range(count))))
    codes = np.array(
        data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=words * count, max_size=words * count))
    )
    codes = codes.astype(np.int64)
    stored = pack_codes(codes, bits, order)
    assert unpack_codes(stored, bits, order).tolist() == codes.tolist()
    assert all(0 <= word < 1 << (bits * count) for word in stored)
    assert pack_codes(unpack_codes(stored, bits, order), bits, order) == stored


def test_awq_nibbles_written_out() -> None:
    codes = np.array([0xA, 0xB, 0xC, 0xD, 0xE, 0xF, 0x1, 0x2])
    assert pack_codes(codes, 4, AWQ_ORDER) == [0x2FDB1ECA]
    assert pack_codes(codes, 4, linear_order(8)) == [0x21FEDCBA]
    assert pack_codes(codes, 4, (0, 2, 1, 3)) == [0xDBCA, 0x2F1E]


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.codes_per_word}")
def test_golden_is_the_formula_code_by_code(params: DequantParams) -> None:
    rng = np.random.default_rng(8)
    for index in range(examples(4)):
        codes, zeros, scales = draw(params, rng, CORNERS[index % 4])
        values = params.golden(codes, zeros, scales)
        for row, code in np.ndindex(codes.shape):
            difference = int(codes[row, code]) - int(zeros[row, code // params.group])
            scale = scales[row, code // params.group]
            if params.floating:
                exact = difference * Fraction(float(scale))
                negative = bool(np.signbit(scale)) != (difference < 0)
                assert values.view(np.uint16)[row, code] == half_of(exact, negative)
            else:
                assert values[row, code] == difference * int(scale)


def test_halves_round_to_even_and_overflow() -> None:
    unit = DequantParams(8, 1, Float16(), (0,))
    scales = np.array([[0x3C01, 0x3C03, 0x7BFF, 0x0001, 0xBC00]], dtype=np.uint16).view(np.float16)
    values = unit.golden(np.array([[2, 3, 2, 255, 7]]), np.array([[0, 0, 0, 0, 7]]), scales)
    # 3 * 1.0029296875 lies half way; 2 * 65504 is too large; 255 of the least subnormal; 0 * -1 is a negative zero
    assert [f"{word:04x}" for word in values.view(np.uint16)[0]] == ["4001", "4204", "7c00", "00ff", "8000"]


def test_widths_cycles_and_storage() -> None:
    unit = DequantParams()
    assert (unit.word_bits, unit.words_per_group, unit.output_bits) == (32, 16, 12)
    assert DequantParams(scale_format=Int(8, signed=False)).output_bits == 13
    assert unit.cycles([128]) == 15 + 3
    half = DequantParams(scale_format=Float16(), order=AWQ_ORDER)
    assert (half.output_bits, half.cycles([128, 256])) == (16, 47 + 4)
    assert half.stored_bits_per_code == 4.15625  # the figure of the packed AWQ format
    assert half.name == "dequant4_g128_float16_interleaved"
    assert emit(half) == emit(half)


@pytest.mark.parametrize("params", CORES, ids=lambda params: f"{params.name}-{params.codes_per_word}")
def test_output_bits_hold_every_product(params: DequantParams) -> None:
    if params.floating:
        return
    most = (1 << params.bits) - 1
    ends = [sign * most * end for sign in (-1, 1) for end in (params.scale_format.min, params.scale_format.max)]
    half = 1 << (params.output_bits - 1)
    assert -half <= min(ends)
    assert max(ends) < half
    assert min(ends) < -(half // 2) or max(ends) >= half // 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 1}, "bits is 1, bound is 2..8"),
        ({"bits": 9}, "bits is 9, bound is 2..8"),
        ({"group": 12}, "group is 12 codes, bound is 1..65536 in whole words of 8 codes"),
        ({"group": 0}, "group is 0 codes"),
        ({"order": (0, 2, 2, 3)}, "bound is each of 0..3 once"),
        ({"order": ()}, "1..64 codes per word"),
        ({"scale_format": Int(17)}, "scale_format is int17, bound is 16 bits"),
        ({"scale_format": BFloat16()}, "scale_format is bfloat16, bound is an integer or float16"),
    ],
)
def test_illegal_parameters_are_refused_with_the_bound(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("..", r"\.\.")):
        DequantParams(**change)  # type: ignore[arg-type]


def test_wrong_operands_are_refused() -> None:
    codes, zeros, scales = np.ones((1, 16), dtype=int), np.ones((1, 2), dtype=int), np.ones((1, 2), dtype=int)
    with pytest.raises(InputError, match="a row has 12 codes, bound is a multiple of the group of 8"):
        UNIT.golden(codes[:, :12], zeros, scales)
    with pytest.raises(InputError, match="a row has 12 codes"):
        UNIT.cycles([12])
    with pytest.raises(InputError, match="no row lengths"):
        UNIT.cycles([])
    with pytest.raises(InputError, match=r"zeros \(1, 1\), bound is \(1, 2\)"):
        UNIT.golden(codes, zeros[:, :1], scales)
    with pytest.raises(InputError, match=r"codes span 16\.\.16, bound is 0\.\.15"):
        UNIT.golden(16 * codes, zeros, scales)
    with pytest.raises(InputError, match=r"scales of type int64 span 128\.\.128"):
        UNIT.golden(codes, zeros, 128 * scales)
    half = DequantParams(group=8, scale_format=Float16())
    for wrong in (scales, np.full((1, 2), np.inf, dtype=np.float16)):
        with pytest.raises(InputError, match="bound is finite float16"):
            half.golden(codes, zeros, wrong)
    with pytest.raises(InputError, match="whole words of 8 codes"):
        pack_codes(np.arange(9), 4, AWQ_ORDER)
    with pytest.raises(InputError, match=r"they span 0\.\.7, bound is 0\.\.3"):
        pack_codes(np.arange(8), 2, AWQ_ORDER)
