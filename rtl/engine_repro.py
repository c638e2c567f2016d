"""A command list that the layer engine gets wrong, as a folder that needs nothing but Icarus.

Sources, a test bench that loads the commands over AXI4-Lite and compares every byte of DRAM and the cycle counter, the
memory before and as it must be after the run, waves of the run and a GTKWave view of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt

from hw_models.layer_engine import EngineParams
from mappers.commands import ENGINES
from rtl.engine_words import Words
from workloads.errors import InternalError
from workloads.whole_file import write_whole

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class EngineWork:
    """One run of an engine: commands, DRAM before and as it must be after it, cycles of the event model."""

    words: Words
    before: Bytes
    after: Bytes
    cycles: int


_BENCH = Template("""\
// $name: one command list that went wrong ($kind). Run with: sh run.sh
// $summary
// Predicted by the event model: $cycles cycles from the start handshake to the last completion.
`timescale 1ns / 1ps
`default_nettype none

module tb;

  localparam integer WRITES = $writes, BEATS = $beats, BEAT_BYTES = $beat;

  reg clk = 1'b0, rst = 1'b1, refill = 1'b0;
  always #5 clk = ~clk;

  reg awvalid = 1'b0, wvalid = 1'b0, arvalid = 1'b0;
  reg [18:0] awaddr = 19'd0, araddr = 19'd0;
  reg [31:0] wdata = 32'd0;
  wire awready, wready, bvalid, arready, rvalid, done;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  ${name}_bench dut (
      .clk(clk),
      .rst(rst),
      .disturb(1'b0),
      .refill(refill),
      .save(1'b0),
      .error_from(32'hffffffff),
      .s_axil_awvalid(awvalid),
      .s_axil_awready(awready),
      .s_axil_awaddr(awaddr),
      .s_axil_wvalid(wvalid),
      .s_axil_wready(wready),
      .s_axil_wdata(wdata),
      .s_axil_wstrb(4'hf),
      .s_axil_bvalid(bvalid),
      .s_axil_bready(1'b1),
      .s_axil_bresp(bresp),
      .s_axil_arvalid(arvalid),
      .s_axil_arready(arready),
      .s_axil_araddr(araddr),
      .s_axil_rvalid(rvalid),
      .s_axil_rready(1'b1),
      .s_axil_rdata(rdata),
      .s_axil_rresp(rresp),
      .done(done)
  );

  task write(input [18:0] address, input [31:0] data);
    begin
      awaddr = address;
      wdata = data;
      awvalid = 1'b1;
      wvalid = 1'b1;
      @(negedge clk) while (!awready) @(negedge clk);
      @(negedge clk) awvalid = 1'b0;
      wvalid = 1'b0;
      if (bresp != 2'b00) $$display("write of %h: response %b", address, bresp);
    end
  endtask

  task read(input [18:0] address);
    begin
      araddr = address;
      arvalid = 1'b1;
      @(negedge clk) while (!arready) @(negedge clk);
      @(negedge clk) arvalid = 1'b0;
    end
  endtask

  reg [63:0] writes[0:WRITES-1];              // {address, data} in the order in which they are loaded
  reg [8*BEAT_BYTES-1:0] after[0:BEATS-1];    // DRAM as it must be
  reg [8*BEAT_BYTES-1:0] found;
  integer i, b, waited = 0, wrong = 0;
  reg [31:0] cycles;

  initial begin
    $$readmemh("commands.hex", writes);
    $$readmemh("after.hex", after);
    @(negedge clk);
    @(negedge clk) rst = 1'b0;
    @(negedge clk) refill = 1'b1;             // DRAM from memory.hex
    @(negedge clk) refill = 1'b0;
    for (i = 0; i < WRITES; i = i + 1) write(writes[i][50:32], writes[i][31:0]);
    $$dumpfile("waves.fst");                   // from the start on
    $$dumpvars(0, tb);
    write(19'd0, 32'd1);
    while (!done && waited < $patience) begin
      @(negedge clk) waited = waited + 1;
    end
    read(19'h04);
    cycles = rdata;
    for (i = 0; i < BEATS; i = i + 1) begin
      found = dut.u_memory.content[i];
      for (b = 0; b < BEAT_BYTES; b = b + 1)
        if (found[8*b+:8] !== after[i][8*b+:8]) begin
          wrong = wrong + 1;
          $$display("DRAM byte %0d is %h, expected %h", i * BEAT_BYTES + b, found[8*b+:8], after[i][8*b+:8]);
        end
    end
    if (waited >= $patience) $$display("FAIL: not done after $patience cycles, %0d wrong bytes", wrong);
    else if (wrong == 0 && cycles == $cycles) $$display("PASS: %0d cycles", cycles);
    else $$display("FAIL: %0d wrong bytes, %0d cycles, $cycles predicted", wrong, cycles);
    $$finish;
  end

endmodule

`default_nettype wire
""")


def write_engine_repro(
    folder: Path, params: EngineParams, work: EngineWork, sources: Mapping[str, str], kind: str, summary: str
) -> tuple[Path, ...]:
    """Write the folder and return its files.

    Parameters
    ----------
    sources : mapping of str to str
        The RTL that went wrong, with its bench (`rtl.engine_top.bench_sources`), whose memory is cut to that of `work`.
    kind, summary : str
        What went wrong, and the layer in a line, for the head of the bench.
    """
    beats = work.before.size // params.beat_bytes
    bench = f"{params.name}_bench.sv"
    text, cut = re.subn(r"(parameter integer BEATS +=) \d+", rf"\g<1> {beats}", sources[bench])
    if cut != 1 or work.before.size % params.beat_bytes or work.after.size != work.before.size:
        raise InternalError(
            f"layer engine '{params.name}': its bench has no memory of {beats} whole beats; report this"
        )
    writes = list(_writes(work.words))
    modules = " ".join(file for file in sources if file.endswith(".sv"))
    files = {
        **sources,
        bench: text,
        "tb.sv": _BENCH.substitute(
            name=params.name, kind=kind, summary=summary, cycles=work.cycles, writes=len(writes), beats=beats,
            beat=params.beat_bytes, patience=300 + 20 * work.cycles,
        ),
        "commands.hex": "".join(f"{address:08x}{data:08x}\n" for address, data in writes),
        "memory.hex": _lines(work.before, params.beat_bytes),
        "after.hex": _lines(work.after, params.beat_bytes),
        "run.sh": f"#!/bin/sh\nset -e\niverilog -g2012 -o tb.vvp -s tb {modules} tb.sv\nvvp -n tb.vvp -fst\n",
        "waves.gtkw": _view(params),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_whole(folder / file, content) for file, content in files.items())


def _writes(words: Words) -> Iterator[tuple[int, int]]:
    """Yield (address, data) of every word of the command memory, then of the counts."""
    for number, engine in enumerate(ENGINES):
        for command, body in enumerate(words[engine]):
            for place, word in enumerate(body):
                yield 1 << 18 | number << 16 | command << 7 | place << 2, word
        yield 0x10 + 4 * number, len(words[engine])


def _lines(image: Bytes, beat: int) -> str:
    """Return a $readmemh file: a beat per line, byte 0 in the lowest bits."""
    return "".join(row[::-1].tobytes().hex() + "\n" for row in image.reshape(-1, beat))


def _view(params: EngineParams) -> str:
    """Return a GTKWave save file: the run, issue and completion of every engine, both channels, sums and codes."""
    beat, engine = params.beat_bytes, "tb.dut.u_dut.u_engine"
    groups: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = (
        ("run", (("tb.clk", 1), (f"{engine}.running", 1), (f"{engine}.done", 1))),
        ("commands", tuple((f"{engine}.{e}_{what}", 1) for e in ENGINES for what in ("issue", "done"))),
        ("read", (("tb.dut.m_axi_arvalid", 1), ("tb.dut.m_axi_araddr", 32), ("tb.dut.m_axi_rvalid", 1),
                  ("tb.dut.m_axi_rdata", 8 * beat))),
        ("array", ((f"{engine}.weight_en", 1), (f"{engine}.weight_data", 8 * params.cols), (f"{engine}.input_en", 1),
                   (f"{engine}.input_data", 8 * params.rows), (f"{engine}.sums_valid", 1), (f"{engine}.sums_first", 1),
                   (f"{engine}.array_sums", params.cols * params.accumulator_bits))),
        ("vector", ((f"{engine}.sums_en", 1), (f"{engine}.vector_sums", params.cols * params.accumulator_bits),
                    (f"{engine}.out_mask", params.cols), (f"{engine}.out_at", 32),
                    (f"{engine}.out_data", 8 * params.cols))),
        ("write", (("tb.dut.m_axi_awvalid", 1), ("tb.dut.m_axi_awaddr", 32), ("tb.dut.m_axi_wvalid", 1),
                   ("tb.dut.m_axi_wready", 1), ("tb.dut.m_axi_wdata", 8 * beat), ("tb.dut.m_axi_wstrb", beat),
                   ("tb.dut.m_axi_bvalid", 1))),
    )  # fmt: skip
    lines = ["[dumpfile] waves.fst"]
    for title, signals in groups:
        lines += ["@200", f"-{title}"]
        for name, bits in signals:
            lines += ["@28", name] if bits == 1 else ["@22", f"{name}[{bits - 1}:0]"]
    return "\n".join(lines) + "\n"
