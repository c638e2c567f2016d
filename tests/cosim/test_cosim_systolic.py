"""Generated systolic cores against the golden model (bit for bit) and the closed form (cycle for cycle)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import emit, write
from rtl.run import JobData, Scenario, run_core, run_scenarios, run_sequence
from tests.cosim.systolic_cases import (
    DATAFLOWS,
    FORMATS,
    SIZES,
    core,
    corner_operands,
    expected_last_cycles,
    fold_job,
    random_jobs,
    random_operands,
    shapes,
    standard_scenarios,
    timed_scenarios,
    wrong_cycles,
    wrong_values,
)
from workloads.errors import InputError, MismatchError
from workloads.formats import Int

pytestmark = pytest.mark.cosim


def assert_agrees(params: SystolicParams, scenarios: list[Scenario], simulator: str = "icarus") -> None:
    """Play `scenarios` and compare every value and every cycle count."""
    runs = run_scenarios(params, scenarios, simulator)
    assert wrong_values(params, scenarios, runs) == []
    assert wrong_cycles(params, scenarios, runs) == []


def test_case_list_covers_fifty_shapes() -> None:
    cases = {
        (dataflow, size, shape) for dataflow in DATAFLOWS for size in SIZES for shape in shapes(core(dataflow, *size))
    }
    assert len({(size, shape) for _, size, shape in cases}) >= 50


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_int8_core_equals_its_model(dataflow: Literal["ws", "os"], size: tuple[int, int]) -> None:
    params = core(dataflow, *size)
    assert_agrees(params, standard_scenarios(params))


@pytest.mark.parametrize("formats", FORMATS, ids=lambda formats: "_".join(form.name for form in formats))
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_other_formats_equal_their_model(dataflow: Literal["ws", "os"], formats: tuple[Int, Int, Int]) -> None:
    params = core(dataflow, 3, 4, formats)
    assert_agrees(params, [Scenario(random_jobs(params)), Scenario(tuple(corner_operands(params)), back_to_back=True)])


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_narrow_accumulator_wraps_in_the_cosimulated_data(dataflow: Literal["ws", "os"]) -> None:
    params = core(dataflow, 3, 4, FORMATS[2])
    data = corner_operands(params)
    assert any(not np.array_equal(params.golden(job.a, job.w), job.a @ job.w) for job in data)


@pytest.mark.parametrize("size", [(1, 1), (4, 2)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_job_offered_at_any_time_ends_when_the_issue_rule_says(
    dataflow: Literal["ws", "os"], size: tuple[int, int]
) -> None:
    params = core(dataflow, *size)
    assert_agrees(params, timed_scenarios(params, range(1, 4 * params.rows + params.cols + 8)))


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_no_output_depends_combinationally_on_an_input(dataflow: Literal["ws", "os"]) -> None:
    params = core(dataflow, 3, 2)
    jobs = random_jobs(params)
    assert_agrees(
        params,
        [
            Scenario(jobs, back_to_back=True, check_paths=True),
            Scenario(jobs, idle_percent=50, back_pressure_percent=50, check_paths=True),
        ],
    )


def test_equal_folds_follow_each_other_without_bubble() -> None:
    """F folds of one job cost exactly F - 1 intervals more than one fold, whichever of M and rows is longer."""
    params = core("ws", 4, 4)
    for m in (2, 4, 9):
        jobs = [random_operands(params, (m, 4 * folds, 4), folds) for folds in (1, 2, 5)]
        one, two, five = (run.cycles_issue_to_last for run in run_core(params, jobs))
        assert two - one == max(m, 4)
        assert five - one == 4 * max(m, 4)


def test_streams_of_consecutive_jobs_touch() -> None:
    params = core("ws", 4, 4)
    jobs = [random_operands(params, (9, 4, 4), seed) for seed in range(6)]
    run = run_sequence(params, jobs)
    assert run.total_cycles == params.load_cycles + 6 * 9 + params.drain_latency_cycles
    expected = expected_last_cycles(params, [fold_job(params, job) for job in jobs], [0] * 6)
    assert run.total_cycles == expected[-1]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_verilator_agrees_too(dataflow: Literal["ws", "os"]) -> None:
    params = core(dataflow, 4, 5)
    assert_agrees(params, standard_scenarios(params), "verilator")


def test_hang_is_reported_with_its_scenario() -> None:
    params = core("ws", 2, 2)
    job = random_operands(params, (2, 2, 2), 0)
    sources = emit(params)
    sources["systolic_ws.sv"] = sources["systolic_ws.sv"].replace(".w_valid      (w_valid)", ".w_valid      (1'b0)")
    with pytest.raises(
        MismatchError, match=r"^rtl core 'systolic_ws_int8': scenario 0, cycle \d+: no end after \d+ cyc"
    ):
        run_scenarios(params, [Scenario((job,))], sources=sources)


def test_elaborated_parameters_are_compared() -> None:
    params = core("os", 2, 2)
    sources = emit(core("os", 2, 3))
    with pytest.raises(MismatchError, match=r"elaborated parameters .*'COLS': 3.* are not the expected .*'COLS': 2"):
        run_scenarios(params, [Scenario((random_operands(params, (2, 2, 2), 0),))], sources=sources)


def test_work_dir_is_never_reused(tmp_path: Path) -> None:
    params = core("os", 1, 1)
    job = random_operands(params, (1, 1, 1), 0)
    run_core(params, [job], work_dir=tmp_path / "run")
    assert (tmp_path / "run" / "systolic_os_int8.sv").exists()
    with pytest.raises(InputError, match=r"^rtl run: folder '.*run' is not empty; name a new one$"):
        run_core(params, [job], work_dir=tmp_path / "run")


def test_job_that_does_not_fit_is_refused_before_simulation() -> None:
    params = core("ws", 2, 2, accumulator_depth=4)
    with pytest.raises(InputError, match=r"accumulator_depth is 4"):
        run_core(params, [JobData(np.zeros((5, 3), np.int64), np.zeros((3, 1), np.int64))])


@pytest.mark.parametrize(
    ("override", "message"),
    [("ACC_W=14", "ACC_W must hold one product"), ("COUNT_W=1", "COUNT_W must hold ROWS")],
)
def test_parameters_are_checked_at_elaboration(tmp_path: Path, override: str, message: str) -> None:
    write(core("ws", 4, 4), tmp_path)
    files = sorted(str(path) for path in tmp_path.glob("*.sv") if path.name != "systolic_ws_int8.sv")
    program = str(tmp_path / "core.vvp")
    build = ["iverilog", "-g2012", "-s", "systolic_ws", f"-Psystolic_ws.{override}", "-o", program]
    subprocess.run([*build, *files], check=True)
    run = subprocess.run(["vvp", program], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
