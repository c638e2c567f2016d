"""``doctor`` says what is missing and the exact next command."""

from __future__ import annotations

import json
import shutil
from importlib import metadata

import pytest

from tilewright import doctor
from tilewright.cli import run


def test_a_complete_environment_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "tilewright.doctor/1"
    assert report["ready"] is True
    assert {"python", "numpy", "simpy", "iverilog"} <= {row["name"] for row in report["rows"]}


def test_a_missing_requirement_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name == "simpy":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "onnx" else known(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert run(["doctor"]) == 2
    printed = capsys.readouterr().out
    assert "pip install 'simpy>=4.1'" in printed
    assert "too old  onnx" in printed
    assert "not ready" in printed


def test_a_missing_simulator_only_costs_its_feature(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None if name == "iverilog" else found(name))
    assert run(["doctor"]) == 0
    assert "sudo apt-get install -y iverilog" in capsys.readouterr().out


@pytest.mark.parametrize(("older", "newer"), [("1.9", "1.10"), ("2.1.0", "2.1.1"), ("11.0", "12.0"), ("0.9.9", "1.0")])
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert doctor._parts(older) < doctor._parts(newer)
