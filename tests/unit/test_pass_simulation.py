"""Whole networks on the row-stationary preset: results of the common schema, laws, fidelities, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import tilewright as tw
from hw_models.description import load_accelerator
from hw_models.row_stationary import row_stationary_array
from tilewright.cli import run
from tilewright.validation.case_eyeriss import array_of
from tilewright.validation.figures import load_figures
from workloads.errors import InfeasibleError, InputError


def test_alexnet_runs_on_the_preset_with_the_validated_mappings() -> None:
    result = tw.simulate("alexnet_caffe", arch="eyeriss_v1", dims={"batch": 4})
    again = tw.simulate("alexnet_caffe", arch="eyeriss_v1", dims={"batch": 4}, fidelity="analytic")
    conv = {layer.name: layer for layer in result.layers if layer.op == "conv"}
    assert conv["conv3"].mapping == {
        "dataflow": "rs", "filters": 64, "images": 4, "rows": 13, "pe_filters": 16, "pe_channels": 3, "set_channels": 2,
        "set_filters": 2, "active_pes": 156,
    }  # fmt: skip
    assert result.totals.macs == 2_897_627_264
    assert all(check.ok for check in result.result.checks)
    for layer, bound in zip(result.layers, again.layers, strict=True):
        assert layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.cycles
        assert layer.cycles >= bound.cycles == layer.analytic_cycles
        assert layer.traffic_bytes == bound.traffic_bytes
    assert result.to_json()["schema"] == "tilewright.result/1"


def test_preset_and_validated_machine_are_the_same() -> None:
    preset = row_stationary_array(load_accelerator("eyeriss_v1"))
    figures = array_of(load_figures("eyeriss"))
    assert {k: getattr(preset, k) for k in preset.__slots__ if k not in ("name", "latency_cycles")} == {
        k: getattr(figures, k) for k in figures.__slots__ if k not in ("name", "latency_cycles")
    }


def test_every_word_of_the_description_matters() -> None:
    def cycles(*changes: str) -> tuple[int, float]:
        totals = tw.simulate("lenet", arch="eyeriss_v1", overrides=[f"core.{change}" for change in changes]).totals
        return totals.cycles, totals.energy_pj

    base = cycles()
    for change in (
        "array.pe_memories.filter_words=20", "array.pe_memories.ifmap_words=5", "array.pe_memories.psum_words=2",
        "array.pe_memories.filter_bus=1", "array.pe_memories.psum_in_bus=1", "array.pe_memories.psum_out_bus=1",
        "scratchpads.weight.half=512B", "vector.lanes=1", "array.rows=6",
    ):  # fmt: skip
        assert cycles(change) != base, change
    with pytest.raises(InfeasibleError, match="banks of the global buffer needs 2 banks, bound is 1"):
        cycles("array.pe_memories.bank=100KiB")


def test_what_cannot_run_in_passes_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row-stationary words of"):
        tw.simulate("lenet", arch="eyeriss_v1", overrides=["core.accumulator_format=int32"])
    for stated, what in (
        (["link.width=8B/cycle", "link.delay=4cycles"], "link is stated"),
        (["dram.standard=DDR4-2400"], "dram.standard is stated"),
        (["dma.max_burst=64B"], "dma requests or descriptors is stated"),
    ):
        with pytest.raises(InputError, match=what):
            tw.simulate("lenet", arch="eyeriss_v1", overrides=stated)
    inside = load_accelerator("eyeriss_v1").core.array.pe_memories
    with pytest.raises(InputError, match="pe_memories is set on a systolic array"):
        replace(load_accelerator("edge_int8").core.array, pe_memories=inside)
    with pytest.raises(InputError, match="it runs in passes"):
        tw.map_network("lenet", arch="eyeriss_v1")
    assert run(["sim", "lenet", "--arch", "eyeriss_v1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["macs"] == 416_520
    assert run(["sim", "lenet", "--arch", "eyeriss_v1", "--report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").exists()
