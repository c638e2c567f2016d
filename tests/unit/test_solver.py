"""mappers/solver.py: what a solver proves is what the solution says, for both solvers, also when it is ended early."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mappers.solver import LinearModel, SolveOptions, SolverName, Variable
from workloads.errors import InputError, InternalError

SOLVERS: tuple[SolverName, ...] = ("highs", "cbc")


def cover(items: int, rows: int, seed: int = 1) -> tuple[LinearModel, list[Variable]]:
    """Return a random covering model; dense rows make it hard from about 60 items on."""
    draw = random.Random(seed)
    model = LinearModel("cover")
    chosen = [model.binary(f"x[a-b/{i}]") for i in range(items)]
    for j in range(rows):
        model.row(f"cover[{j}]", [(draw.randint(1, 99), x) for x in chosen], ">=", 16 * items)
    model.minimise([(draw.randint(1, 99), x) for x in chosen], 5)
    return model, chosen


@pytest.mark.parametrize("solver", SOLVERS)
def test_both_solvers_prove_the_same_optimum(solver: SolverName) -> None:
    model, _ = cover(20, 3)
    found = model.solve(SolveOptions(solver, 20))
    assert found.status == "optimal" and found.proven_optimal and found.stopped == ""
    assert found.objective == found.bound == model.value(found.values)
    assert not model.violated(found.values)


@pytest.mark.parametrize("solver", SOLVERS)
def test_infeasible_is_proven(solver: SolverName) -> None:
    model, chosen = cover(8, 2)
    model.row("too many", [(1, x) for x in chosen], ">=", 9)
    found = model.solve(SolveOptions(solver, 20))
    assert (found.status, found.objective, found.values) == ("infeasible", None, {})


def test_a_complete_start_is_an_incumbent_and_an_interrupt_returns_it_within_two_seconds() -> None:
    model, _ = cover(400, 40)
    began = time.monotonic()
    options = SolveOptions("highs", 60, stop=lambda: time.monotonic() - began > 0.3)
    found = model.solve(options, dict.fromkeys(model.variables, 1.0))
    assert time.monotonic() - began < 2.3
    assert found.status == "feasible" and found.stopped == "interrupt"
    assert found.objective is not None and found.objective <= model.value(dict.fromkeys(model.variables, 1.0))
    assert found.bound is None or found.bound <= found.objective


def test_a_time_limit_gives_the_best_so_far_and_no_proof() -> None:
    model, _ = cover(400, 40)
    found = model.solve(SolveOptions("highs", 1.0))
    assert found.status in ("feasible", "unknown") and not found.proven_optimal
    assert found.stopped == "time limit" and found.seconds < 4


def test_the_last_byte_counts_beside_a_big_m() -> None:
    """At the default integrality tolerance of 1e-6 a row with M = 10**7 forgives 10 bytes."""
    model = LinearModel("big M")
    place, above = model.integer("L", 0, 10**7), model.binary("u")
    model.row("apart", [(1, place), (-(10**7), above)], "<=", 0)
    model.row("there", [(1, place)], ">=", 9)
    model.minimise([(1, above)])
    assert model.solve(SolveOptions()).objective == 1


def test_two_runs_answer_the_same_values() -> None:
    first, second = (cover(40, 4)[0].solve(SolveOptions()) for _ in range(2))
    assert first.values == second.values


def test_the_lp_file_names_rows_and_columns_and_reads_back_to_the_same_optimum(tmp_path: Path) -> None:
    import highspy

    model = LinearModel("names")
    x, y = model.integer("L[a/b,1]", 0, 9), model.integer("L[a-b,1]", 0, 9)
    model.row("capacity[3]", [(2, x), (1, y)], ">=", 7)
    model.minimise([(3, x), (1, y)])
    path = tmp_path / "model.lp"
    model.write_lp(path)
    text = path.read_text()
    assert "capacity(3):" in text and "L(a_b,1)" in text and "L(a_b,1)~2" in text
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(path))
    highs.run()
    assert highs.getInfo().objective_function_value == model.solve(SolveOptions()).objective == 7


def test_bad_use_is_refused() -> None:
    model = LinearModel("x")
    model.binary("a")
    with pytest.raises(InternalError, match="added twice"):
        model.binary("a")
    with pytest.raises(InternalError, match="finite"):
        model.continuous("b", 0, float("inf"))
    with pytest.raises(InputError, match=r"^solver 'gurobi': not known; use one of highs, cbc$"):
        SolveOptions("gurobi")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bound is a finite number > 0"):
        SolveOptions(time_limit_s=0)
