"""Results of clusters under ``explain``, ``compare``, ``report`` and ``map``; the sizes of ``place``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reference.tensor_graphs import toy_2
from tilewright.cli import run
from tilewright.network_report import PLOTS
from workloads.whole_file import write_whole

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulate a small network twice on four cores, once on one; return the files."""
    folder = tmp_path_factory.mktemp("saved")
    words = {"split": ["--arch", "quad_edge", "--execution", "split"], "one": ["--fidelity", "analytic"]}
    words["fused"] = ["--arch", "quad_edge", "--execution", "fused"]
    paths = {name: folder / f"{name}.json" for name in words}
    for name, own in words.items():
        assert run(["sim", "tiny_ic", *own, "-o", str(paths[name])]) == 0
    return paths


def machine_output(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*(str(word) for word in argv), "--json"]) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_explain_accounts_for_every_cycle_of_every_core(
    saved: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("split", "fused"):
        result = json.loads(saved[name].read_text())
        data = machine_output(capsys, "explain", saved[name])
        cycles = result["totals"]["cycles"]
        assert data["cycles"] == cycles and data["core_cycles"] == sum(data["parts"].values()) == 4 * cycles
        assert all(sum(parts.values()) == cycles for parts in data["cores"].values())
        core = machine_output(capsys, "explain", saved[name], "core2")
        assert core["parts"] == data["cores"]["core2"]
        rows = [row for row in result["operators"] if row["name"] == "stack2.conv2"]
        own = machine_output(capsys, "explain", saved[name], "stack2.conv2")
        assert own["parts"]["compute"] == sum(row["inside_cycles"]["compute"] for row in rows)
        assert own["parts"]["fill_drain"] == sum(row["inside_cycles"].get("fill_drain", 0) for row in rows)
        assert sum(own["component_pj"].values()) == pytest.approx(sum(own["operand_pj"].values()))
        assert own["roofline"]["port"]["macs_per_cycle"] <= own["roofline"]["port"]["roof_macs_per_cycle"]
        assert sum(map(sum, own["pe_macs"])) == sum(row["macs"] for row in rows)
        assert own["core_cycles"] == sum(row["compute_cycles"] + sum(row["stall_cycles"].values()) for row in rows)
    assert run(["explain", str(saved["fused"])]) == 0
    text = capsys.readouterr().out
    assert "core3: busy" in text and "largest loss: operand; cores wait" in text and "lower bound" in text


def test_compare_takes_two_of_a_kind(saved: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    data = machine_output(capsys, "compare", saved["split"], saved["fused"])
    before, after = (json.loads(saved[name].read_text()) for name in ("split", "fused"))
    assert data["totals"]["cycles"] == [before["totals"]["cycles"], after["totals"]["cycles"]]
    work = [sum(c["busy_cycles"] + sum(c["stall_cycles"].values()) for c in r["cores"]) for r in (before, after)]
    assert sum(row["change_core_cycles"] for row in data["operators"]) == work[1] - work[0]
    assert run(["compare", str(saved["split"]), str(saved["fused"])]) == 0
    assert "stack2.conv2" in capsys.readouterr().out
    for pair in (("split", "one"), ("one", "split")):
        assert run(["compare", *(str(saved[name]) for name in pair)]) == 2
        err = capsys.readouterr().err
        assert "one.json' is of a single core and" in err and "--execution layers" in err


def test_report_is_the_same_from_the_run_and_from_its_file(
    saved: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(saved["fused"]), "-o", str(tmp_path / "a")]) == 0
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", "fused", "--report", str(tmp_path / "b")]
    assert run(words) == 0
    kept = sorted(path.name for path in (tmp_path / "a").iterdir())
    drawn = {f"{name}.png" for name in PLOTS}
    assert len(drawn) == 10 and set(kept) == drawn | {"operators.csv", "report.html", "result.json"}
    for name in kept:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    page = (tmp_path / "a" / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "") and "<script" not in page
    assert page.count("data:image/png;base64,") == 10 and "stack2.conv2" in page and "tilewright sim tiny_ic" in page
    capsys.readouterr()
    assert run(["report", str(tmp_path / "a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "tilewright.files/1"


def test_redo_repeats_the_run(saved: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("split", "fused"):
        result = json.loads(saved[name].read_text())
        assert machine_output(capsys, *result["manifest"]["redo"].split()[1:]) == result


EDITS: dict[str, tuple[Edit, str]] = {
    "key gone": (lambda r: r.pop("cores"), "lacks cores"),
    "type": (lambda r: r["operators"][0].update(macs="3"), "operators.0.macs"),
    "parts": (lambda r: r["cores"][0].update(busy_cycles=1), "cycles of core 'core0' are not its parts"),
    "inside": (lambda r: r["cores"][0]["inside_cycles"].update(compute=1), "work of core 'core0' is not its parts"),
    "windows": (lambda r: r["over_time"].update(bus_cycles="no"), "over_time.bus_cycles"),
    "core": (lambda r: r["operators"][0].update(core="core9"), "operators and cores do not match"),
    "manifest": (lambda r: r["manifest"].pop("redo"), "lack 'redo'"),
    "baseline": (lambda r: r.update(baseline=3), "baseline.totals"),
    "no machine": (lambda r: r["manifest"].update(machine=[]), "manifest or bounds lack"),
    "capacity": (lambda r: r["manifest"]["machine"].update(shared_capacity_bytes=-1), "no simulation writes"),
    "bound": (lambda r: r["bounds"].update(lower_bound_cycles=10**9), "are below the bound"),
    "occupancy": (lambda r: r.update(occupancy=[[1]]), "occupancy.0"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_file_is_refused(
    name: str, saved: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, says = EDITS[name]
    result = json.loads(saved["split"].read_text())
    edit(result)
    path = write_whole(tmp_path / "edited.json", json.dumps(result))
    for verb in (["explain"], ["report"], ["compare", str(path)]):
        capsys.readouterr()
        assert run([*verb, str(path)]) == 2
        captured = capsys.readouterr()
        assert says in captured.err and "Traceback" not in captured.err and captured.out == ""


def test_names_that_are_not_there(saved: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(saved["split"]), "core7"]) == 2
    assert "operator or core 'core7': not in this result; did you mean 'core" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["map", "check"])
@pytest.mark.parametrize("by_file", [False, True])
def test_verbs_of_one_core_refuse_a_cluster_by_name(
    verb: str, by_file: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = "quad_edge"
    if by_file:
        arch = str(tmp_path / "mine.yaml")
        core = "{name: a, like: edge_int8}"
        shared = "shared: {capacity: 1MiB, port: 64B/cycle, latency: 4cycles}"
        text = f"name: mine\nsummary: one\nsource: own\ncores: [{core}]\n{shared}\ndram: {{like: edge_int8}}\n"
        write_whole(Path(arch), text)
    assert run([verb, "tiny_ic", "--arch", arch]) == 2
    err = capsys.readouterr().err
    assert "cluster" in err and arch in err and "tilewright sim" in err


@pytest.mark.parametrize("execution", ["fused", "pipeline", "batch"])
def test_a_plan_of_tensors_that_would_not_be_read_is_refused(
    execution: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", execution, "--plan-tensors", "belady"]
    assert run(words) == 2
    assert f"--plan-tensors belady: execution '{execution}' decides itself" in capsys.readouterr().err


def test_sizes_of_a_graph_and_of_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mappers.placement.graph_json import graph_data

    path = write_whole(tmp_path / "toy.json", json.dumps(graph_data(toy_2())))
    data = machine_output(capsys, "place", path, "--sizes", "-o", tmp_path / "sizes.json")
    keys = ("widest_operator", "middle", "least_peak", "least_peak_bound", "contiguous_peak", "listed_peak")
    assert [data[f"{key}_bytes"] for key in keys] == [100, 105, 110, 110, 110, 180]
    assert json.loads((tmp_path / "sizes.json").read_text()) == data
    assert run(["place", "resnet50", "--parameters", "--sizes"]) == 0
    text = capsys.readouterr().out
    assert "M_R        2,484,736 bytes" in text and "M_H        2,534,912" in text and "M_P        2,585,088" in text
    for words in ([], ["--sizes", "--scratchpad-bytes", "9"]):
        assert run(["place", str(path), *words]) == 2
        assert "give one of them" in capsys.readouterr().err


def test_fewer_places_wait_and_none_is_a_deadlock_with_its_waiters(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", "pipeline", "--items", "4"]
    free, tight = (machine_output(capsys, *words, *more) for more in ([], ["--fifo-places", "1"]))
    enough = free["placement"]["fifo_depths"]
    assert max(enough.values()) > 1 and tight["placement"]["fifo_depths_without_waits"] == enough
    assert set(tight["placement"]["fifo_depths"].values()) == {1}
    assert tight["totals"]["cycles"] > free["totals"]["cycles"]
    assert tight["manifest"]["redo"].endswith("--items 4 --fifo-places 1")
    assert run([*words, "--fifo-places", "0"]) == 3
    err = capsys.readouterr().err
    assert "deadlock" in err and "which waits for" in err and "on core 'core1'" in err and "raise --fifo-places" in err
    for bad in ([*words, "--fifo-places", "-1"], ["sim", "tiny_ic", "--fifo-places", "1"]):
        assert run(bad) == 2
        assert "only for --execution pipeline" in capsys.readouterr().err


def test_two_hash_seeds_give_the_same_bytes() -> None:
    root = Path(__file__).resolve().parents[2]
    words = ["sim", "tiny_ic", "--arch", "quad_edge", "--execution", "fused", "--json"]
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "tilewright", *words],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] and json.loads(outputs[0])["schema"] == "tilewright.network/1"
