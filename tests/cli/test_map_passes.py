"""``tilewright map`` on a row-stationary machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.cli import run


def test_every_mac_layer_has_the_mapping_that_sim_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", "lenet", "--arch", "eyeriss_v1", "--json", "-o", str(tmp_path / "plan.json")]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "plan.json").read_text("utf-8")) == plan
    assert run(["sim", "lenet", "--arch", "eyeriss_v1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    ran = {layer["name"]: layer for layer in result["layers"] if layer["mapping"] is not None}
    assert [row["layer"] for row in plan["layers"]] == list(ran)
    for row in plan["layers"]:
        layer = ran[row["layer"]]
        assert (row["mapping"], row["macs"]) == (layer["mapping"], layer["macs"])
        assert row["cycles"] <= layer["cycles"] and row["proven_optimal"]
        moved = layer["traffic_bytes"]["dram"].values()
        assert row["dram_bytes"] == sum(flow["read"] + flow["write"] for flow in moved)


def test_the_text_says_what_a_pass_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", "lenet", "--arch", "eyeriss_v1"]) == 0
    text = capsys.readouterr().out
    assert (
        "a pass: " in text and "PEs work" in text and "optimal (memory bytes, then buffer bytes, then cycles)" in text
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--objective", "energy"], "the search of passes has one order"),
        (["--commands", "c.json"], "runs in passes, which are no command list"),
        (["--set", "core.rows=0"], "core.rows"),
    ],
)
def test_options_that_mean_nothing_there_are_refused(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["map", "lenet", "--arch", "eyeriss_v1", *options]) == 2
    assert words in capsys.readouterr().err
