"""The list of cores: names that are unique and valid, sources that lint, and the one command that verifies them all."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hw_models.layer_engine import EngineParams
from rtl.emit import emit
from rtl.repro import write_repro
from rtl.stimulus import draw
from rtl.stream_core import stream_work
from tilewright import verification
from tilewright.cli import run
from tilewright.cores import CoreRow, list_cores

pytestmark = pytest.mark.cosim


def test_names_are_unique_and_are_module_names() -> None:
    names = [row.name for row in list_cores()]
    assert len(set(names)) == len(names) >= 40
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert {"systolic_ws_int8", "systolic_os_int8"} <= set(names)


@pytest.mark.parametrize("row", list_cores(), ids=lambda row: row.name)
def test_every_core_is_emitted_alike_each_time(row: CoreRow) -> None:
    sources = emit(row.params)
    assert sources == emit(row.params)
    top = sources[f"{row.name}.sv"]
    assert f"module {row.name} " in top
    assert "parameters sha256" in top
    assert list(sources)[-1] == f"{row.name}.f"
    assert sources[f"{row.name}.f"].split() == list(sources)[:-1]


def test_a_stream_core_is_verified_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "dot_nm2of4_int8", "--json", "--jobs", "4"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert {row["run"] for row in report["cores"]} == {"alone", "after a reset", "back to back", "disturbed"}
    for row in report["cores"]:
        assert set(row) == {
            "core", "params", "run", "vectors", "value_errors", "predicted_cycles", "rtl_cycles", "cycle_difference",
        }  # fmt: skip


def test_a_wrong_product_and_a_late_sum_end_in_exit_code_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(old: str, new: str) -> None:
        def wrong(params: object) -> dict[str, str]:
            sources = emit(params)
            assert any(old in text for text in sources.values())
            return {name: text.replace(old, new) for name, text in sources.items()}

        monkeypatch.setattr("rtl.emit.emit", wrong)

    monkeypatch.chdir(tmp_path)
    broken("total - P_W'(1) : total + P_W'(1)", "total + P_W'(1) : total + P_W'(1)")
    assert run(["verify", "dot_ternary16", "--jobs", "4"]) == 4
    captured = capsys.readouterr()
    assert "MISMATCH" in captured.out
    assert "smallest case found: mismatch_dot_ternary16" in captured.err
    left = tmp_path / "mismatch_dot_ternary16"
    done = subprocess.run(["sh", "run.sh"], cwd=left, capture_output=True, text=True, check=True)
    assert "FAIL: 1 wrong beats, 5 cycles, 5 predicted" in done.stdout
    assert (left / "s_axis_a.hex").read_text() == "3\n"  # one product of -1 is enough
    assert {"waves.fst", "waves.gtkw"} <= {path.name for path in left.iterdir()}
    broken(
        "localparam integer LEVELS = LANES > 1 ? $clog2(LANES) : 0;", "localparam integer LEVELS = $clog2(LANES) + 1;"
    )
    assert run(["verify", "dot_ternary16", "--jobs", "4"]) == 4


STREAM_CORES = [row for row in list_cores() if not row.sized and not isinstance(row.params, EngineParams)]


@pytest.mark.parametrize("row", STREAM_CORES[::4], ids=lambda row: row.name)
def test_the_bench_that_is_left_behind_passes_a_right_core(row: CoreRow, tmp_path: Path) -> None:
    work = stream_work(row.params, *draw(row.params, np.random.default_rng(1), "random"))
    write_repro(tmp_path, row.name, work, emit(row.params))
    done = subprocess.run(["sh", "run.sh"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"PASS: {work.cycles} cycles" in done.stdout


def test_all_and_a_name_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify"]) == 2
    assert run(["verify", "dot_int8", "--all"]) == 2
    assert run(["verify", "dot_int8", "--rows", "4"]) == 2
    assert "size systolic arrays only" in capsys.readouterr().err


def test_cores_side_by_side_are_reported_in_order() -> None:
    names = ["topk_2of4_int8", "fifo_6x8"]
    reports = list(verification.verify_all(jobs=4, names=names))
    assert [report.rows[0].core for report in reports] == names
    assert reports[1] == verification.verify_core(names[1], jobs=4)


@pytest.mark.nightly
def test_all_cores_agree_on_many_works() -> None:
    assert all(report.ok for report in verification.verify_all(seed=1, jobs=400))
