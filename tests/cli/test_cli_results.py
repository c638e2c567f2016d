"""The result file: every key, the same bytes every time, and what the verbs make of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tilewright.cli import run

LAYER_KEYS = {
    "name", "op", "core", "dims", "macs", "start_cycle", "end_cycle", "cycles", "compute_cycles", "stall_cycles",
    "energy_pj", "traffic_bytes", "utilisation", "mapping", "proven_optimal", "gap", "analytic_cycles",
}  # fmt: skip
TOTAL_KEYS = {
    "cycles", "time_s", "macs", "energy_pj", "dram_read_bytes", "dram_write_bytes", "utilisation",
    "peak_scratchpad_bytes",
}  # fmt: skip
MANIFEST_KEYS = {
    "tilewright_version", "workload", "workload_sha256", "arch", "arch_sha256", "objective", "fidelity", "seed",
    "solver", "redo",
}  # fmt: skip


def simulate(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, object]:
    """Run ``sim ... --json`` and return the result."""
    assert run(["sim", *argv, "--json"]) == 0
    captured = capsys.readouterr()
    data: dict[str, object] = json.loads(captured.out)
    return data


@pytest.mark.parametrize("fidelity", ["event", "analytic"])
@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_result_has_every_key_and_its_parts_add_up(
    fidelity: str, objective: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = simulate(capsys, "tiny_kws", "--fidelity", fidelity, "--objective", objective)
    assert set(data) - {"pe_regions"} == {
        "schema", "manifest", "totals", "bounds", "layers", "placement", "checks", "not_modelled",
    }  # fmt: skip
    assert ("pe_regions" in data) == (fidelity == "event")
    assert data["schema"] == "tilewright.result/1"
    assert set(data["manifest"]) >= MANIFEST_KEYS  # type: ignore[call-overload]
    totals, layers = data["totals"], data["layers"]
    assert set(totals) == TOTAL_KEYS  # type: ignore[call-overload]
    assert {"objective_bytes", "lower_bound_bytes", "proven_optimal", "tensors"} <= set(data["placement"])  # type: ignore[call-overload]
    for layer in layers:  # type: ignore[attr-defined]
        assert set(layer) >= LAYER_KEYS
        assert layer["compute_cycles"] + sum(layer["stall_cycles"].values()) == layer["cycles"]
    assert sum(layer["cycles"] for layer in layers) == totals["cycles"]  # type: ignore[attr-defined, index]
    assert sum(layer["macs"] for layer in layers) == totals["macs"] == 2656768  # type: ignore[attr-defined, index]
    energy = sum(sum(layer["energy_pj"].values()) for layer in layers)  # type: ignore[attr-defined]
    assert energy == pytest.approx(totals["energy_pj"], rel=1e-9)  # type: ignore[index]
    assert all(check["ok"] for check in data["checks"])  # type: ignore[attr-defined]


def test_analytic_cycles_never_exceed_event_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    for workload in ("lenet", "tiny_kws", "tiny_ic", "mlp", "pulse_cnn"):
        event = simulate(capsys, workload)
        closed = simulate(capsys, workload, "--fidelity", "analytic")
        assert closed["totals"]["cycles"] <= event["totals"]["cycles"]  # type: ignore[index]
        assert closed["totals"]["energy_pj"] == event["totals"]["energy_pj"]  # type: ignore[index]


def test_same_input_gives_the_same_bytes_under_any_hash_seed(tmp_path: Path) -> None:
    outputs = []
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-m", "tilewright", "sim", "tiny_ic", "--json", "--trace", f"t{seed}.json.gz"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=120)
        outputs.append(done.stdout + (tmp_path / f"t{seed}.json.gz").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]


def test_redo_repeats_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    first = simulate(capsys, "lenet", "--set", "core.rows=16", "--objective", "energy", "--dim", "batch=2")
    words = first["manifest"]["redo"].split()  # type: ignore[index]
    assert words[0] == "tilewright"
    assert run([*words[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_report_is_one_file_that_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert run(["sim", "lenet", "--report", str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    for forbidden in ('src="http', 'href="http', "<script", "@import", "url(http"):
        assert forbidden not in page
    for wanted in ("<svg", "Not modelled", "tilewright sim lenet", "Checks of this run"):
        assert wanted in page
    again = tmp_path / "again"
    assert run(["report", str(folder), "-o", str(again)]) == 0
    assert (again / "report.html").read_bytes() == (folder / "report.html").read_bytes()
    capsys.readouterr()
    assert run(["explain", str(folder), "--json"]) == 0
    parts = json.loads(capsys.readouterr().out)
    assert sum(parts["parts"].values()) == parts["cycles"]
    assert run(["compare", str(folder), str(again), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["layers"]
    assert {row["change_cycles"] for row in rows} == {0}


def test_wider_memory_never_slows_a_layer_down_in_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    slow = simulate(capsys, "tiny_kws", "--set", "dram.bandwidth=1.6GB/s")
    fast = simulate(capsys, "tiny_kws", "--set", "dram.bandwidth=12.8GB/s")
    assert fast["totals"]["cycles"] < slow["totals"]["cycles"]  # type: ignore[index]


def test_scalesim_inputs_are_counted_by_their_own_convention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.cfg").write_text(
        "[general]\nrun_name = x\n[architecture_presets]\nArrayHeight: 32\nArrayWidth: 32\nIfmapSramSzkB: 64\n"
        "FilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: ws\nBandwidth: 10\n[run_presets]\nInterfaceBandwidth: CALC\n"
    )
    (tmp_path / "n.csv").write_text(
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
        "Conv1, 227, 227, 11, 11, 3, 96, 4,\n\n"
    )
    argv = ["sim", str(tmp_path / "n.csv"), "--arch", str(tmp_path / "m.cfg"), "--fidelity", "analytic", "--json"]
    assert run(argv) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [(layer["name"], layer["compute_cycles"]) for layer in layers] == [("Conv1", 112284)]
