"""``tilewright place``: the answer's keys, bad input with its message and code, best so far on a limit and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import tilewright
from mappers.placement import network_graph
from mappers.placement.graph_json import graph_data, graph_from
from tests.reference.tensor_graphs import toy_1, toy_2
from tilewright import placing
from tilewright.cli import run
from workloads.zoo import load


def write(folder: Path, data: Any) -> str:
    """Write a graph file and return its path."""
    path = folder / "graph.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def ops(*rows: tuple[str, list[str], list[str]]) -> list[dict[str, Any]]:
    return [{"name": name, "inputs": inputs, "outputs": outputs} for name, inputs, outputs in rows]


def tensors(**sizes: int) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": size} for name, size in sizes.items()]


CHAIN = ops(("f", [], ["A"]), ("g", ["A"], ["B"]))
BAD: dict[str, tuple[Any, tuple[str, ...], int, str]] = {
    "cycle": (
        {"tensors": tensors(A=1, B=1), "ops": ops(("f", ["B"], ["A"]), ("g", ["A"], ["B"]))},
        (),
        2,
        "break the cycle",
    ),
    "zero size": ({"tensors": tensors(A=0, B=1), "ops": CHAIN}, (), 2, "tensor 'A' has 0 bytes, bound is 1.."),
    "negative size": ({"tensors": tensors(A=-4, B=1), "ops": CHAIN}, (), 2, "tensor 'A' has -4 bytes"),
    "size as text": ({"tensors": [{"name": "A", "bytes": "60"}], "ops": CHAIN}, (), 2, "tensors.0.bytes"),
    "fractional size": ({"tensors": [{"name": "A", "bytes": 1.5}], "ops": CHAIN}, (), 2, "tensors.0.bytes"),
    "unknown tensor": ({"tensors": tensors(Alpha=1, B=1), "ops": ops(("g", ["Alpah"], ["B"]))}, (), 2, "Alpha"),
    "two producers": (
        {"tensors": tensors(A=1), "ops": ops(("f", [], ["A"]), ("g", [], ["A"]))},
        (),
        2,
        "written by 'f' and by 'g'",
    ),
    "two tensors of a name": (
        {"tensors": [*tensors(A=1), *tensors(A=2)], "ops": ops(("f", [], ["A"]))},
        (),
        2,
        "two tensors",
    ),
    "disconnected tensor": ({"tensors": tensors(A=1, B=1, C=1), "ops": CHAIN}, (), 2, "'C' is used by no operator"),
    "operator without output": ({"tensors": tensors(A=1), "ops": ops(("f", ["A"], []))}, (), 2, "writes no tensor"),
    "in place": ({"tensors": tensors(A=1), "ops": ops(("f", ["A"], ["A"]))}, (), 2, "both reads and writes"),
    "no operators": ({"tensors": [], "ops": []}, (), 2, "there is no operator"),
    "extra key": ({"tensors": [], "ops": [], "opz": []}, (), 2, "opz"),
    "missing key": ({"tensors": []}, (), 2, "ops: is missing"),
    "a list": ([], (), 2, "top level"),
    "not JSON": ("{", (), 2, "is not JSON"),
    "duplicate key": ('{"tensors": [], "tensors": [], "ops": []}', (), 2, "stands twice"),
    "NaN": ('{"tensors": NaN, "ops": []}', (), 2, "no JSON number"),
    "listed out of order": (
        {"tensors": tensors(A=1, B=1), "ops": [CHAIN[1], CHAIN[0]]},
        ("--schedule", "fixed"),
        2,
        "operator 'g' is listed before 'f'",
    ),
    "tensor larger than the scratchpad": (
        {"tensors": tensors(A=101, B=1), "ops": CHAIN},
        (),
        3,
        "tensor[A] needs 101 bytes",
    ),
    "operator larger than the scratchpad": (
        {"tensors": tensors(A=60, B=60), "ops": CHAIN},
        (),
        3,
        "operator[g] needs 120",
    ),
    "schedule": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--schedule", "fix"), 2, "schedule 'fix'"),
    "policy": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--policy", "beladi"), 2, "belady"),
    "solver": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--solver", "gurobi"), 2, "use one of highs, cbc"),
    "time limit": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--time-limit", "0"), 2, "time limit"),
    "parameters": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--parameters",), 2, "are for networks"),
    "lp nowhere": ({"tensors": tensors(A=1, B=1), "ops": CHAIN}, ("--lp", "no/such/dir/x.lp"), 2, "LP file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_what_is_wrong(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, options, code, says = BAD[name]
    assert run(["place", write(tmp_path, data), "--scratchpad-bytes", "100", *options]) == code
    out, err = capsys.readouterr()
    assert says in err and "Traceback" not in err and out == ""


@pytest.mark.parametrize("value", ["0", "-5"])
def test_a_scratchpad_has_a_byte(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["place", write(tmp_path, graph_data(toy_1())), "--scratchpad-bytes", value]) == 2
    assert "bound is >= 1" in capsys.readouterr().err


def test_a_tensor_that_is_read_twice_and_an_output_that_nobody_reads_are_fine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"tensors": tensors(A=40, B=10, C=9), "ops": ops(("f", [], ["A"]), ("g", ["A", "A"], ["B", "C"]))}
    assert run(["place", write(tmp_path, data), "--scratchpad-bytes", "59", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objective_bytes"] == 0


@pytest.mark.parametrize("policy", ["ilp", "belady", "lru", "greedy", "arena"])
def test_the_answer_has_its_keys_and_is_written_to_a_file(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write(tmp_path, graph_data(toy_1())), tmp_path / "answer.json"
    argv = [
        "place",
        path,
        "--scratchpad-bytes",
        "130",
        "--schedule",
        "fixed",
        "--policy",
        policy,
        "--json",
        "-o",
        str(out),
    ]
    assert run(argv) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"objective_bytes", "lower_bound_bytes", "proven_optimal", "gap", "seconds", "plan"} <= set(answer)
    assert (answer["objective_bytes"], answer["lower_bound_bytes"], answer["proven_optimal"]) == (120, 120, True)
    assert json.loads(out.read_text()) == answer
    assert [step["op"] for step in answer["plan"]] == ["a", "b", "c", "d"]


def test_graph_data_reads_back_equal() -> None:
    assert graph_from(graph_data(toy_2()), "graph") == toy_2()


def test_a_network_by_name_and_from_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lp = tmp_path / "lenet.lp"
    argv = ["place", "lenet", "--parameters", "--scratchpad-bytes", "60000", "--dim", "batch=1", "--lp", str(lp)]
    assert run(argv) == 0
    assert "proven optimal" in capsys.readouterr().out
    assert "Subject To" in lp.read_text() and "operand" in lp.read_text()
    answer = tilewright.place("lenet", 60_000, parameters=True)
    assert answer.proven_optimal and len(answer.plan.steps) <= len(load("lenet").layers)


def test_cbc_is_a_second_solver() -> None:
    assert tilewright.place(toy_2(), 100, schedule="fixed", solver="cbc").objective_bytes == 320


def test_a_time_limit_of_one_second_gives_the_best_so_far_with_its_gap() -> None:
    answer = tilewright.place("nasnet_large", 3_757_050, time_limit_s=1.0)
    assert answer.cpu_seconds < 15  # of one thread: what is left after the limit is finishing, not searching
    assert answer.stopped == "time limit" and not answer.proven_optimal and 0 < answer.gap <= 1
    assert 0 <= answer.lower_bound_bytes < answer.objective_bytes


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_gives_the_best_so_far(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    graph = network_graph(load("nasnet_large"))
    monkeypatch.setattr(placing, "load_graph", lambda *_: graph)
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    assert run(["place", "nasnet_large", "--scratchpad-bytes", "3757050", "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["stopped"] == "interrupt" and answer["gap"] > 0
    assert "best plan so far" in err


def test_an_output_that_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(placing, "load_graph", lambda *_: pytest.fail("work was done first"))
    for words in (["--scratchpad-bytes", "130"], ["--sizes"]):
        assert run(["place", "lenet", *words, "-o", str(tmp_path / "no" / "x.json")]) == 2
        assert "does not exist; make it first" in capsys.readouterr().err
