"""CPU seconds of the event model on whole networks, beside their bounds, and its rate beside SCALE-Sim's.

Every network runs in a process of its own; CPU seconds are user + system. "event model" is the run alone; "result" is
all of `tw.simulate` but import and mapping: description, network, closed forms, run, attribution, energy, every law,
result file; a bound is beside it. Nothing is kept from one repetition to the next. The last lines compare with
SCALE-Sim in its own environment on the first layers of ResNet-18, in cycles per CPU second.

Run: python benchmarks/event_speed.py [--repeat 3] [--only NAME] [--scalesim PYTHON] [--layers 1]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import json, resource, sys, time
import tilewright as tw
import tilewright.api as api
from mappers import kinds
from sim import simulation
from sim.machine import run_program
from sim.fast_forward import driver
name, arch, overrides, repeat = sys.argv[1], sys.argv[2], sys.argv[3].split(), int(sys.argv[4])
begin = time.process_time()
plan = tw.map_network(name, arch=arch, overrides=overrides)
mapping = time.process_time() - begin
api._plan = lambda *given: plan
whole, alone = [], []
for _ in range(repeat):
    kinds.forget()
    begin = time.process_time()
    json.dumps(tw.simulate(name, arch=arch, overrides=overrides).to_json())
    whole.append(time.process_time() - begin)
    kinds.forget()
    begin = time.process_time()
    run = run_program(plan.program, plan.accelerator)
    alone.append(time.process_time() - begin)
print(json.dumps({"cycles": run.cycles, "commands": len(run.spans), "skipped": run.skipped, "mapping": mapping,
    "whole": sorted(whole)[len(whole) // 2], "alone": sorted(alone)[len(alone) // 2],
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


@dataclass(frozen=True)
class Case:
    """One network on one machine, with the CPU seconds it may take."""

    name: str
    workload: str
    arch: str
    overrides: str
    bound_s: float | None
    repeat: int


CASES = (
    Case("resnet18", "resnet18", "edge_int8", "core.dataflows=[ws]", 0.5, 5),
    Case("resnet50-ddr4", "resnet50", "edge_int8", "dram.standard=DDR4-2400", 15, 1),
    Case("llama-decode", "llama_7b_decode", "edge_int8", "", 5, 1),
    Case("gpt2-prefill", "gpt2_prefill", "edge_int8", "", 20, 1),
    Case("gpt2-decode-ddr4", "gpt2_decode", "edge_int8", "dram.standard=DDR4-2400", None, 1),
    Case("llama-decode-ddr4", "llama_7b_decode", "edge_int8", "dram.standard=DDR4-2400", None, 1),
    Case("gpt2-prefill-ddr4", "gpt2_prefill", "edge_int8", "dram.standard=DDR4-2400", None, 1),
)
LONG = ("llama-decode-ddr4", "gpt2-prefill-ddr4")
"""Minutes each: only where named."""


def run(case: Case, repeat: int | None) -> dict[str, float]:
    """Return what a process of its own measured."""
    command = [sys.executable, "-c", RUN, case.workload, case.arch, case.overrides, str(repeat or case.repeat)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def peer(python: Path, layers: int) -> float:
    """Return SCALE-Sim's simulated cycles per CPU second on the first layers of ResNet-18."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.peers.scalesim_ratio import CONFIG, child_cpu, topology

    work = Path(tempfile.mkdtemp(prefix="scalesim"))
    try:
        (work / "scale.cfg").write_text(CONFIG)
        table, layout = topology(layers)
        (work / "resnet18.csv").write_text(table)
        (work / "layout.csv").write_text(layout)
        options = ["-t", "resnet18.csv", "-c", "scale.cfg", "-l", "layout.csv", "-p", "results", "-s", "N"]
        os.environ.pop("PYTHONPATH", None)
        cpu, _ = child_cpu([str(python), "-m", "scalesim.scale", *options], work)
        lines = (work / "results" / "ratio" / "COMPUTE_REPORT.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines]
        column = next(i for i, name in enumerate(rows[0]) if name.strip() == "Total Cycles")
        cycles = sum(float(row[column]) + 1 for row in rows[1:] if len(row) > column)
        print(f"SCALE-Sim, {layers} layers of resnet18: {cycles:,.0f} cycles in {cpu:.1f} CPU s")
        return cycles / cpu
    finally:
        shutil.rmtree(work)


def main() -> None:
    """Print one line per network, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=None)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--scalesim", type=Path, default=None, help="python of an environment that has scalesim 3.0.0")
    parser.add_argument("--layers", type=int, default=1)
    arguments = parser.parse_args()
    rates = []
    for case in CASES:
        if case.name not in (arguments.only or [c.name for c in CASES if c.name not in LONG]):
            continue
        got = run(case, arguments.repeat)
        bound = "no bound" if case.bound_s is None else f"bound {case.bound_s:g}"
        print(
            f"{case.name} ({case.workload} on {case.arch} {case.overrides}): {got['cycles']:,} cycles, "
            f"{got['skipped']:,} of {got['commands']:,} commands left out; event model {got['alone']:.2f} CPU s, "
            f"result {got['whole']:.2f} ({bound}), mapping {got['mapping']:.1f}, {got['mb']:.0f} MB",
            flush=True,
        )
        if case.name == "resnet18":
            rates = [got["cycles"] / got["whole"], got["cycles"] / got["alone"]]
    if arguments.scalesim is not None and rates:
        theirs = peer(arguments.scalesim, arguments.layers)
        whole, alone = (rate / theirs for rate in rates)
        print(f"cycles per CPU second, ours by theirs: {alone:,.0f} x event model, {whole:,.0f} x whole result")


if __name__ == "__main__":
    main()
