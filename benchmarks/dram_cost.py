"""CPU seconds of a DRAM with timing: ResNet-50 mapped and simulated, and a stream with and without the skip.

Run: python benchmarks/dram_cost.py [--repeat 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from hw_models.dram import TimedDram, load_standard
from sim.dram.controller import Controller
from sim.dram.ports import READ, Request

RUN = (
    "import resource,time,tilewright as tw;r=tw.simulate('resnet50',arch='edge_int8',overrides={overrides!r});"
    "u=resource.getrusage(resource.RUSAGE_SELF);t=time.process_time();"
    "from sim.machine import run_program;run_program(r.plan.program,r.plan.accelerator);"
    "print(r.totals.cycles,u.ru_utime+u.ru_stime,u.ru_maxrss,time.process_time()-t)"
)


def network(overrides: list[str], repeat: int) -> tuple[int, float, float, float]:
    """Return cycles, median CPU seconds, MB, and median CPU seconds of the event model alone."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    rows = []
    for _ in range(repeat):
        command = [sys.executable, "-c", RUN.format(overrides=overrides)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rows.append(tuple(float(part) for part in done.stdout.split()))
    cpu, alone = (statistics.median(row[i] for row in rows) for i in (1, 3))
    return int(rows[0][0]), cpu, max(row[2] for row in rows) / 1024, alone


def stream(fast: bool, bursts: int) -> tuple[int, float]:
    """Return ticks and CPU seconds of a sequential read."""
    controller = Controller(TimedDram(load_standard("DDR4-2400"), 1), (READ,), fast=fast)
    controller.submit(0, Request(0, [(0, bursts)]))
    begin = time.process_time()
    ticks = controller.settle()
    return ticks, time.process_time() - begin


def main() -> None:
    """Print the figures and their bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    for label, overrides in (("fixed latency", []), ("DDR4-2400", ["dram.standard=DDR4-2400"])):
        cycles, cpu, memory, alone = network(overrides, repeat)
        print(
            f"resnet50, {label}: {cycles:,} cycles, median {cpu:.2f} CPU s with import and mapping (bound 15), "
            f"{alone:.2f} in the event model, {memory:.0f} MB (bound 1000)"
        )
    (fast_ticks, fast_s), (slow_ticks, slow_s) = stream(True, 200_000), stream(False, 200_000)
    assert fast_ticks == slow_ticks
    print(f"stream of 200,000 bursts: {fast_s:.3f} CPU s, stepped {slow_s:.3f} s, ratio {slow_s / fast_s:.0f}")


if __name__ == "__main__":
    main()
