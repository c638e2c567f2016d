"""Quantities are exact, and a missing or wrong unit is refused with the accepted ones."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.units import (
    parse_bandwidth,
    parse_bytes,
    parse_energy_pj,
    parse_frequency_mhz,
    parse_latency,
    parse_node_nm,
    parse_port_bytes_per_cycle,
)
from workloads.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64KiB", 65536),
        ("1MiB", 1 << 20),
        ("128B", 128),
        ("2 KB", 2000),
        ("0.5KiB", 512),
        ("1e3B", 1000),
        ("3GB", 3 * 10**9),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


def test_exact_values() -> None:
    assert parse_frequency_mhz("0.1GHz") == 100
    assert parse_frequency_mhz("33.333333MHz") == Fraction(33333333, 10**6)
    assert parse_energy_pj("0.23pJ") == Fraction(23, 100)
    assert parse_energy_pj("5fJ") == Fraction(5, 1000)
    assert parse_node_nm("45nm") == 45
    assert parse_port_bytes_per_cycle("32B/cycle") == 32
    assert parse_bandwidth("12.8GB/s").bytes_per_cycle(Fraction(400)) == 32
    assert parse_bandwidth("34GB/s").bytes_per_cycle(Fraction(700)) == Fraction(340, 7)
    assert parse_bandwidth("8Gb/s").bytes_per_cycle(Fraction(1000)) == 1
    assert parse_bandwidth("3B/cycle").bytes_per_cycle(Fraction(7)) == 3
    assert parse_latency("40cycles").cycles(Fraction(123)) == 40
    assert parse_latency("1cycle").cycles(Fraction(1)) == 1
    assert parse_latency("100ns").cycles(Fraction(400)) == 40
    assert parse_latency("1us").cycles(Fraction(400)) == 400


def test_a_time_off_the_clock_edge_is_not_rounded_silently() -> None:
    with pytest.raises(InputError, match=r"latency is 40\.4 cycles of 400 MHz.*write 41cycles"):
        parse_latency("101ns").cycles(Fraction(400))


@pytest.mark.parametrize("bare", [64, 1.5, "64"])
def test_bare_numbers_name_the_units(bare: object) -> None:
    with pytest.raises(InputError, match=r"has no unit; add one of B, KB, .*KiB.*for example 64KiB"):
        parse_bytes(bare)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64kib", "did you mean KiB"),
        ("64Kilo", "takes B, KB"),
        ("-1KiB", "is not a size"),
        ("KiB", "is not a size"),
        ("1e400B", "has the unit 'e400B'"),
        ("nan B", "is not a size"),
        ("0.3B", "a whole number is needed"),
        (True, "is needed"),
        (None, "is needed"),
        ([1], "is needed"),
    ],
)
def test_wrong_sizes(text: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_bytes(text)


@given(st.integers(0, 10**12), st.sampled_from(["B", "KB", "KiB", "MB", "MiB", "GiB"]))
def test_sizes_equal_integer_arithmetic(number: int, unit: str) -> None:
    scale = {"B": 1, "KB": 1000, "KiB": 1024, "MB": 10**6, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
    assert parse_bytes(f"{number}{unit}") == number * scale


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse_bytes(text) >= 0
