"""RTL of the stream fabric against its golden models and formulas: FIFO, register slice, arbiter."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from hw_models.fabric import ArbiterParams, FifoParams, SkidParams
from rtl.emit import emit, write
from rtl.stimulus import exhaustive
from rtl.stream_core import stream_work
from rtl.stream_run import StreamScenario, run_streams
from tests.cosim import test_cosim_stream_cores as stream_tests
from tests.cosim import test_rtl_lint as lint_tests
from tests.cosim.fabric_cases import ARBITERS, CORES, FIFOS
from tests.cosim.test_cosim_stream_cores import assert_exact, works_of
from workloads.errors import MismatchError

pytestmark = pytest.mark.cosim


def identifier(params: object) -> str:
    """Return a readable test name."""
    return str(getattr(params, "name", ""))


@pytest.mark.parametrize("params", CORES, ids=identifier)
def test_values_and_cycles(params: object) -> None:
    stream_tests.test_values_and_cycles_are_exact(params)


@pytest.mark.parametrize("params", [p for p in CORES if exhaustive(p) and p.bits <= 8], ids=identifier)
def test_every_word_or_every_mix_of_packets(params: object) -> None:
    operands = exhaustive(params)
    assert operands is not None
    work = stream_work(params, *operands)
    (runs,) = run_streams(params, [StreamScenario((work,))])
    assert_exact((work,), runs)
    assert runs[0].cycles == work.cycles


@pytest.mark.parametrize("params", ARBITERS, ids=identifier)
def test_ports_that_always_ask_take_turns(params: ArbiterParams) -> None:
    """With all ports asking, any two packets of one port have one of each other port between them."""
    marks = np.full((params.ports, 6), ArbiterParams.END)
    work = stream_work(params, np.arange(marks.size).reshape(marks.shape) % (1 << min(params.bits, 62)), marks)
    for (run,) in run_streams(params, [StreamScenario((work,)), StreamScenario((work,), back_pressure_percent=60)]):
        ports = [word >> params.bits for word in run.outputs["m_axis_o"].data]
        assert ports == list(range(params.ports)) * 6


_FILL = """\
module tb;
  reg clk = 0, rst = 1, ready = 0;
  wire in_ready, valid, last;
  wire [{bits}-1:0] data;
  integer taken = 0, left = 0;
  always #5 clk = ~clk;
  {name} dut (.clk(clk), .rst(rst), .s_axis_i_tvalid(1'b1), .s_axis_i_tready(in_ready), .s_axis_i_tdata({bits}'b0),
              .s_axis_i_tlast(1'b0), .m_axis_o_tvalid(valid), .m_axis_o_tready(ready), .m_axis_o_tdata(data),
              .m_axis_o_tlast(last));
  always @(negedge clk) if (!rst) begin taken = taken + in_ready; left = left + (valid & ready); end
  initial begin
    @(negedge clk); @(posedge clk) #1 rst = 0;
    repeat ({depth} + 20) @(posedge clk);
    $display("held %0d", taken);
    #1 ready = 1;
    repeat (50) @(posedge clk);
    $display("moved %0d %0d", taken, left);
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize("params", [*FIFOS, SkidParams(8)], ids=identifier)
def test_beats_that_are_held_and_throughput_from_full(params: FifoParams | SkidParams, tmp_path: Path) -> None:
    """A receiver that never takes leaves exactly `depth` beats inside; then one leaves and one enters per cycle."""
    files = [path.name for path in write(params, tmp_path) if path.suffix == ".sv"]
    depth = params.depth if isinstance(params, FifoParams) else 2
    (tmp_path / "tb.sv").write_text(_FILL.format(bits=params.bits, name=params.name, depth=depth), encoding="utf-8")
    subprocess.run(["iverilog", "-g2012", "-o", "tb.vvp", "-s", "tb", *files, "tb.sv"], cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "-n", "tb.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    held, moved = run.stdout.splitlines()[:2]
    assert held == f"held {depth}"
    assert moved == f"moved {depth + 49} 50"  # the first beat to leave frees a place one edge later


@pytest.mark.parametrize(
    ("params", "file", "old", "new"),
    [
        (FIFOS[1], "tw_fifo.sv", "take & ~(free & empty)", "take & ~free"),
        (FIFOS[1], "tw_fifo.sv", "== COUNT_W'(WORDS);", "== COUNT_W'(WORDS + 1);"),  # one word too many
        (FIFOS[4], "tw_fifo.sv", "read_at == PTR_W'(WORDS - 1) ? '0 : ", ""),  # wraps as a power of two
        (FIFOS[3], "tw_fifo.sv", "empty ? in_data : ", ""),
        (FIFOS[3], "tw_fifo.sv", "      stored    <= '0;\n", ""),
        (ARBITERS[2], "tw_arbiter.sv", "locked ? owner : found", "found"),  # packets mixed
        (ARBITERS[2], "tw_arbiter.sv", " && PORT_W'($unsigned(i)) >= search", ""),  # lowest port wins
        (ARBITERS[2], "tw_arbiter.sv", "($unsigned(i)) >= search", "($unsigned(i)) > search"),
        (ARBITERS[2], "tw_arbiter.sv", "free & chosen == ", "chosen == "),
        (ARBITERS[2], "tw_arbiter.sv", "else if (~locked & asks == '0) search", "else if (1'b0) search"),
        (ARBITERS[2], "tw_arbiter.sv", "(~locked & asks == '0)", "(~locked)"),  # forgets its turn while stalled
        (SkidParams(8), "tw_slice.sv", "else if (free) out_valid", "else out_valid"),
    ],
)
def test_a_planted_mistake_is_noticed(params: object, file: str, old: str, new: str) -> None:
    sources = emit(params)
    assert sources[file].count(old) == 1
    works = works_of(params, 8)
    scenarios = [
        StreamScenario(works),
        StreamScenario(works, back_to_back=True, idle_percent=40, back_pressure_percent=40, seed=1),
        StreamScenario(works, back_to_back=True, back_pressure_percent=70, seed=2),
        StreamScenario(works, back_pressure_percent=70, seed=3),
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
    lint_tests.test_verilator_lint_is_silent(params, tmp_path / "verilator")
    lint_tests.test_slang_has_no_diagnostics(params, tmp_path / "slang")
