"""What once broke at the command line, each with the answer it must give."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import tilewright as tw
from tilewright.cli import run
from workloads.errors import InputError, InternalError

DATA = Path(__file__).resolve().parents[1] / "data" / "onnx"


def named_model(path: Path, name: str) -> Path:
    """Write a two-node model whose first node has the given name."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["t"], name=name), helper.make_node("Relu", ["t"], ["y"], name="r")]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 1, 1], [0.5] * 12)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_python_verify_may_be_called_twice() -> None:
    code = (
        "import tilewright as tw, tilewright.verification\n"
        "tw.verify; import tilewright.api; assert callable(tw.verify)\n"
        "assert callable(tw.check) and callable(tw.sweep) and callable(tw.simulate)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


def test_a_reduction_to_a_scalar_is_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", str(DATA / "quantised_dynamic.onnx"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["cycles"] > 0


@pytest.mark.parametrize("name", ["blk[/0]", "l[bold]0", r"$\frac{$0", "a\x1b[31mb"])
def test_names_are_shown_as_they_are(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = named_model(tmp_path / "[red]m.onnx", name)
    assert run(["sim", str(model), "--report", str(tmp_path / "r")]) == 0
    printed = capsys.readouterr().out
    assert name.replace("\x1b", "?") in printed
    assert "\x1b" not in printed
    assert "[red]m.onnx" in printed
    assert run(["check", str(model)]) == 0
    assert (tmp_path / "r" / "timeline.png").exists()


def _spoil(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def apply(result: dict[str, Any]) -> dict[str, Any]:
        spoiled = copy.deepcopy(result)
        change(spoiled)
        return spoiled

    return apply


SPOILED = {
    "bounds null": _spoil(lambda r: r.update(bounds=None)),
    "totals empty": _spoil(lambda r: r.update(totals={})),
    "layers null": _spoil(lambda r: r.update(layers=None)),
    "layers object": _spoil(lambda r: r.update(layers={})),
    "layers empty": _spoil(lambda r: r.update(layers=[])),
    "no name": _spoil(lambda r: r["layers"][0].pop("name")),
    "stalls text": _spoil(lambda r: r["layers"][0].update(stall_cycles="a")),
    "no machine": _spoil(lambda r: r["manifest"].pop("machine")),
    "huge": _spoil(lambda r: r["totals"].update(cycles=10**400)),
    "negative stall": _spoil(lambda r: r["layers"][0]["stall_cycles"].update(vector=-5)),
    "parts differ": _spoil(lambda r: r["layers"][0].update(compute_cycles=r["layers"][0]["compute_cycles"] + 1)),
    "traffic": _spoil(lambda r: r["layers"][0]["traffic_bytes"]["dram"].update(x={"read": 1})),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tw.simulate("tiny_ad").to_json()


@pytest.mark.parametrize("case", SPOILED)
def test_a_damaged_result_is_refused_by_every_verb(
    case: str, saved: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(saved))
    bad.write_text(json.dumps(SPOILED[case](saved)))
    for verb in (["explain", str(bad)], ["report", str(bad)], ["compare", str(bad), str(good)]):
        assert run(verb) == 2
        assert capsys.readouterr().err.startswith(f"error: result '{bad}'")
    with pytest.raises(InputError):
        tw.load_result(bad)
    assert run(["explain", str(good)]) == 0


@pytest.mark.parametrize(
    "override",
    [
        "clocks.frequency=0MHz", "dram.latency=99999999999999999999cycles", "dram.latency=1e30ns",
        "dram.bandwidth=0.0000001B/s", "clocks.frequency=5000GHz", "dram.bandwidth=1e20GB/s",
    ],
)  # fmt: skip
def test_quantities_out_of_any_reason_are_refused(override: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "lenet", "--set", override]) == 2
    assert "bound is" in capsys.readouterr().err


def test_a_crashing_point_leaves_the_others_and_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text("workloads: tiny_ad\ngrid:\n  core.rows: [8, 16]\n")
    from tilewright import api

    real = api.simulate

    def broken(*args: Any, **kwargs: Any) -> Any:
        if kwargs["overrides"] == ["core.rows=8"]:
            raise InternalError("a law is broken")
        return real(*args, **kwargs)

    monkeypatch.setattr(api, "simulate", broken)
    assert run(["sweep", str(spec), "-j", "1"]) == 70
    assert "a law is broken" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(["sweep", str(spec), "-j", "1"]) == 0
    assert "1 points simulated, 1 taken from the store" in capsys.readouterr().out


def test_wrong_names_stop_a_sweep_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(
        "workloads: [lenett, net.csv]\narchs: [edge_int8, edge_int9]\ndims: {batsch: [1]}\n"
        "grid: {core.rowz: [4], core.rows: [8], cores.array.rows: [16]}\n"
    )
    assert run(["sweep", str(spec)]) == 2
    printed = capsys.readouterr().err
    for part in ("did you mean 'lenet'", "net.csv", "edge_int8", "core.rowz", "names 'cores.array.rows' twice"):
        assert part in printed
    assert not (tmp_path / "s").exists()


def test_workers_end_when_the_sweep_is_killed(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    values = ", ".join(str(value) for value in range(4, 36))
    spec.write_text(f"workloads: resnet18\ngrid:\n  core.rows: [{values}]\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TILEWRIGHT_TEST_MARK": str(tmp_path)}
    command = [sys.executable, "-m", "tilewright", "sweep", str(spec), "-j", "2"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def marked() -> list[str]:
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    if str(tmp_path).encode() in (folder / "environ").read_bytes():
                        found.append(folder.name)
                except OSError:
                    continue
        return found

    deadline = time.monotonic() + 60
    while len(marked()) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(marked()) >= 3
    time.sleep(2)
    child.kill()
    child.wait()
    deadline = time.monotonic() + 20
    while marked() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert marked() == []


def test_links_and_pipes_are_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    assert run(["sim", "tiny_ad", "-o", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["schema"] == "tilewright.result/1"
    assert run(["sim", "tiny_ad", "-o", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_leaves_nothing_and_keeps_what_was(tmp_path: Path) -> None:
    keep = tmp_path / "m.json"
    keep.write_text("precious")
    script = f"ulimit -f 1; exec {sys.executable} -m tilewright map lenet -o {keep}"
    # Python's own cache files would be cut off too, and stay so.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert keep.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_check_looks_at_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "lenet", "--set", "core.input_format=int7"]) == 2
    assert "takes int7" in capsys.readouterr().err
    assert run(["check", "tiny_ic", "--set", "core.vector.operand_half=1B", "--set", "core.vector.lanes=1"]) == 2
    assert "operand" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--set", "core.rows=0"], 2), (["--set", "core.weight.half=1B", "--set", "energy.allow_default=true"], 3)],
)
def test_debug_keeps_the_exit_code(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "lenet", "--debug", *arguments]) == code
    assert "Traceback" in capsys.readouterr().err


def test_analytic_claims_no_peak(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "tiny_ad", "--fidelity", "analytic", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["peak_scratchpad_bytes"] is None


def test_redo_repeats_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "tiny_ad", "--seed", "5", "--json"]) == 0
    first = capsys.readouterr().out
    words = json.loads(first)["manifest"]["redo"].split()
    assert run([*words[1:], "--json"]) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("verb", [["check", "tiny_ad"], ["list", "archs"], ["doctor"], ["map", "tiny_ad"]])
def test_every_verb_writes_where_it_is_told(verb: list[str], tmp_path: Path) -> None:
    assert run([*verb, "-o", str(tmp_path / "folder")]) == 0
    (written,) = (tmp_path / "folder").iterdir()
    assert json.loads(written.read_text())["schema"].startswith("tilewright.")


@pytest.mark.parametrize("workload", ["tiny_ic", "unet"])
def test_a_plan_reloads_to_the_identical_cost(
    workload: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    assert run(["map", workload, "-o", str(plan)]) == 0
    results = []
    for extra in ([], ["--plan", str(plan)]):
        capsys.readouterr()
        assert run(["sim", workload, "--json", *extra]) == 0
        results.append(json.loads(capsys.readouterr().out))
    for key in ("totals", "bounds", "layers", "placement", "checks", "not_modelled"):
        assert results[0][key] == results[1][key]


def test_an_edited_plan_is_priced_and_not_believed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.json"
    assert run(["map", "tiny_ad", "-o", str(plan)]) == 0
    tree = json.loads(plan.read_text())
    nest = tree["layers"][0]["mapping"]
    for loop in nest["loops"]:
        loop["tile"] = max(1, loop["tile"] // 2)
    plan.write_text(json.dumps(tree))
    capsys.readouterr()
    assert run(["sim", "tiny_ad", "--plan", str(plan), "--json"]) == 0
    layer = json.loads(capsys.readouterr().out)["layers"][0]
    assert layer["proven_optimal"] is False
    assert layer["mapping"]["certificate"]["map_space"] == "the given mapping alone"
    nest["loops"], nest["cuts"] = [{"dim": "K", "extent": 7, "tile": 3}], {"I": 0, "W": 1, "O": 1}
    plan.write_text(json.dumps(tree))
    assert run(["sim", "tiny_ad", "--plan", str(plan)]) == 2
    assert "extent of loop K is 7" in capsys.readouterr().err
    tree["resident"] = [{"tensor": "nothing", "half": 0}]
    plan.write_text(json.dumps(tree))
    assert run(["sim", "tiny_ad", "--plan", str(plan)]) == 2
    assert run(["sim", "tiny_kws", "--plan", str(plan)]) == 2
    assert "workload_sha256" in capsys.readouterr().err


def test_python_answers_slips_with_one_message(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text("workloads: tiny_ad\n")
    with pytest.raises(InputError, match="jobs is 0"):
        tw.sweep(spec, tmp_path / "x", jobs=0)
    with pytest.raises(InputError, match="a directory is needed"):
        tw.sweep(spec, spec)
    with pytest.raises(InputError, match="objective"):
        tw.simulate("tiny_ad", objective=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be written"):
        tw.simulate("tiny_ad").trace(tmp_path / "no" / "x.json")
    assert tw.simulate(DATA / "quantised_dynamic.onnx").totals.cycles > 0


def test_a_store_with_foreign_content_is_refused(tmp_path: Path) -> None:
    import sqlite3

    from tilewright.sweeps.store import SqliteStore

    path = tmp_path / "store.sqlite"
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE point (a, b)")
    base.commit()
    base.close()
    with pytest.raises(InputError, match="name another directory"), SqliteStore(path) as store:
        store.known()


def test_rtl_of_a_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rtl", "scalesim_8", "-o", str(tmp_path / "m")]) == 0
    assert {path.name for path in (tmp_path / "m").iterdir()} >= {"systolic_ws_int8"}
    assert run(["rtl", "eyeriss_v1", "-o", str(tmp_path / "e")]) == 2
    assert "no RTL is generated" in capsys.readouterr().err
    assert run(["rtl", "systolic_ws_int8", "--depth", "99999999999", "-o", str(tmp_path / "d")]) == 2
    capsys.readouterr()
    assert run(["rtl", "engine_8x8", "--set", "core.rows=4", "-o", str(tmp_path / "s")]) == 0
    assert "layer_engine_4x8_int8.f" in capsys.readouterr().out  # --set reached the description
    assert run(["rtl", "systolic_ws_int8", "--set", "core.rows=4"]) == 2
    assert "overrides the description of a machine and a core has none" in capsys.readouterr().err
    for command in (["systolic_ws_int8"], ["--all"], ["list.json"]):
        assert run(["verify", *command, "--set", "core.rows=4"]) == 2
        assert "--set core.rows=4 overrides the description of a machine" in capsys.readouterr().err
    assert run(["verify", "engine_8x8", "--set", "core.rosw=4"]) == 2
    assert "names no key; did you mean" in capsys.readouterr().err
    assert run(["verify", "systolic_ws_in8"]) == 2
    assert "did you mean 'systolic_ws_int8'?" in capsys.readouterr().err
