"""A planted mistake in an array: the smallest failing job, and a folder that shows it with nothing but Icarus."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from hw_models.systolic import SystolicParams
from rtl.emit import emit
from rtl.run import JobData
from rtl.shrink_systolic import FailedJob, shrink_job, write_job_repro
from tilewright.cores import core_params

pytestmark = pytest.mark.cosim

CORES = ("systolic_ws_int8", "systolic_os_int8", "systolic_is_int8", "systolic_ws_nm2of4_int8")
PLANTED = {  # one mistake of value is enough: a mistake of time is found by the same comparison
    "value": ("tw_mac.sv", "addend + $unsigned(extended)", "addend - $unsigned(extended)"),
}


def played(folder: Path) -> str:
    """Run the bench of `folder` and return what it prints."""
    return subprocess.run(["sh", "run.sh"], cwd=folder, capture_output=True, text=True, check=True).stdout


def drawn(params: SystolicParams) -> JobData:
    """Return a job of several ragged folds."""
    rng = np.random.default_rng(1)
    a, w = rng.integers(-128, 128, (9, 10)), rng.integers(-128, 128, (10, 7))
    if "nm" in params.name:
        w[2:4] = w[6:8] = 0  # two of four
    return JobData(a, w)


@pytest.mark.parametrize("name", CORES[:2])
def test_planted_value_is_shrunk_and_shown(name: str, tmp_path: Path) -> None:
    params = core_params(name)
    assert isinstance(params, SystolicParams)
    clean = emit(params)
    file, old, new = PLANTED["value"]
    assert old in clean[file]
    wrong = {**clean, file: clean[file].replace(old, new)}
    failed = shrink_job(params, [drawn(params)], wrong)
    assert failed is not None
    assert failed.kind == "value"
    assert failed.job.a.size + failed.job.w.size <= 8
    write_job_repro(tmp_path / "wrong", params, failed, wrong)
    assert "FAIL" in played(tmp_path / "wrong")
    assert (tmp_path / "wrong" / "waves.fst").exists()
    write_job_repro(tmp_path / "clean", params, failed, clean)
    assert "PASS" in played(tmp_path / "clean")


@pytest.mark.parametrize("name", CORES)
def test_bench_of_a_whole_job_passes_on_the_core_as_it_is(name: str, tmp_path: Path) -> None:
    params = core_params(name)
    assert isinstance(params, SystolicParams)
    assert shrink_job(params, [drawn(params)], emit(params)) is None
    write_job_repro(tmp_path, params, FailedJob(drawn(params), "none"), emit(params))
    assert "PASS" in played(tmp_path)
