"""Input-stationary cores, shapes and planted mistakes of the co-simulation tests."""

from __future__ import annotations

from hw_models.systolic import SystolicParams
from rtl.run import JobData, Scenario
from tests.cosim import systolic_cases
from tests.cosim.systolic_cases import FORMATS, corner_operands, fold_job, random_operands
from workloads.formats import Int


def core(
    rows: int, cols: int, formats: tuple[Int, Int, Int] = (Int(8), Int(8), Int(32)), depth: int = 24
) -> SystolicParams:
    """Return a core; the default depth equals the longest stream of `shapes`."""
    return SystolicParams("is", rows, cols, *formats, depth)


SIZES = ((1, 1), (1, 3), (3, 1), (4, 4), (5, 2))
CORES = (*(core(*size) for size in SIZES), *(core(2, 3, formats) for formats in FORMATS))


def shapes(params: SystolicParams) -> list[tuple[int, int, int]]:
    """Return the shapes of the WS tests with M and N exchanged."""
    return [(n, k, m) for m, k, n in systolic_cases.shapes(params)]


def random_jobs(params: SystolicParams) -> tuple[JobData, ...]:
    """Return one job of random values per shape of `shapes`."""
    return tuple(random_operands(params, shape, seed) for seed, shape in enumerate(shapes(params)))


def standard_scenarios(params: SystolicParams) -> list[Scenario]:
    """Return the scenarios of one core: alone, back to back, paused, reset half way, corner values, paths."""
    jobs = random_jobs(params)
    first = params.cycles(fold_job(params, jobs[0]))
    return [
        Scenario(jobs),
        Scenario(jobs, back_to_back=True, check_paths=True),
        Scenario(jobs[::-1], back_to_back=True),
        Scenario(jobs, back_to_back=True, idle_percent=40, seed=1),
        Scenario(jobs, back_to_back=True, back_pressure_percent=60, seed=2),
        Scenario(jobs, idle_percent=20, back_pressure_percent=20, seed=3, check_paths=True),
        Scenario(jobs[1:3], back_to_back=True, reset_after_cycles=params.rows + 3),
        Scenario(jobs[:3], back_to_back=True, reset_after_cycles=first + 1),
        Scenario(tuple(corner_operands(params)), back_to_back=True),
    ]


TOP_MUTANTS = (
    ("formats not exchanged", ".INPUT_W(WEIGHT_W)", ".INPUT_W(INPUT_W)"),
    ("signs not exchanged", ".WEIGHT_SIGNED(INPUT_SIGNED)", ".WEIGHT_SIGNED(WEIGHT_SIGNED)"),
    ("streams not exchanged", ".s_axis_w_tdata (s_axis_a_tdata)", ".s_axis_w_tdata (s_axis_w_tdata)"),
    ("valid of the other stream", ".s_axis_a_tvalid(s_axis_w_tvalid)", ".s_axis_a_tvalid(s_axis_a_tvalid)"),
    ("ready swapped", ".s_axis_w_tready(s_axis_a_tready)", ".s_axis_w_tready(s_axis_w_tready)"),
    ("folds swapped", ".cfg_row_folds  (cfg_row_folds)", ".cfg_row_folds  (cfg_col_folds)"),
)
"""Name, old text and new text: mistakes of the generated top; the modules below it are those of the WS core."""
