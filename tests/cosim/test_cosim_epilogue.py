"""RTL of the epilogue against golden models and formulas: every core alone, disturbed, with every operand if few."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl.stimulus import exhaustive
from rtl.stream_core import stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.epilogue_cases import CORES
from tests.cosim.test_cosim_stream_cores import assert_exact, identifier
from tests.reference.profile import examples

pytestmark = pytest.mark.cosim


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: object) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) is not None], ids=identifier)
def test_every_operand(params: object) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    if len(work.inputs["s_axis_x"].data) > examples(5000):
        pytest.skip("nightly: many operands")
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: object, tmp_path: Path) -> None:
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")
