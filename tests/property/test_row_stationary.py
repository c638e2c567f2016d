"""Row-stationary mapping search against brute force over every combination of factors."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.row_stationary import RowMapping, RowStationaryArray
from mappers.passes.plan import ConvShape
from mappers.passes.row_stationary import plan_row_stationary, row_traffic, search_row_mapping
from sim.passes import run_passes
from tests.reference.profile import examples
from workloads.errors import InfeasibleError


def array(**changes: int) -> RowStationaryArray:
    """Return a small array."""
    sizes = {
        "rows": 4, "cols": 5, "word_bytes": 2, "filter_words": 24, "ifmap_words": 6, "psum_words": 4, "buffer_banks": 6,
        "bank_bytes": 64, "filter_buffer_bytes": 256, "filter_bus_words": 4, "ifmap_bus_words": 1,
        "psum_in_bus_words": 4, "psum_out_bus_words": 4,
    }  # fmt: skip
    return RowStationaryArray(
        name="small", clock_mhz=Fraction(1), memory_bytes_per_cycle=Fraction(4), **(sizes | changes)
    )


def every_mapping(shape: ConvShape, machine: RowStationaryArray) -> list[RowMapping]:
    """Return all mappings that hold every constraint, written down one by one."""
    found, word = [], machine.word_bytes
    high, wide = shape.filter_height, shape.filter_width
    for rows, n, m, p, q in product(
        range(1, shape.out_height + 1), range(1, shape.batch + 1), range(1, shape.kernels + 1),
        range(1, machine.psum_words + 1), range(1, shape.channels + 1),
    ):  # fmt: skip
        beside = 1 if rows > machine.cols else machine.cols // rows
        above = machine.rows // (high * -(-rows // machine.cols))
        if (
            shape.batch % n
            or shape.kernels % m
            or q * wide > machine.ifmap_words
            or p * q * wide > machine.filter_words
        ):
            continue
        for r, t in product(range(1, beside * above + 1), repeat=2):
            if r * t > beside * above or r > above or m % (p * t) or r > -(-shape.channels // q):
                continue
            if p * t * q * r * high * wide * word > machine.filter_buffer_bytes:
                continue
            image = n * q * r * ((rows - 1) * shape.stride + high) * shape.width * word
            sums = n * m * rows * shape.out_width * word
            if -(-image // machine.bank_bytes) + -(-sums // machine.bank_bytes) <= machine.buffer_banks:
                found.append(RowMapping(m, n, rows, p, q, r, t))
    return found


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(3, 7), st.integers(1, 2), st.integers(1, 2))
@settings(max_examples=examples(25), deadline=None)
def test_the_search_finds_the_best_of_all(c: int, k: int, f: int, side: int, stride: int, batch: int) -> None:
    out = (side - f) // stride + 1
    shape = ConvShape("x", 1, batch, c, k, side, side, f, f, stride, out, out)
    machine = array()
    options = every_mapping(shape, machine)
    if not options:
        with pytest.raises(InfeasibleError):
            search_row_mapping(shape, machine)
        return

    def rank(mapping: RowMapping) -> tuple[int, int, int]:
        traffic = row_traffic(shape, machine, mapping)
        work = plan_row_stationary(shape, machine, mapping).work_cycles
        return traffic.memory_bytes, traffic.buffer_bytes, sum(load + pace for _, load, pace, _ in work)

    chosen = search_row_mapping(shape, machine)
    assert chosen in options
    assert rank(chosen) == min(map(rank, options))
    plan = plan_row_stationary(shape, machine)
    assert run_passes(plan).cycles >= plan.bound_cycles
    traffic = row_traffic(shape, machine, chosen)
    memory = sum(read + write for read, _, _, write in plan.work_cycles)
    assert abs(memory * 4 - traffic.memory_bytes) < 8


def test_what_does_not_fit_is_infeasible_with_the_constraint() -> None:
    wide = ConvShape("x", 1, 1, 1, 1, 9, 9, 7, 7, 1, 3, 3)
    with pytest.raises(InfeasibleError, match=r"rows of the array needs 7 rows, bound is 4"):
        search_row_mapping(wide, array())
    with pytest.raises(InfeasibleError, match="image memory of a PE needs 7 words, bound is 6"):
        search_row_mapping(wide, array(rows=7))
    large = ConvShape("x", 1, 1, 1, 1, 4, 999, 3, 3, 1, 2, 997)
    with pytest.raises(InfeasibleError, match="banks of the global buffer"):
        search_row_mapping(large, array())
