"""``tilewright map`` on a memory hierarchy: plans, rechecks and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tilewright.cli import run

MACHINE = """
schema: tilewright.hierarchy/1
name: small
axes:
  - {name: k, size: 4, dims: [K]}
levels:
  - {name: DRAM, keep: [I, W, O], read: 100pJ, write: 100pJ, access: 8b}
  - {name: buffer, keep: [I, W, O], capacity: CAPACITY, read: 2pJ, write: 2pJ, access: 8b}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(MACHINE.replace("CAPACITY", "16KiB"), encoding="utf-8")
    return path


@pytest.mark.parametrize("counting", ["timeloop", "zigzag"])
def test_a_plan_agrees_with_its_recheck_until_it_is_changed(
    machine: Path, tmp_path: Path, counting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    argv = ["map", "mlp", "--arch", str(machine), "--objective", "edp", "--counting", counting]
    assert run([*argv, "-o", str(plan), "--time-limit", "0", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(part["bound"] <= part["value"] and part["nest"] for row in rows for part in row["problems"])
    assert run(["map", "--plan", str(plan), "--recheck"]) == 0
    text = plan.read_text(encoding="utf-8")
    changed = text.replace('energy_pj: "', 'energy_pj: "1', 1)
    plan.write_text(changed, encoding="utf-8")
    assert run(["map", "--plan", str(plan), "--recheck"]) == 4
    assert "the plan says" in capsys.readouterr().err
    plan.write_text(text.replace("capacity: 131072b", "capacity: 64b"), encoding="utf-8")
    assert run(["map", "--plan", str(plan), "--recheck"]) == 4
    assert "'buffer' is overfull" in capsys.readouterr().err


def test_a_machine_that_is_too_small_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(MACHINE.replace("CAPACITY", "2B"), encoding="utf-8")
    assert run(["map", "mlp", "--arch", str(path)]) == 3
    said = capsys.readouterr()
    assert "capacity[buffer] needs 40 bits, bound is 16 bits" in said.out + said.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--counting", "own"], "bound is timeloop, zigzag"),
        (["--tiles", "any"], "bound is divisor, ceil"),
        (["--time-limit", "-1"], "bound is >= 0"),
        (["--time-limit", "nan"], "bound is >= 0"),
        (["--objective", "speed"], "objective 'speed' is unknown"),
        (["--set", "a=1"], "--set and --commands are for accelerators"),
    ],
)
def test_bad_options_are_refused(
    machine: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["map", "mlp", "--arch", str(machine), *argv]) == 2
    assert message in capsys.readouterr().err


def test_ceil_tiles_are_never_worse_and_their_plan_agrees_with_its_recheck(
    machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ten classes of the last layer are no multiple of the four multipliers: 3 steps in place of 5."""
    values = {}
    for tiles in ("divisor", "ceil"):
        plan = tmp_path / f"{tiles}.yaml"
        argv = ["map", "mlp", "--arch", str(machine), "--objective", "edp", "--tiles", tiles, "--json"]
        assert run([*argv, "-o", str(plan)]) == 0
        rows = json.loads(capsys.readouterr().out)
        parts = [part for row in rows for part in row["problems"]]
        assert all(("ceil tiles" in part["map_space"]) == (tiles == "ceil") for part in parts)
        assert all(0 < part["bound"] <= part["value"] for part in parts)
        values[tiles] = [part["value"] for part in parts]
        assert run(["map", "--plan", str(plan), "--recheck"]) == 0
        capsys.readouterr()
    assert all(ceil <= divisor for ceil, divisor in zip(values["ceil"], values["divisor"], strict=True))
    assert values["ceil"][-1] < 0.7 * values["divisor"][-1]


def test_options_of_hierarchies_need_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["map", "mlp", "--arch", "edge_int8", "--counting", "zigzag"]) == 2
    assert "for a memory hierarchy" in capsys.readouterr().err
    assert run(["map", "--recheck"]) == 2
    assert run(["map"]) == 2
