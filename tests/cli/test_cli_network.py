"""``tilewright sim`` on clusters: tables, files, plots and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.cli import run


def test_table_json_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", "fused"]
    assert run([*words, "--report", str(tmp_path / "plots"), "--trace", str(tmp_path / "t.json.gz")]) == 0
    text = capsys.readouterr().out
    assert "baseline" in text and "checks         17 of 17 passed" in text and "core3" in text
    made = {path.name for path in (tmp_path / "plots").iterdir()}
    assert made >= {"addresses.png", "gantt.png", "occupancy.png", "report.html", "result.json"}
    assert (tmp_path / "t.json.gz").stat().st_size > 100
    assert run([*words, "--json", "-o", str(tmp_path / "r.json")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "r.json").read_text())


def test_a_single_core_gets_a_shared_scratchpad(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "tiny_ic", "--plan-tensors", "ilp", "--set", "shared.capacity=256KiB"]) == 0
    text = capsys.readouterr().out
    assert "of 262,144 B at the peak" in text and "optimal in its model" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--execution", "pipe"], 2, "execution 'pipe' is unknown"),
        (["--plan-tensors", "best"], 2, "--plan-tensors 'best' is unknown"),
        (["--items", "0"], 2, "--items 0: bound is 1..4096"),
        (["--fidelity", "analytic"], 2, "do not go with a cluster"),
        (["--set", "shared.capacity=64B"], 3, "capacity[shared]"),
        (["--plan-tensors", "cosma", "--set", "shared.capacity=4KiB"], 3, "bytes"),
        (["--set", "core7.core.rows=3"], 2, "is no part of quad_edge.yaml"),
    ],
)
def test_refusals(words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "tiny_ic", "--arch", "quad_edge", *words]) == code
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err and captured.out == ""
