"""The energy rules: interpolation, monotonicity, scaling, rounding, defaults only when named."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.energy import EnergyTable, load_energy_table
from workloads.errors import InputError
from workloads.formats import BFloat16, Float16, Int

TABLE = load_energy_table("published")
SIZES = st.integers(512, 2 << 20)
NODES = st.sampled_from([45, 32, 22])


def per_byte(size: int, access: str = "read", node: int = 45, table: EnergyTable = TABLE) -> Fraction:
    return table.sram_per_byte(size, access, node).pj  # type: ignore[arg-type]


@given(SIZES, SIZES, st.sampled_from(["read", "write"]), NODES)
def test_sram_energy_never_falls_with_capacity(a: int, b: int, access: str, node: int) -> None:
    low, high = sorted((a, b))
    assert per_byte(low, access, node) <= per_byte(high, access, node)


@given(SIZES, st.sampled_from(["read", "write"]), NODES)
def test_sram_energy_equals_the_interpolation_in_floats(size: int, access: str, node: int) -> None:
    rows = sorted((row.size_bytes, row) for row in TABLE.sram_rows if row.node_nm == node)
    points: list[tuple[int, float]] = []
    for capacity, row in rows:
        value = float(row.read_pj_per_bit if access == "read" else row.write_pj_per_bit) * 8
        points.append((capacity, max([value, *(y for _, y in points)])))
    low = max(i for i, (x, _) in enumerate(points) if x <= size)
    expected = points[low][1]
    if points[low][0] != size:
        (x0, y0), (x1, y1) = points[low], points[low + 1]
        expected = math.exp(math.log(y0) + math.log(y1 / y0) * math.log(size / x0) / math.log(x1 / x0))
    assert float(per_byte(size, access, node)) == pytest.approx(expected, abs=2e-6)


def test_rows_are_met_exactly_up_to_the_rounding() -> None:
    raised = {45: {1024, 2048}, 32: {1024, 2048}, 22: {1024, 2048}}
    for row in TABLE.sram_rows:
        if row.size_bytes not in raised[row.node_nm]:
            assert abs(per_byte(row.size_bytes, "read", row.node_nm) - row.read_pj_per_bit * 8) <= Fraction(
                1, 2 * 10**6
            )


def test_outside_the_rows_is_an_error_or_a_named_default() -> None:
    for size in (511, (2 << 20) + 1):
        with pytest.raises(InputError, match=rf"memory of {size} bytes is outside its rows, bound is 512\.\.2097152"):
            TABLE.sram_per_byte(size, "read", 45)
        assert TABLE.sram_per_byte(size, "read", 45, allow_default=True).source.startswith("default: ")
    four = TABLE.sram_per_byte(4 << 20, "read", 45, allow_default=True).pj
    assert float(four / per_byte(2 << 20)) == pytest.approx(2**0.51, rel=1e-6)


def test_scaling_is_a_ratio() -> None:
    assert TABLE.scale(45, 45) == 1
    assert TABLE.scale(45, 7) * TABLE.scale(7, 45) == 1
    assert TABLE.scale(90, 16) == TABLE.scale(90, 45) * TABLE.scale(45, 16)
    assert TABLE.scale(45, 26) == (TABLE.scale(45, 32) + TABLE.scale(45, 20)) / 2
    for node in (6, 131):
        with pytest.raises(InputError, match=rf"node is {node} nm, bound is 7\.\.130 nm"):
            TABLE.scale(45, node)


def test_sources_state_the_scaling() -> None:
    figure = TABLE.mac(Int(8), Int(8), Int(32), 28)
    assert figure.pj == Fraction(151979, 10**6)
    assert "int8_mult 0.2 pJ + int32_add 0.1 pJ" in figure.source
    assert "scaled 45 -> 28 nm by 0.5066 (Stillmaker and Baas" in figure.source


def test_integer_macs() -> None:
    assert TABLE.mac(Int(8), Int(4), Int(32), 45).pj == Fraction(3, 10)
    assert TABLE.mac(Int(8), Int(8), Int(20), 45).pj == Fraction(1, 5) + Fraction(3, 100) + Fraction(7, 100) / 2
    assert TABLE.mac(Int(8, signed=False), Int(8), Int(8), 45).pj == Fraction(23, 100)
    assert TABLE.mac(Int(16), Int(16), Int(32), 45).pj == Fraction("2.20035")
    assert TABLE.mac(Int(32), Int(32), Int(32), 45).pj == Fraction(32, 10)


def test_missing_macs_are_errors_or_named_defaults() -> None:
    with pytest.raises(InputError, match="has no figure 'int4_mult'; give the value and its source"):
        TABLE.mac(Int(4), Int(4), Int(32), 45)
    figure = TABLE.mac(Int(4), Int(4), Int(32), 45, allow_default=True)
    assert (figure.pj, figure.source[:31]) == (Fraction(3, 10), "default: int8 stands for int4; ")
    for wide in (Int(48), Int(64)):
        with pytest.raises(InputError, match="has no figure"):
            TABLE.mac(wide, wide, Int(64), 45, allow_default=True)
    with pytest.raises(InputError, match="has no figure 'int40_add'"):
        TABLE.mac(Int(8), Int(8), Int(40), 45)
    with pytest.raises(InputError, match="has no figure 'bfloat16_mult'"):
        TABLE.mac(BFloat16(), BFloat16(), Float16(), 45)


def test_unknown_names() -> None:
    with pytest.raises(InputError, match=r"energy table 'publishd' is unknown; did you mean 'published'\?"):
        load_energy_table("publishd")
    with pytest.raises(InputError, match="DRAM standard 'DDR5' has no figure"):
        TABLE.dram_per_byte("DDR5")
    with pytest.raises(InputError, match=r"has no figure 'int8_mul'.*did you mean 'int8_mult'"):
        TABLE.row("int8_mul")


def test_every_row_has_unit_source_and_confidence() -> None:
    assert len({row.key for row in TABLE.rows}) == len(TABLE.rows)
    for row in TABLE.rows:
        assert row.value > 0
        assert row.source
        assert row.unit in ("pJ", "pJ/bit")
        assert row.confidence in ("read", "computed")
