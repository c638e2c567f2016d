"""A catalogue of wrong inputs: each gives one clear message, a documented exit code, and leaves nothing half-written.

Every case states what is written to disk (`files`), the command, the exit code, and fragments that the message must
hold: the subject, and a remedy or the nearest valid name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tilewright.cli import run

CFG = "[architecture_presets]\nArrayHeight: 8\nArrayWidth: 8\nDataflow: ws\n[run_presets]\nInterfaceBandwidth: CALC\n"
HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


@dataclass(frozen=True)
class Case:
    """One wrong input."""

    name: str
    argv: tuple[str, ...]
    code: int
    says: tuple[str, ...]
    files: dict[str, str | bytes] = field(default_factory=dict)


def edge(text: str, old: str, new: str) -> str:
    """Return the shipped preset with one edit that must apply."""
    assert old in text
    return text.replace(old, new, 1)


CASES = [
    # names
    Case("verb unknown", ("simulate", "lenet"), 2, ("verb 'simulate'", "sim")),
    Case("no workload", ("sim",), 2, ("WORKLOAD",)),
    Case("workload unknown", ("sim", "resnet51"), 2, ("resnet51", "resnet50")),
    Case("workload empty", ("sim", ""), 2, ("workload",)),
    Case("arch unknown", ("sim", "lenet", "--arch", "edge_int9"), 2, ("edge_int9", "edge_int8")),
    Case("objective unknown", ("sim", "lenet", "--objective", "speed"), 2, ("speed", "latency")),
    Case("fidelity unknown", ("sim", "lenet", "--fidelity", "rtl"), 2, ("rtl", "event")),
    Case("core unknown", ("verify", "systolic_xs_int8"), 2, ("systolic_xs_int8", "systolic_ws_int8")),
    Case("core unknown for rtl", ("rtl", "systolic_xs_int8"), 2, ("systolic_xs_int8", "systolic_ws_int8")),
    Case("list kind unknown", ("list", "networks"), 2, ("networks", "workloads")),
    # dims and parameters
    Case("dim without value", ("sim", "lenet", "--dim", "batch"), 2, ("--dim 'batch'", "batch=1")),
    Case("dim zero", ("sim", "lenet", "--dim", "batch=0"), 2, ("batch=0", ">= 1")),
    Case("dim not a number", ("sim", "lenet", "--dim", "batch=two"), 2, ("batch=two",)),
    Case("dim twice", ("sim", "lenet", "--dim", "batch=1", "--dim", "batch=2"), 2, ("twice",)),
    Case("dim unknown to the workload", ("sim", "lenet", "--dim", "sequence=128"), 2, ("sequence", "batch")),
    Case("dim huge", ("sim", "bert_base", "--dim", "sequence=99999999999"), 2, ("sequence",)),
    # overrides
    Case("set without value", ("sim", "lenet", "--set", "core.rows"), 2, ("core.rows", "=")),
    Case("set unknown path", ("sim", "lenet", "--set", "core.rowz=64"), 2, ("rowz", "rows")),
    Case("set wrong unit", ("sim", "lenet", "--set", "dram.bandwidth=10MHz"), 2, ("10MHz", "GB/s")),
    Case("set bare number where a unit is due", ("sim", "lenet", "--set", "dram.bandwidth=10"), 2, ("bandwidth", "GB/s")),
    Case("set zero rows", ("sim", "lenet", "--set", "core.rows=0"), 2, ("rows",)),
    Case("set negative", ("sim", "lenet", "--set", "core.rows=-4"), 2, ("rows",)),
    Case("set text for a number", ("sim", "lenet", "--set", "core.rows=many"), 2, ("rows", "many")),
    # files
    Case("workload file missing", ("sim", "gone.onnx"), 2, ("gone.onnx", "no such file")),
    Case("workload suffix wrong", ("sim", "net.txt"), 2, ("net.txt", ".onnx"), {"net.txt": "x"}),
    Case("workload is a directory", ("sim", "d.onnx"), 2, ("d.onnx",), {"d.onnx/x": "x"}),
    Case("arch file missing", ("sim", "lenet", "--arch", "gone.yaml"), 2, ("gone.yaml", "no such file")),
    Case("arch suffix wrong", ("sim", "lenet", "--arch", "a.toml"), 2, ("a.toml", ".yaml"), {"a.toml": "x"}),
    Case("arch empty", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": ""}),
    Case("arch not a mapping", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": "- 1\n- 2\n"}),
    Case("arch bad yaml", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": "a: [1, 2\n"}),
    Case("arch duplicate key", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml", "name"), {"a.yaml": "name: a\nname: b\n"}),
    Case("arch alias bomb", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml", "anchor"), {"a.yaml": "a: &x [1]\nb: [*x, *x]\n"}),
    Case("arch custom tag", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": "a: !!python/object:os.system x\n"}),
    Case("arch not text", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": b"\xff\xfe\x00\x01"}),
    Case("arch huge", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml",), {"a.yaml": "# " + "x" * 5_000_000}),
    Case("arch several mistakes", ("sim", "lenet", "--arch", "a.yaml"), 2, ("a.yaml", "nmae"), {"a.yaml": "nmae: a\nclok: 1\n"}),
    # ONNX
    Case("onnx empty", ("sim", "m.onnx"), 2, ("m.onnx",), {"m.onnx": b""}),
    Case("onnx not protobuf", ("sim", "m.onnx"), 2, ("m.onnx",), {"m.onnx": b"this is not a model at all"}),
    Case("onnx truncated", ("check", "m.onnx"), 2, ("m.onnx",), {"m.onnx": b"\x08\x07\x12\x07pytorch\x3a\xff\xff\x03"}),
    Case("check on a csv", ("check", "m.csv"), 2, ("m.csv",), {"m.csv": HEADER}),
    # SCALE-Sim
    Case(
        "csv with a yaml machine", ("sim", "n.csv", "--arch", "edge_int8"), 2, ("n.csv", ".cfg"),
        {"n.csv": HEADER + "a, 8, 8, 3, 3, 3, 8, 1,\n"},
    ),
    Case(
        "csv short row", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("n.csv", "2"),
        {"s.cfg": CFG, "n.csv": HEADER + "a, 8, 8, 3,\n"},
    ),
    Case(
        "csv not a number", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("n.csv", "eight"),
        {"s.cfg": CFG, "n.csv": HEADER + "a, eight, 8, 3, 3, 3, 8, 1,\n"},
    ),
    Case(
        "csv filter larger than input", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("n.csv",),
        {"s.cfg": CFG, "n.csv": HEADER + "a, 2, 2, 3, 3, 3, 8, 1,\n"},
    ),
    Case(
        "csv without layers", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("n.csv",),
        {"s.cfg": CFG, "n.csv": HEADER + "\n ,,,\n"},
    ),
    Case(
        "cfg without its section", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("s.cfg",),
        {"s.cfg": "[general]\nrun_name: x\n", "n.csv": HEADER + "a, 8, 8, 3, 3, 3, 8, 1,\n"},
    ),
    Case(
        "cfg dataflow unknown", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "analytic"), 2, ("s.cfg", "rs"),
        {"s.cfg": CFG.replace("ws", "rs"), "n.csv": HEADER + "a, 8, 8, 3, 3, 3, 8, 1,\n"},
    ),
    Case(
        "event fidelity on a cfg", ("sim", "n.csv", "--arch", "s.cfg", "--fidelity", "event"), 2, ("analytic",),
        {"s.cfg": CFG, "n.csv": HEADER + "a, 8, 8, 3, 3, 3, 8, 1,\n"},
    ),
    # results
    Case("result missing", ("explain", "gone.json"), 2, ("gone.json",)),
    Case("result not json", ("report", "r.json"), 2, ("r.json", "not JSON"), {"r.json": "{"}),
    Case("result of another schema", ("explain", "r.json"), 2, ("tilewright.result/1",), {"r.json": '{"schema": "x/2"}'}),
    Case("result with NaN", ("explain", "r.json"), 2, ("NaN",), {"r.json": '{"schema": NaN}'}),
    Case("compare with one missing", ("compare", "gone.json", "gone2.json"), 2, ("gone.json",)),
    # sweeps
    Case("sweep missing", ("sweep", "gone.yaml"), 2, ("gone.yaml",)),
    Case("sweep unknown key", ("sweep", "s.yaml"), 2, ("workload", "workloads"), {"s.yaml": "workload: lenet\n"}),
    Case("sweep empty axis", ("sweep", "s.yaml"), 2, ("core.rows",), {"s.yaml": "workloads: lenet\ngrid: {core.rows: []}\n"}),
    Case("sweep resume without store", ("sweep", "s.yaml", "--resume"), 2, ("no store",), {"s.yaml": "workloads: lenet\n"}),
    Case("sweep output is a file", ("sweep", "s.yaml", "-o", "f"), 2, ("is a file",), {"s.yaml": "workloads: lenet\n", "f": ""}),
    # output
    Case("report directory is a file", ("sim", "lenet", "--report", "f"), 2, ("f",), {"f": ""}),
    Case("trace suffix", ("sim", "lenet", "--trace", "t.txt"), 2, ("t.txt", ".json")),
    # infeasible
    Case(
        "layer that does not fit", ("sim", "resnet18", "--set", "core.input.half=32B", "--set", "energy.allow_default=true"), 3, ("input", "bytes"),
    ),
    Case(
        "accumulator that does not fit", ("sim", "resnet18", "--set", "core.accumulator.half=2B", "--set", "energy.allow_default=true"), 3, ("accumulator", "bytes"),
    ),
]  # fmt: skip


def test_the_catalogue_is_large_enough() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_gives_one_clear_message(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in case.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(path for path in tmp_path.rglob("*"))
    code = run(list(case.argv))
    captured = capsys.readouterr()
    assert code == case.code, captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert "internal error" not in captured.err
    for fragment in case.says:
        assert fragment.lower() in captured.err.lower()
    assert sorted(path for path in tmp_path.rglob("*")) == before
