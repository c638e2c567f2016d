"""RTL of the scratchpads against their golden models and formulas: conflicts and borders included."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hw_models.scratchpad import NO_ACCESS, BankedParams
from hw_models.shift_read import ShiftReadParams
from rtl.emit import emit, write
from rtl.repro import write_repro
from rtl.stimulus import exhaustive
from rtl.stream_core import stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.scratchpad_cases import BANKED, CORES, SHIFTS
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from tests.reference.profile import NIGHTLY, examples
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim


def identifier(params: object) -> str:
    """Return a readable test name."""
    return str(getattr(params, "name", ""))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: object) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) is not None], ids=identifier)
def test_every_set_of_accesses_or_every_shift(params: object) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    if len(work.outputs["m_axis_o"].data) > examples(5000) or (params in SHIFTS[2:] and not NIGHTLY):
        pytest.skip("nightly: many beats")
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles


def test_every_set_of_accesses_costs_its_conflicts() -> None:
    """One beat per work, each on its own: the cycles of every set of accesses, not of their sum."""
    params = BANKED[0]
    fill = np.arange(params.words)[:, None]
    works, extra = [], []
    for first, second, store in np.ndindex(*[params.words + 1] * 3):
        at = np.array([[first, second, store]]) - 1
        read_at = np.concatenate((np.full((params.words, 2), NO_ACCESS), at[:, :2]))
        write_at = np.concatenate((fill, at[:, 2:]))
        works.append(stream_work(params, read_at, write_at, np.ones_like(write_at)))
        banks = [int(one) % params.banks for one in at[0] if one != NO_ACCESS]
        extra.append(max(1, *(banks.count(bank) for bank in range(params.banks))))
    (runs,) = run_streams(params, [StreamScenario(tuple(works))])
    assert_exact(tuple(works), runs)
    assert [run.cycles for run in runs] == [params.words + one + 2 for one in extra]


def test_a_convolution_reads_the_map_once_per_tap() -> None:
    """Sum over taps of weight times shifted read is the convolution, computed from what the RTL streamed out."""
    params, rng = SHIFTS[0], np.random.default_rng(4)
    feature_map, kernel, zero = rng.integers(0, 256, (5, 4, 3)), rng.integers(-8, 8, (3, 3, 3)), 7
    passes = np.array([(5, 4, dy - 1, dx - 1, 1, 0, 3, zero) for dy in range(3) for dx in range(3)])
    work = stream_work(params, feature_map, passes)
    (runs,) = run_streams(params, [StreamScenario((work,))])
    streamed = np.array(runs[0].outputs["m_axis_o"].data).reshape(3, 3, 5, 4, 3) & 0xFF
    wide = np.pad(feature_map, ((1, 1), (1, 1), (0, 0)), constant_values=zero)
    for y, x in np.ndindex(5, 4):
        window = wide[y : y + 3, x : x + 3]
        assert (streamed[:, :, y, x] * kernel).sum() == (window * kernel).sum()
    assert runs[0].cycles == feature_map.size - 1 + 9 * 5 * 4 * 3 + 3


@pytest.mark.parametrize("params", SHIFTS[:2], ids=identifier)
def test_a_border_is_not_read(params: ShiftReadParams, tmp_path: Path) -> None:
    """Count the enabled reads of the memory in a plain Icarus run."""
    operands = exhaustive(params)
    assert operands is not None
    write_repro(tmp_path, params.name, stream_work(params, *operands), emit(params))
    counter = """
module count;
  integer reads = 0;
  always @(posedge tb.clk) if (!tb.rst && tb.dut.u_core.u_memory.en && !tb.dut.u_core.u_memory.we) reads = reads + 1;
  always @(negedge tb.clk) if (tb.wait_cycles == 8) $display("reads %0d", reads);
