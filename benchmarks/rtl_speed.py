"""CPU seconds to predict the cycles of a layer against CPU seconds to simulate its RTL, on the same commands.

The layer is LeNet's second convolution on an array of ``--rows`` x ``--rows`` PEs, as `tilewright verify` replays it.
Three ways to its cycles: the closed form of every job, the event model of the program with memories, and the RTL under
cocotb (Icarus, or Verilator with its build).

Run: python benchmarks/rtl_speed.py [--rows 8] [--simulator icarus|verilator] [--repeat 5]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hw_models.systolic import SystolicParams
from rtl.run import Scenario, run_scenarios
from sim.machine import run_program
from tilewright.cores import core_params
from tilewright.verification import layer_replay


def own_seconds(action: Callable[[], object], repeat: int, inner: int) -> float:
    """Return the median CPU seconds of `action` in this process."""
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        for _ in range(inner):
            action()
        times.append((time.process_time() - begin) / inner)
    return statistics.median(times)


def main() -> None:
    """Print the three times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--simulator", default="icarus")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    params = core_params("systolic_ws_int8", arguments.rows, arguments.rows)
    assert isinstance(params, SystolicParams)
    layer = layer_replay(params, 0)
    jobs = [params.job_for(job.a.shape[0], job.a.shape[1], job.w.shape[1]) for job in layer.jobs]

    closed = own_seconds(lambda: [params.cycles(job) for job in jobs], arguments.repeat, 200)
    event = own_seconds(lambda: run_program(layer.plan.program, layer.plan.accelerator), arguments.repeat, 5)
    rtl = []
    for _ in range(arguments.repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        scenario = Scenario(layer.jobs, back_to_back=True, earliest_issue_cycles=layer.offered)
        (run,) = run_scenarios(params, [scenario], arguments.simulator)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rtl.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert run.total_cycles == layer.predicted_cycles
    seconds = statistics.median(rtl)
    print(
        f"LeNet c3 on {arguments.rows} x {arguments.rows} WS: {layer.predicted_cycles:,} cycles, {len(jobs)} commands"
    )
    print(f"closed form of every command {closed * 1e6:12,.1f} us")
    print(f"event model of the program   {event * 1e6:12,.1f} us")
    print(f"RTL, {arguments.simulator:<22} {seconds * 1e6:12,.1f} us")
    print(f"RTL / closed form {seconds / closed:,.0f} x, RTL / event model {seconds / event:,.0f} x")


if __name__ == "__main__":
    main()
