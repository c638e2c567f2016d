"""``tilewright verify``: agreement is reported, and a planted RTL mistake ends in exit code 4."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

import rtl.run
from rtl.emit import emit
from tilewright.cli import run

pytestmark = pytest.mark.cosim


@pytest.mark.parametrize("core", ["systolic_ws_int8", "systolic_os_int8"])
def test_rtl_equals_golden_and_event_model(core: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", core, "--rows", "3", "--cols", "5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["cores"]
    assert [row["run"] for row in rows] == ["alone", "back to back", "layer"]
    assert all(row["value_errors"] == 0 and row["cycle_difference"] == 0 for row in rows)
    assert all(row["vectors"] > 0 and row["rtl_cycles"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("tw_mac.sv", "+", "-"),  # a value: the multiply-add subtracts
        ("systolic_ws.sv", "ROWS + COLS", "ROWS + COLS + 1"),  # a latency
    ],
)
def test_a_planted_mistake_ends_in_exit_code_4(
    module: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(params: object) -> Mapping[str, str]:
        sources = dict(emit(params))
        body = sources[module]
        code = [line for line in body.splitlines() if old in line and not line.strip().startswith("//")]
        if not code:
            pytest.skip(f"{module} has no line with {old!r} to break")
        sources[module] = body.replace(code[0], code[0].replace(old, new, 1), 1)
        return sources

    monkeypatch.setattr(rtl.run, "emit", broken)
    assert run(["verify", "systolic_ws_int8", "--rows", "2", "--cols", "2"]) == 4
    printed = capsys.readouterr()
    assert "MISMATCH" in printed.out or "error:" in printed.err
