"""DRAM micro-benchmarks against figures derived from the timing files (rate and width, tCCD, tRC, tFAW, tREFI)."""

from __future__ import annotations

import pytest

from sim.dram import bench


def test_a_stream_loses_refresh_and_little_else() -> None:
    assert 17.5 <= bench.stream_gb_per_s("DDR4-2400") <= 18.5
    assert bench.stream_gb_per_s("DDR4-2400", refresh=False) == pytest.approx(19.2, rel=0.001)


@pytest.mark.parametrize(("standard", "share"), [("DDR4-2400", 4 / 6), ("DDR4-3200", 4 / 8), ("DDR4-2666", 4 / 7)])
def test_one_bank_group_runs_at_the_long_column_distance(standard: str, share: float) -> None:
    whole = bench.stream_gb_per_s(standard, 20_000, refresh=False)
    assert bench.one_bank_group_gb_per_s(standard) / whole == pytest.approx(share, rel=0.005)


def test_row_conflicts_cost_a_row_cycle_each() -> None:
    assert bench.row_conflict_gb_per_s("DDR4-2400") == pytest.approx(1.38, rel=0.03)


def test_random_rows_are_bound_by_four_activates() -> None:
    assert bench.random_rows_gb_per_s("DDR4-2400") == pytest.approx(11.9, rel=0.03)


def test_idle_latencies_are_exact() -> None:
    """17.4, 31.5 and 45.6 ns of the table are 21, 38 and 55 ticks of its 0.83 ns."""
    ticks = bench.idle_read_ticks("DDR4-2400")
    assert ticks == {"hit": 21, "closed": 38, "conflict": 55}
    assert [round(ticks[name] * 0.83, 1) for name in ("hit", "closed")] == [17.4, 31.5]
    assert ticks["conflict"] == round(45.6 / 0.83)
    assert bench.idle_read_ticks("HBM2-2000") == {"hit": 16, "closed": 30, "conflict": 44}
