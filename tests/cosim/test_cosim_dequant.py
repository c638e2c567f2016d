"""Dequantise-on-read units: RTL against numpy, binary16 results to the last bit, and exact cycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_models.dequantise import DequantParams
from hw_models.nibbles import AWQ_ORDER
from rtl.emit import emit
from rtl.stimulus import exhaustive
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_rtl_lint as lint
from tests.cosim.dequant_cases import CORES
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from tests.reference.profile import examples
from workloads.errors import MismatchError
from workloads.formats import Float16

pytestmark = pytest.mark.cosim

FRACTIONS = (0x000, 0x001, 0x002, 0x155, 0x200, 0x2AA, 0x2AB, 0x3FE, 0x3FF)
EDGE_SCALES = np.array(
    [sign << 15 | exponent << 10 | fraction for sign in (0, 1) for exponent in range(31) for fraction in FRACTIONS],
    dtype=np.uint16,
).view(np.float16)


def identifier(params: DequantParams) -> str:
    """Return a readable test name."""
    return f"{params.name}-{params.codes_per_word}"


def every_difference(params: DequantParams, scales: np.ndarray) -> StreamWork:
    """Return a work with every difference of codes under each of `scales`: all codes less 0, and less the greatest."""
    codes = np.arange(-(-(1 << params.bits) // params.group) * params.group) % (1 << params.bits)
    repeats = len(codes) // params.group
    zeros = np.repeat([[0, (1 << params.bits) - 1]], repeats, axis=1)
    return stream_work(
        params,
        np.tile(codes, 2 * len(scales))[None],
        np.tile(zeros, (1, len(scales))),
        np.repeat(scales, 2 * repeats)[None],
    )


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles_are_exact(params: DequantParams) -> None:
    works = works_of(params, examples(10))
    if params.floating:
        few = np.random.default_rng(7).permutation(EDGE_SCALES)[: examples(40 if params.bits > 4 else 200)]
        works = (*works, every_difference(params, few))
    elif (operands := exhaustive(params)) is not None:
        works = (*works, stream_work(params, *operands))
    short = works[: examples(10)]
    scenarios = [
        StreamScenario(works),
        StreamScenario(short, back_to_back=True, check_paths=True),
        StreamScenario(short, back_to_back=True, idle_percent=40, seed=1),
        StreamScenario(short, back_to_back=True, back_pressure_percent=60, seed=2),
        StreamScenario(short, idle_percent=30, back_pressure_percent=30, seed=3, check_paths=True),
        StreamScenario(short, reset_after_cycles=5),
    ]
    alone, *others = run_streams(params, scenarios)
    assert_exact(works, alone)
    assert [run.cycles for run in alone] == [work.cycles for work in works]
    for runs in others:
        assert_exact(short, runs)
    assert [run.cycles for run in others[-1]] == [work.cycles for work in short]  # a reset leaves nothing behind


@pytest.mark.nightly
def test_every_finite_scale_and_every_difference() -> None:
    params = DequantParams(4, 16, Float16(), AWQ_ORDER)
    scales = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    work = every_difference(params, scales[np.isfinite(scales)])
    ((run,),) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), [run])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dequant_half.sv", "| kept[0]", "| 1'b1"),  # halves away from even
        ("dequant_half.sv", "normal ? scale[14:10] : 5'd1", "scale[14:10]"),  # subnormal scales
        ("dequant_half.sv", "rounded >= 16'h7c00", "rounded >= 16'h8000"),  # overflow
        ("dequant_half.sv", "scale[15] ^ below", "below"),
        ("dequant_front.sv", "if (first) op_param <= param", "op_param <= param"),
        ("dequant_front.sv", "(param_valid | ~first)", "param_valid"),  # parameters asked for at every word
        ("dequant4_g16_float16_interleaved.sv", "32'h3010200", "32'h3020100"),
    ],
)
def test_a_planted_mistake_is_noticed(file: str, old: str, new: str) -> None:
    params = CORES[7]
    sources = emit(params)
    assert old in sources[file]
    works = (*works_of(params, 6), every_difference(params, EDGE_SCALES[::2]))
    try:
        (runs,) = run_streams(
            params, [StreamScenario(works)], sources={**sources, file: sources[file].replace(old, new)}
        )
    except MismatchError:  # a hang or an X is noticed too
        return
    assert any(run.wrong_beats(work) or run.cycles != work.cycles for run, work in zip(runs, works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: DequantParams, tmp_path: Path) -> None:
    lint.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint.test_slang_has_no_diagnostics(params, tmp_path / "slang")
