"""``tilewright map`` on machine files of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.cli import run
from tilewright.foreign import arch_format

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "data" / "peers"
SYSTOLIC, LAYERS = str(FILES / "zigzag_systolic.yaml"), str(FILES / "zigzag_layers.yaml")
ARCH, PROBLEM = str(FILES / "timeloop_3level_v04.yaml"), str(FILES / "timeloop_conv1d_oc.yaml")
SIMBA = str(ROOT / "benchmarks" / "peers" / "simba_accelforge.yaml")
MAPPING = """mapping:
- {target: PE, type: spatial, factors: [K=16], permutation: KRPC}
- {target: GlobalBuffer, type: temporal, factors: [R=3, K=2], permutation: [R, K, C, P]}
- {target: RegisterFile, type: temporal, factors: [P=16], permutation: [P, C, K, R]}
"""


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (SYSTOLIC, "zigzag"),
        (ARCH, "timeloop"),
        (str(FILES / "timeloop_3level_v03.yaml"), "timeloop"),
        pytest.param(SIMBA, "accelforge", marks=pytest.mark.source),
        ("edge_int8", None),
        (str(ROOT / "hw_models" / "presets" / "edge_int8.yaml"), None),
    ],
)
def test_the_format_is_recognised(name: str, form: str | None) -> None:
    assert arch_format(name) == form


def test_a_zigzag_workload_is_mapped(capsys: pytest.CaptureFixture[str]) -> None:
    mapping = str(FILES / "zigzag_systolic_mapping.yaml")
    arguments = ["map", LAYERS, "--arch", SYSTOLIC, "--mapping", mapping, "--objective", "edp", "--time-limit", "0.2"]
    assert run([*arguments, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["arch_format"] == "zigzag"
    assert [layer["name"] for layer in data["layers"]][:2] == ["first", "three"]
    solved = [layer for layer in data["layers"] if "nest" in layer]
    assert len(solved) >= 6
    assert all(layer["energy_pj"] > 0 and layer["latency_cycles"] > 0 for layer in solved)
    assert {layer["counting"] for layer in solved} == {"zigzag reported"}
    assert all(layer["gap"] <= 0.05 for layer in solved)


def test_two_objectives_on_a_zigzag_machine_are_searched_by_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    mapping = str(FILES / "zigzag_systolic_mapping.yaml")
    arguments = ["map", LAYERS, "--arch", SYSTOLIC, "--mapping", mapping, "--objective", "latency,energy"]
    assert run([*arguments, "--time-limit", "0", "--json"]) == 0
    solved = [layer for layer in json.loads(capsys.readouterr().out)["layers"] if "nest" in layer]
    assert {layer["counting"] for layer in solved} == {"zigzag"}


def test_a_timeloop_mapping_is_costed_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(MAPPING)
    assert run(["map", PROBLEM, "--arch", ARCH, "--mapping", str(file), "--json"]) == 0
    layer = json.loads(capsys.readouterr().out)["layers"][0]
    assert layer["latency_cycles"] == 96
    assert layer["gap"] is None
    assert "energy_pj" not in layer


def test_an_onnx_like_network_runs_on_a_foreign_machine(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["map", "digits", "--arch", SYSTOLIC, "--objective", "energy", "--time-limit", "0.2", "--json"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["layers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([PROBLEM, "--arch", ARCH, "--objective", "edp"], "states no energies, objective is 'edp'"),
        ([LAYERS, "--arch", SYSTOLIC, "--arch-format", "zigzak"], "bound is zigzag, timeloop, accelforge"),
        ([LAYERS, "--arch", SYSTOLIC, "--arch-format", "timeloop"], "a mapping with shape, instance is needed"),
        ([PROBLEM, "--arch", SYSTOLIC], "a list is needed"),
        ([LAYERS, "--arch", SYSTOLIC, "--energies", "x.yaml"], "is for Timeloop machines"),
        ([LAYERS, "--arch", SYSTOLIC, "--mapping", "missing.yaml"], "no such file"),
        ([LAYERS, "--arch", SYSTOLIC, "--set", "name=x"], "are not for zigzag machines"),
        ([LAYERS, "--arch", SYSTOLIC, "--tiles", "ceil"], "are not for zigzag machines"),
        ([LAYERS, "--arch", SYSTOLIC, "--time-limit", "-1"], "bound is >= 0 CPU seconds"),
        ([LAYERS, "--arch", SYSTOLIC, "--time-limit", "nan"], "bound is >= 0 CPU seconds"),
        (["digits", "--arch", "edge_int8", "--mapping", "x.yaml"], "are for ZigZag and Timeloop machines"),
    ],
)
def test_misuse_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", *arguments]) == 2
    assert message in capsys.readouterr().err
