"""Topology CSV and cfg files as they occur: blanks, missing commas, extra columns, DP, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.scalesim import read_cfg
from workloads.errors import InputError
from workloads.scalesim_csv import ScaleSimTopology, read_topology

HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
GEMM = "Layer, M, N, K,\n"
CFG = """[general]
run_name = "example"

[architecture_presets]
ArrayHeight:    32
ArrayWidth:     16
IfmapSramSzkB:  64
Dataflow : ws
Bandwidth : 10

[sparsity]
SparsitySupport : false

[run_presets]
InterfaceBandwidth: CALC
"""


def read(tmp_path: Path, text: str, kind: str | None = None) -> ScaleSimTopology:
    file = tmp_path / "net.csv"
    file.write_text(text, encoding="utf-8")
    return read_topology(file, kind)  # type: ignore[arg-type]


def shapes(topology: ScaleSimTopology) -> list[tuple[str, int, int, int]]:
    return [(layer.name, layer.m, layer.k, layer.n) for layer in topology.layers]


def test_conv_rows(tmp_path: Path) -> None:
    topology = read(tmp_path, HEAD + "Conv1, 227, 227, 11, 11, 3, 96, 4,\nFC,1,1,1,1,9216,4096,1,\n")
    assert (topology.kind, topology.name, topology.notes) == ("conv", "net", ())
    assert shapes(topology) == [("Conv1", 3025, 363, 96), ("FC", 1, 9216, 4096)]
    assert topology.layers[0].macs == 105_415_200


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_output_size_is_a_ceiling(height: int, rows: int, stride: int) -> None:
    """Windows may overhang: count the starts 0, s, 2s.. up to the first that reaches the end."""
    rows = min(rows, height)
    starts = 1
    while (starts - 1) * stride + rows < height:
        starts += 1
    assert -(-(height - rows + stride) // stride) == starts


def test_windows_may_overhang(tmp_path: Path) -> None:
    assert shapes(read(tmp_path, HEAD + "c,8,7,3,2,2,5,4,\n")) == [("c", 3 * 3, 12, 5)]


def test_gemm_rows_by_header_or_by_columns(tmp_path: Path) -> None:
    for head in (GEMM, "name,a,b,c,\n"):
        topology = read(tmp_path, head + "g, 256, 128, 64,\nh,1,2,3,1:2,\n")
        assert topology.kind == "gemm"
        assert shapes(topology) == [("g", 256, 64, 128), ("h", 1, 3, 2)]
        assert topology.layers[1].ratio == (1, 2)
    assert read(tmp_path, "x,\n" + "c,9,9,3,3,1,1,1,\n").kind == "conv"
    assert read(tmp_path, "x,\n" + "g,9,9,3,4,\n", "gemm").notes == (f"{tmp_path}/net.csv:2: extra columns ignored: 4",)


def test_blank_rows_and_columns_and_missing_commas(tmp_path: Path) -> None:
    text = "\ufeff" + HEAD + "\r\n" + "a,8,8,3,3,4,16,1\r\n" + ",,,,,,,,\n" + "   \n" + "b,8,8,3,3,4,16,1,,,\n"
    topology = read(tmp_path, text)
    assert shapes(topology) == [("a", 36, 36, 16), ("b", 36, 36, 16)]
    assert [note.split(": ", 1)[1] for note in topology.notes] == ["blank row skipped"] * 3
    assert [note.split(":")[-2] for note in topology.notes] == ["2", "4", "5"]
    column = read(tmp_path, "Layer,,M,N,K,\ng,,4,5,6,\nh,,1,2,3,\n")
    assert shapes(column) == [("g", 4, 6, 5), ("h", 1, 3, 2)]
    assert column.notes == (f"{tmp_path}/net.csv:1: blank column 2 skipped",)


def test_extra_columns_and_ratios_are_reported(tmp_path: Path) -> None:
    topology = read(tmp_path, HEAD + "a,8,8,3,3,4,16,1,2:4,note,7,\nb,8,8,3,3,4,16,1,2,\n")
    assert topology.layers[0].ratio == (2, 4)
    assert [note.split(": ", 1)[1] for note in topology.notes] == [
        "extra columns ignored: note, 7",
        "extra columns ignored: 2",
    ]


def test_dp_names_mean_one_layer_per_channel(tmp_path: Path) -> None:
    topology = read(tmp_path, HEAD + "DP1,10,10,3,3,4,1,1,\ndp2,10,10,3,3,4,1,1,\n")
    assert shapes(topology) == [(f"DP1Channel_{i}", 64, 9, 1) for i in range(4)] + [("dp2", 64, 36, 1)]
    assert "contains DP: one layer per channel, 4 layers" in topology.notes[0]
    gemm = read(tmp_path, GEMM + "DP,2,3,4,\n")
    assert shapes(gemm) == [("DP", 2, 4, 3)]


def test_a_first_line_that_looks_like_a_layer_is_noted(tmp_path: Path) -> None:
    topology = read(tmp_path, "a,8,8,3,3,4,16,1,\nb,8,8,3,3,4,16,1,\n")
    assert [layer.name for layer in topology.layers] == ["b"]
    assert "skipped as header, though it looks like layer 'a'" in topology.notes[0]


def test_a_row_without_name_gets_one(tmp_path: Path) -> None:
    topology = read(tmp_path, HEAD + ",8,8,3,3,4,16,1,\n")
    assert topology.layers[0].name == "layer_2"
    assert "called layer_2" in topology.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "a,8,8,3,3,4,16,1,\nb,8,8,3,\n",
            r":3: row has 3 values after the name, 7 are needed; add filter width, ",
        ),
        (HEAD + "a\n", r":2: row has 0 values after the name, 7 are needed"),
        (GEMM + "g,4,5,\n", r":2: row has 2 values after the name, 3 are needed; add K"),
        (HEAD + "a,8,8,3,3,4,16,0,\n", r":2: stride is '0', bound is an integer of 1\.\."),
        (HEAD + "a,8,8,3,3,-4,16,1,\n", r":2: channels is '-4'"),
        (HEAD + "a,8,8.0,3,3,4,16,1,\n", r":2: ifmap width is '8\.0'"),
        (HEAD + "a,8,,3,3,4,16,1,\nb,8,8,3,3,4,16,1,\n", r":2: ifmap width is blank"),
        (HEAD + "a,8,8,3,3,4,99999999999,1,\n", r":2: filters is '99999999999'"),
        (HEAD + "a,8,8,9,3,4,16,1,\n", r":2: filter height is 9, bound is ifmap height 8"),
        (HEAD + "a,8,8,3,9,4,16,1,\n", r":2: filter width is 9, bound is ifmap width 8"),
        (HEAD + "a,8,8,3,3,4,16,1,4:2,\n", r":2: sparsity is 4:2, bound is N:M"),
        (HEAD + "DP,8,8,3,3,99999999,16,1,\n", r":2: depthwise row 'DP' has 99999999 channels"),
        (HEAD, r"has no layer after its header"),
        ("\n\n", r"has no layer after its header"),
        ("", r"is empty"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe")
    (tmp_path / "big.csv").write_bytes(b"a" * ((1 << 20) + 1))
    for name, message in [
        ("none.csv", "cannot be read"),
        ("b.csv", "not UTF-8"),
        ("big.csv", "more than 1048576 bytes"),
    ]:
        with pytest.raises(InputError, match=message):
            read_topology(tmp_path / name)
        with pytest.raises(InputError, match=message):
            read_cfg(tmp_path / name)


@given(st.text(alphabet="ab1,:.\n -DP0", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        topology = read(tmp_path_factory.getbasetemp(), text)
    except InputError:
        return
    assert all(layer.m >= 1 and layer.k >= 1 and layer.n >= 1 for layer in topology.layers)


def test_cfg(tmp_path: Path) -> None:
    file = tmp_path / "scale.cfg"
    file.write_text(CFG)
    config = read_cfg(file)
    assert (config.run_name, config.rows, config.cols, config.dataflow, config.sparse) == (
        "example",
        32,
        16,
        "ws",
        False,
    )
    assert config.not_counted == ("architecture_presets.ifmapsramszkb", "architecture_presets.bandwidth")
    file.write_text(CFG.replace("CALC", "USER"))
    assert "stalls are not counted" in read_cfg(file).not_counted[-1]
    file.write_text("[architecture_presets]\nArrayHeight=2\nArrayWidth=3\nDataflow=os\n")
    assert (read_cfg(file).run_name, read_cfg(file).rows) == ("scale", 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ArrayHeight:    32", "ArrayHeight: 0", "ArrayHeight is '0', bound is an integer of 1"),
        ("ArrayHeight:    32", "ArrayHeight: 3.5", r"ArrayHeight is '3\.5'"),
        ("ArrayHeight:    32", "ArrayHight: 32", "key ArrayHeight is missing .*did you mean 'arrayhight'"),
        ("Dataflow : ws", "Dataflow : rs", "Dataflow is 'rs', bound is os, ws, is"),
        ("InterfaceBandwidth: CALC", "InterfaceBandwidth: AUTO", "InterfaceBandwidth is 'AUTO', bound is CALC, USER"),
        ("SparsitySupport : false", "SparsitySupport : perhaps", "SparsitySupport is 'perhaps'"),
        (
            "[architecture_presets]",
            "[architecture_preset]",
            r"section \[architecture_presets\] is missing; did you mean",
        ),
        ("ArrayWidth:     16", "ArrayHeight: 16", "not an ini file"),
        ("[general]\n", "", "not an ini file"),
    ],
)
def test_cfg_that_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "scale.cfg"
    assert old in CFG
    file.write_text(CFG.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_cfg(file)
