"""``tilewright validate``: every gating row of the quick cases holds, and a row that fails ends with exit code 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.cli import run
from tilewright.validation import CASES, Row, run_cases, table
from tilewright.validation import case_systolic as systolic
from workloads.errors import InputError

QUICK = ("systolic", "nvdla", "finn", "hls4ml", "eyeriss", "sparse", "dram")


@pytest.mark.parametrize("name", QUICK)
def test_every_gating_row_is_within_its_tolerance(name: str) -> None:
    rows = run_cases([name])[name]
    assert [row.label for row in rows if row.gates and not row.within] == []
    assert all(row.source for row in rows)
    assert all(not row.gates for row in rows if row.confidence == "memory")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in CASES if name not in QUICK])
def test_every_gating_row_of_the_long_cases_is_within_its_tolerance(name: str) -> None:
    assert [row.label for row in run_cases([name])[name] if row.gates and not row.within] == []


@pytest.mark.source
def test_the_committed_table_is_what_a_run_gives() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "validation.md").read_text("utf-8")
    for name in ("systolic", "hls4ml", "eyeriss", "sparse"):
        assert table.markdown(run_cases([name])) in page, f"{name}: run tools/refresh_validation.py"


def test_the_mapper_finds_the_mappings_of_the_chip() -> None:
    """Chen et al., JSSC 2017, Table III, with conv3's q, r and t from its published buffer traffic."""
    from mappers.passes.plan import shapes_of
    from mappers.passes.row_stationary import search_row_mapping
    from tilewright.validation.case_eyeriss import array_of
    from tilewright.validation.figures import load_figures
    from workloads.zoo import load

    array = array_of(load_figures("eyeriss"))
    found = {}
    for shape in shapes_of(load("alexnet_caffe", batch=4))[:5]:
        m = search_row_mapping(shape, array)
        found[shape.name] = (
            m.filters, m.images, m.rows, m.pe_filters, m.pe_channels, m.set_channels, m.set_filters,
        )  # fmt: skip
    assert found == {
        "conv1": (96, 1, 7, 16, 1, 1, 2),
        "conv2": (64, 1, 27, 16, 2, 1, 1),
        "conv3": (64, 4, 13, 16, 3, 2, 2),
        "conv4": (64, 4, 13, 16, 3, 2, 2),
        "conv5": (64, 4, 13, 16, 3, 2, 2),
    }


def test_a_row_out_of_tolerance_exits_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["validate", "systolic", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "tilewright.validation/1"
    assert data["ok"] is True
    right = systolic.count

    def slow(*arguments: object) -> object:
        return right("ws", 32, 32, 1, 1, 1)

    monkeypatch.setattr(systolic, "count", slow)
    assert run(["validate", "systolic", "-o", str(tmp_path)]) == 4
    out = capsys.readouterr().out
    assert "FAIL" in out
    assert json.loads((tmp_path / "validation.json").read_text("utf-8"))["ok"] is False
    assert "| FAIL |" in (tmp_path / "validation.md").read_text("utf-8")
    assert run(["validate", "nvdia"]) == 2
    assert "case 'nvdia' is unknown" in capsys.readouterr().err


def test_a_recalled_figure_never_gates() -> None:
    with pytest.raises(InputError, match="a recalled figure cannot gate"):
        Row("m", "w", "q", "x", 1.0, 1.0, "s", "memory")
    with pytest.raises(InputError, match="give either published, or low and high"):
        Row("m", "w", "q", "x", 1.0, None, "s", "read")
    row = Row("m", "w", "q", "x", 3.0, None, "s", "read", low=1.0, high=2.0)
    assert (row.verdict, row.error, table.error(row)) == ("FAIL", 0.5, "+50.00%")
    assert Row("m", "w", "q", "x", 1.5, None, "s", "read", low=1.0, high=2.0).within
    assert Row("m", "w", "q", "x", 3.0, 3.0, "s", "computed").within
