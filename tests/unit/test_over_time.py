"""Series over time and the split by operand: sums equal the result's totals."""

from __future__ import annotations

from pathlib import Path

import pytest

import tilewright as tw
from tilewright.energy_split import energy_by_operand
from workloads.errors import InputError


@pytest.fixture(scope="module")
def lenet() -> tw.Simulation:
    return tw.simulate("lenet")


@pytest.mark.parametrize("bins", [1, 7, 120])
def test_bins_sum_to_the_traffic_of_the_result(lenet: tw.Simulation, bins: int) -> None:
    series = lenet.over_time(bins)
    assert len(series.array_share) <= bins
    assert len(series.array_share) * series.bin_cycles >= lenet.totals.cycles
    for level in series.read_bytes:
        for way, bytes_ in (("read", series.read_bytes[level]), ("write", series.write_bytes[level])):
            moved = sum(flow[way] for layer in lenet.layers for flow in layer.traffic_bytes[level].values())
            assert sum(bytes_) == pytest.approx(moved)
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in (*series.bus_share, *series.array_share))
    peak = lenet.totals.peak_scratchpad_bytes
    assert peak is not None
    assert max(max(live) for live in series.occupied_bytes.values()) <= peak


def test_operands_sum_to_the_energy_of_each_layer(lenet: tw.Simulation) -> None:
    data = lenet.to_json()
    for layer, row in zip(data["layers"], energy_by_operand(data), strict=True):
        assert sum(row.values()) == pytest.approx(sum(layer["energy_pj"].values()))
        if layer["macs"]:
            assert row["weight"] > 0
            assert row["input"] > 0
            assert row["output"] > 0


def test_a_report_of_a_run_draws_time(lenet: tw.Simulation, tmp_path: Path) -> None:
    names = {path.name for path in lenet.report(tmp_path)}
    assert {"waterfall.png", "operands.png", "bandwidth.png", "occupancy.png", "over_time.json"} <= names


def test_bad_bins_and_results_without_times_are_refused(lenet: tw.Simulation) -> None:
    with pytest.raises(InputError, match=r"bins is 0, bound is 1\.\.10000"):
        lenet.over_time(0)
    with pytest.raises(InputError, match="no event times"):
        tw.simulate("lenet", fidelity="analytic").over_time()
