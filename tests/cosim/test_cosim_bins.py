"""Bin-accumulate cores: RTL against their golden model, their cycles, and the decoding core beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.bins import BinsParams
from rtl.emit import emit
from rtl.stimulus import exhaustive
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_rtl_lint as lint
from tests.cosim.bins_cases import CORES
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from tests.reference.profile import examples
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim


def identifier(params: BinsParams) -> str:
    """Return a readable test name."""
    return f"{params.name}-{params.lanes}-{params.accumulator_bits}"


def shaped_works(params: BinsParams) -> list[StreamWork]:
    """Return works of one bin, of extremes, and of lengths around the number of multiplications."""
    around = params.multiplies_per_output * params.lanes
    lengths = {1, max(1, around - params.lanes), around, around + 1, around + params.lanes, 3 * around}
    return [
        stream_work(params, np.full((3, length), code), np.full((3, length), index))
        for length in sorted(one for one in lengths if one <= params.longest)
        for index in (0, len(params.table) - 1)
        for code in (params.input_format.min, params.input_format.max)
    ]


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles_are_exact(params: BinsParams) -> None:
    works = (*works_of(params, examples(10)), *shaped_works(params))
    if (operands := exhaustive(params)) is not None and len(operands[0]) <= examples(512):
        works = (*works, stream_work(params, *operands))
    short = works[: examples(10)]
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True),
        StreamScenario(short, back_to_back=True, idle_percent=40, seed=1, check_paths=True),
        StreamScenario(short, back_to_back=True, back_pressure_percent=60, seed=2),
        StreamScenario(short, idle_percent=30, back_pressure_percent=30, seed=3, check_paths=True),
        StreamScenario(short, reset_after_cycles=5),
        StreamScenario(short, back_to_back=True, reset_after_cycles=13),
    ]
    alone, *others = run_streams(params, scenarios)
    assert_exact(works, alone)
    assert [run.cycles for run in alone] == [work.cycles for work in works]
    for scenario, runs in zip(scenarios[1:], others, strict=True):
        assert_exact(scenario.works, runs)
    assert [run.cycles for run in others[-2]] == [work.cycles for work in short]  # a reset leaves nothing behind


def test_the_decoding_core_gives_the_same_words() -> None:
    params = CORES[0]
    twin = params.decoding_core
    rng = np.random.default_rng(6)
    a, w = rng.integers(-128, 128, (8, 24)), rng.integers(0, 4, (8, 24))
    outputs = []
    for core in (params, twin):
        work = stream_work(core, a, w)
        ((run,),) = run_streams(core, [StreamScenario((work,))])
        assert run.cycles == work.cycles
        outputs.append(run.outputs)
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("bins_add.sv", "(first ? BIN_W'(0) : held)", "held"),
        ("bins_add.sv", "assign ce = ~full | copy", "assign ce = 1'b1"),  # full bins are overwritten
        ("bins_multiply.sv", "(~busy | ending)", "~busy"),  # a gap between outputs
        ("bins_multiply.sv", "copies} >> BIN_W", "copies}"),
        ("bins_multiply.sv", "index == INDEX_W'(BINS)", "index == INDEX_W'(BINS - 1)"),
    ],
)
def test_a_planted_mistake_is_noticed(file: str, old: str, new: str) -> None:
    params = CORES[0]
    sources = emit(params)
    assert old in sources[file]
    works = (*works_of(params, 4), *shaped_works(params))
    try:
        (runs,) = run_streams(
            params, [StreamScenario(works)], sources={**sources, file: sources[file].replace(old, new)}
        )
    except MismatchError:  # a hang or an X is noticed too
        return
    assert any(run.wrong_beats(work) or run.cycles != work.cycles for run, work in zip(runs, works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: BinsParams, tmp_path: Path) -> None:
    lint.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint.test_slang_has_no_diagnostics(params, tmp_path / "slang")
