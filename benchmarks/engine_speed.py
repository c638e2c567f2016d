"""CPU seconds of the event model against RTL simulation of the layer engine, for one command list of a whole network.

Run: python benchmarks/engine_speed.py [--workload digits] [--simulator icarus|verilator] [--repeat 5]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hw_models.description import load_accelerator
from mappers.plan import make_plan
from rtl.engine_run import run_engine
from sim.machine import run_program
from tilewright.engine_case import engine_case
from tilewright.sources import load_workload


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="digits")
    parser.add_argument("--simulator", default="icarus")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    plan = make_plan(load_workload(arguments.workload, {}).network, load_accelerator("engine_8x8"))
    case = engine_case(plan)
    model = []
    for _ in range(arguments.repeat):
        begin = time.process_time()
        run_program(case.program, case.accelerator)
        model.append(time.process_time() - begin)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    (outcome,) = run_engine(case.params, [case.run()], arguments.simulator)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rtl = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    event = statistics.median(model)
    print(f"{arguments.workload} on engine_8x8: event model {case.predicted_cycles:,} cycles, RTL {outcome.cycles:,}")
    print(f"event model: {event * 1e3:.1f} ms CPU (median of {arguments.repeat})")
    print(f"RTL, {arguments.simulator}, start and build included: {rtl:.1f} s CPU, {rtl / event:,.0f} times as long")
    if not case.agrees(outcome):
        raise SystemExit("the RTL and the models disagree")


if __name__ == "__main__":
    main()