endmodule
"""
    (tmp_path / "count.sv").write_text(counter, encoding="utf-8")
    files = [name for name in emit(params) if name.endswith(".sv")]
    subprocess.run(["iverilog", "-g2012", "-o", "x.vvp", "-s", "tb", "-s", "count", *files, "tb.sv", "count.sv"],
                   cwd=tmp_path, check=True)  # fmt: skip
    done = subprocess.run(["vvp", "-n", "x.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "PASS" in done.stdout
    assert [int(one) for one in re.findall(r"reads (\d+)", done.stdout)][-1] == params.reads(*operands)


@pytest.mark.parametrize(
    ("params", "file", "old", "new"),
    [
        (BANKED[3], "banked_scratchpad.sv", "waiting & (~waiting + 1'b1)", "waiting"),  # no conflict rule
        (BANKED[3], "banked_scratchpad.sv", "fresh[p] ? q[from[p]] : kept[p]", "q[from[p]]"),
        (BANKED[3], "banked_scratchpad.sv", "asked[p] ? word : '0", "word"),
        (BANKED[3], "banked_scratchpad.sv", "(pending & ~grant) == '0", "1'b1"),  # one cycle whatever is asked
        (BANKED[3], "banked_scratchpad.sv", "pending <= pending & ~grant;", "pending <= '0;"),
        (BANKED[3], "banked_scratchpad.sv", "(granted[b] >> READS) != '0", "granted[b][PORTS-1] & granted[b][0]"),
        (SHIFTS[0], "shift_read.sv", "(y >= h) | (x >= w)", "(y >= h)"),
        (SHIFTS[0], "shift_read.sv", "(y >= h) | (x >= w)", "(y > h) | (x >= w)"),
        (SHIFTS[0], "shift_read.sv", "read_border ? read_zero : word", "read_border ? zero : word"),
        (SHIFTS[0], "shift_read.sv", "row_end ? dx : x + stride", "row_end ? dx : x + 1'b1"),
        (SHIFTS[0], "shift_read.sv", "(pass_end & ~final_pass)", "pass_end"),
        (SHIFTS[0], "shift_read.sv", "map_last ? '0 : load_at", "load_at"),
    ],
)
def test_a_planted_mistake_is_noticed(params: object, file: str, old: str, new: str) -> None:
    sources = emit(params)
    assert sources[file].count(old) == 1
    works = works_of(params, 8)
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=1),
        StreamScenario(works, reset_after_cycles=5),
    ]
    try:
        played = run_streams(params, scenarios, sources={**sources, file: sources[file].replace(old, new)})
    except MismatchError:  # a hang or an X is noticed too
        return
    wrong = any(run.wrong_beats(work) for runs in played for run, work in zip(runs, works, strict=True))
    assert wrong or any(run.cycles != work.cycles for run, work in zip(played[0], works, strict=True))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_lint_is_silent(params: object, tmp_path: Path) -> None:
    write(params, tmp_path / "sources")
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")


@pytest.mark.parametrize("params", BANKED[:4], ids=identifier)
def test_results_leave_at_the_cycle_of_the_golden_model(params: BankedParams) -> None:
    """Every beat's cycle: works that end with each beat in turn."""
    operands = exhaustive(params)
    if operands is None:
        rng = np.random.default_rng(5)
        at = rng.integers(-1, params.words, (8, params.reads + params.writes))
        at[: params.words, : params.reads] = NO_ACCESS
        fill = np.full((params.words, at.shape[1]), NO_ACCESS)
        fill[:, -1] = np.arange(params.words)
        at = np.concatenate((fill, at))
        operands = at[:, : params.reads], at[:, params.reads :], np.ones((len(at), params.writes), dtype=np.int64)
    total = min(len(operands[0]), params.words + 8)
    works = tuple(stream_work(params, *(one[:beats] for one in operands)) for beats in range(params.words, total + 1))
    (runs,) = run_streams(params, [StreamScenario(works)])
    assert [run.cycles for run in runs] == params.result_cycles(*operands)[params.words - 1 : total].tolist()
