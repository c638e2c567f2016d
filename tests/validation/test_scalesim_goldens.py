"""Golden counts of SCALE-Sim (scalesim-project/SCALE-Sim, test/general golden traces; 32x32 array)."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_models.scalesim import count, read_cfg, scalesim_report
from workloads.scalesim_csv import read_topology


def test_alexnet_conv1_ws() -> None:
    got = count("ws", 32, 32, 3025, 363, 96)
    assert got.compute_cycles == 112_284
    assert got.printed_total_cycles == 112_283
    assert got.mapping_efficiency == 0.9453125
    assert (got.ifmap_reads, got.filter_reads, got.printed_ofmap_writes) == (3_294_225, 34_848, 3_484_800)


@pytest.mark.parametrize(
    ("dataflow", "cycles", "total", "stall", "reads"),
    [
        ("ws", 11_200, 52_447, 41_248, (262_144, 32_768, 262_144)),
        ("os", 10_176, 52_447, 42_272, (262_144, 262_144, 34_816)),
        ("is", 14_208, 19_984, 5_777, (65_536, 262_144, 262_144)),
    ],
)
def test_gemm_256_128_256(dataflow: str, cycles: int, total: int, stall: int, reads: tuple[int, int, int]) -> None:
    got = count(dataflow, 32, 32, 256, 256, 128)  # type: ignore[arg-type]
    assert got.compute_cycles == cycles == total - stall + 1
    assert (got.ifmap_reads, got.filter_reads, got.printed_ofmap_writes) == reads


def test_through_the_files(tmp_path: Path) -> None:
    (tmp_path / "scale.cfg").write_text(
        "[general]\nrun_name = golden\n[architecture_presets]\nArrayHeight: 32\nArrayWidth: 32\nDataflow: ws\n"
    )
    (tmp_path / "alexnet.csv").write_text(
        "Layer name, IFMAP H, IFMAP W, Filter H, Filter W, Channels, Filters, Stride,\nConv1,227,227,11,11,3,96,4,\n"
    )
    (row,) = scalesim_report(read_cfg(tmp_path / "scale.cfg"), read_topology(tmp_path / "alexnet.csv"))
    assert (row["name"], row["compute_cycles"], row["folds"], row["cycles_per_fold"]) == ("Conv1", 112_284, 36, 3119)
