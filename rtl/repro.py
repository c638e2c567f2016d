"""A failing work as a folder that needs nothing but Icarus: sources, a test bench, waves and a view of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from rtl.stream_core import StreamWork
from workloads.errors import InternalError
from workloads.whole_file import write_whole

_PORT = re.compile(r"^\s*(input|output)\s+(?:wire|logic)\s*(\[[^]]*\])?\s*(\w+)", re.MULTILINE)

_BENCH = Template("""\
// $name: one work that went wrong. Run with: sh run.sh
// Predicted: $cycles cycles from the first input handshake to the last output handshake, streams never stalling.
`timescale 1ns / 1ps
`default_nettype none

module tb #(
$constants
);

  reg clk = 1'b0, rst = 1'b1;
  integer cycle = 0, first = -1, last = -1, errors = 0, wait_cycles = 0;
  always #5 clk = ~clk;

$signals
  $name dut (
      .clk(clk),
      .rst(rst)$connections
  );

  initial begin
    $$dumpfile("waves.fst");
    $$dumpvars(0, tb);
$memories    @(negedge clk);
    @(negedge clk) rst = 1'b0;
  end

  // Everything is decided at the falling edge: no output of the core depends on an input in the same cycle.
  always @(negedge clk) begin
    if (!rst) begin
      cycle = cycle + 1;
$drive      #1;
$watch      wait_cycles = wait_cycles + 1;
      if ($finished && wait_cycles > 8) begin
        if (errors == 0 && last - first == $cycles) $$display("PASS: %0d cycles", last - first);
        else $$display("FAIL: %0d wrong beats, %0d cycles, $cycles predicted", errors, last - first);
        $$finish;
      end
      if (wait_cycles > $patience) begin
        $$display("FAIL: no progress for $patience cycles, %0d wrong beats", errors);
        $$finish;
      end
    end
  end

endmodule

`default_nettype wire
""")


def write_repro(
    folder: Path, name: str, work: StreamWork, sources: Mapping[str, str], tied: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Write the folder and return its files.

    Parameters
    ----------
    name : str
        The core's name, which is that of its top module.
    sources : mapping of str to str
        The RTL that went wrong.
    tied : mapping of str to str, optional
        Inputs beside the streams, and the signals of the bench that drive them.
    """
    top = sources[f"{name}.sv"]
    head = re.search(rf"module {name} #\((.*?)\n\) \((.*?)\n\);", top, re.DOTALL)
    if head is None:
        raise InternalError(f"rtl core '{name}': its top has no parameter list; report this")
    ports = {port: width or "" for _, width, port in _PORT.findall(head[2])}
    files = {**sources, "tb.sv": _bench(name, work, head[1].strip("\n"), ports, tied or {})}
    for port, beats in (*work.inputs.items(), *work.outputs.items()):
        files[f"{port}.hex"] = "".join(f"{word:x}\n" for word in beats.data)
        files[f"{port}_last.hex"] = "".join(f"{int(flag)}\n" for flag in beats.last)
    modules = " ".join(file for file in sources if file.endswith(".sv"))
    files["run.sh"] = f"#!/bin/sh\nset -e\niverilog -g2012 -o tb.vvp -s tb {modules} tb.sv\nvvp -n tb.vvp -fst\n"
    files["waves.gtkw"] = _view(work, ports)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_whole(folder / file, text) for file, text in files.items())


def _bench(name: str, work: StreamWork, constants: str, ports: Mapping[str, str], tied: Mapping[str, str]) -> str:
    """Return the text of the test bench."""
    signals, connections, memories, drive, watch = [], [], [], [], []
    for port, beats in (*work.inputs.items(), *work.outputs.items()):
        count, width = len(beats.data), ports[f"{port}_tdata"]
        is_input = port in work.inputs
        signals.append(f"  reg {width} {port}_data [0:{max(count, 1) - 1}];")
        signals.append(f"  reg {port}_flag [0:{max(count, 1) - 1}];")
        signals.append(f"  integer {port}_at = 0;")
        memories.append(f'    $readmemh("{port}.hex", {port}_data);\n    $readmemh("{port}_last.hex", {port}_flag);\n')
        has_last = f"{port}_tlast" in ports
        names = ["tvalid", "tready", "tdata", *(["tlast"] if has_last else [])]
        for signal in names:
            driven = is_input != (signal == "tready")
            start = " = 0" if driven else ""
            signals.append(f"  {'reg' if driven else 'wire'} {ports[f'{port}_{signal}']} {port}_{signal}{start};")
        connections += [f",\n      .{port}_{signal}({port}_{signal})" for signal in names]
        if is_input:
            drive.append(f"      {port}_tvalid = {port}_at < {count};\n")
            drive.append(f"      if ({port}_at < {count}) {port}_tdata = {port}_data[{port}_at];\n")
            if has_last:
                drive.append(f"      if ({port}_at < {count}) {port}_tlast = {port}_flag[{port}_at];\n")
            watch.append(f"      if ({port}_tvalid && {port}_tready) begin\n        if (first < 0) first = cycle;\n")
            watch.append(f"        {port}_at = {port}_at + 1;\n        wait_cycles = 0;\n      end\n")
        else:
            drive.append(f"      {port}_tready = 1'b1;\n")
            differ = (f"{port}_tdata !== {port}_data[{port}_at]", f"{port}_tlast !== {port}_flag[{port}_at]")
            wrong = " || ".join((f"{port}_at >= {count}", *differ))
            watch.append(f"      if ({port}_tvalid !== 1'b0) begin\n        if ({wrong}) begin\n")
            watch.append("          errors = errors + 1;\n")
            watch.append(f'          $display("cycle %0d: {port} beat %0d is %h, expected %h", cycle, {port}_at, ')
            watch.append(f"{port}_tdata, {port}_data[{port}_at]);\n        end\n")
            watch.append(
                f"        last = cycle;\n        {port}_at = {port}_at + 1;\n        wait_cycles = 0;\n      end\n"
            )
    for setting, value in work.settings.items():
        signals.append(f"  reg {ports[setting]} {setting} = {value};")
        connections.append(f",\n      .{setting}({setting})")
    connections += [f",\n      .{port}({signal})" for port, signal in tied.items()]
    finished = " && ".join(f"{port}_at >= {len(beats.data)}" for port, beats in work.outputs.items())
    return _BENCH.substitute(
        name=name,
        cycles=work.cycles,
        constants=constants,
        signals="\n".join(signals) + "\n",
        connections="".join(connections),
        memories="".join(memories),
        drive="".join(drive),
        watch="".join(watch),
        finished=finished,
        patience=4 * work.cycles + 100,
    )


def _view(work: StreamWork, ports: Mapping[str, str]) -> str:
    """Return a GTKWave save file: clock, reset and every port, data in hexadecimal."""
    lines = ["[dumpfile] waves.fst", "@28", "tb.clk", "tb.rst"]
    for port in (*work.inputs, *work.outputs):
        lines += ["@28", f"tb.{port}_tvalid", f"tb.{port}_tready", "@22", f"tb.{port}_tdata"]
        lines += ["@28", f"tb.{port}_tlast"] if f"{port}_tlast" in ports else []
    return "\n".join(lines) + "\n"
