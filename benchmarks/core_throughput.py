"""Beats per cycle of every core's busiest port when nothing holds it back; writes docs/core_throughput.md.

The RTL plays a long run of drawn works back to back: sources never pause, sinks are always ready. Cycles are counted
from the first input beat's handshake to the last output beat's, fill and drain included.

Run: python benchmarks/core_throughput.py [--out docs/core_throughput.md] [--core NAME ...]      (four minutes)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hw_models.layer_engine import EngineParams
from hw_models.systolic import SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from rtl.run import JobData, run_sequence
from rtl.stimulus import draw
from rtl.stream_core import StreamWork, stream_work
from rtl.stream_run import StreamScenario, run_streams
from tilewright.cores import CoreRow, list_cores
from workloads.errors import InputError

WORKS, JOBS, SIDE = 160, 4, 64
WHY = {
    "skip": "one value a cycle of each PE; rows wait for their longest PE, which the drawn masks leave unequal",
    "bins": "a reduction ends with a multiplication per bin, for which the additions of the next wait",
    "banked": "two drawn streams of reads and one of writes meet in four banks",
    "threshold": "thresholds wait for a slot where a tile's sums are more, sums for thresholds where fewer",
    "shift": "the map comes in, then its results go out: the other cycles belong to the map's words",
}


def stream_rate(row: CoreRow) -> tuple[str, int, int]:
    """Return (busiest port, its beats, cycles) of drawn works with one setting."""
    rng = np.random.default_rng(0)
    first = stream_work(row.params, *draw(row.params, rng, "random"))
    works: list[StreamWork] = [first]
    for _ in range(20 * WORKS):
        if len(works) < WORKS:
            work = stream_work(row.params, *draw(row.params, rng, "random"))
            works += [work] * (work.settings == first.settings)
    runs = run_streams(row.params, [StreamScenario(tuple(works), back_to_back=True)])[0]
    if wrong := sum(run.wrong_beats(work) for run, work in zip(runs, works, strict=True)):
        raise InputError(f"core '{row.name}': {wrong} wrong beats; run tilewright verify {row.name}")
    cycles = max(run.last_cycle for run in runs) - min(run.first_cycle for run in runs) + 1
    beats = {
        port: sum(len((work.inputs | work.outputs)[port].data) for work in works)
        for port in (*first.inputs, *first.outputs)
    }
    port = max(beats, key=lambda name: beats[name])
    return port, beats[port], cycles


def array_rate(row: CoreRow, params: SystolicParams) -> tuple[str, int, int]:
    """Return ("operands", operand vectors that enter the array, cycles) of jobs back to back."""
    rng = np.random.default_rng(0)
    job = params.job_for(SIDE, SIDE, SIDE)
    data = []
    for _ in range(JOBS):
        a, w = (
            rng.integers(form.min, form.max + 1, (SIDE, SIDE)) for form in (params.input_format, params.weight_format)
        )
        if isinstance(params, SystolicNMParams):
            w[np.arange(SIDE) % params.group >= params.kept] = 0
        data.append(JobData(a, w))
    run = run_sequence(params, data)
    for one, work in zip(run.jobs, data, strict=True):
        if not np.array_equal(one.outputs, params.golden(work.a, work.w)):
            raise InputError(f"core '{row.name}': wrong sums; run tilewright verify {row.name}")
    return "operands", JOBS * job.stream * job.folds, run.total_cycles


def note(name: str, rate: float) -> str:
    """Return why the busiest port of a core rests."""
    if rate > 0.97:
        return ""
    return next((why for key, why in WHY.items() if name.startswith(key)), "")


def text(found: list[tuple[str, str, int, int]]) -> str:
    """Return the page."""
    lines = [
        "# Throughput of the cores",
        "",
        "Written by `python benchmarks/core_throughput.py`: the RTL of every stream core and systolic array in Icarus,",
        f"a long run back to back ({WORKS} drawn works; {JOBS} products of {SIDE} x {SIDE} x {SIDE}), sources never",
        "pausing, sinks always ready. The busiest port takes or gives a beat in this share of the cycles from the",
        "first beat to the last; a beat carries one word for every lane. Of an array the operand vectors count, each",
        "of which works every PE once. The rest is fill and drain at the ends of the run, or what the note says.",
        "",
        "| core | busiest port | beats | cycles | share | note |",
        "|---|---|--:|--:|--:|---|",
    ]
    for name, port, beats, cycles in found:
        rate = beats / cycles
        lines.append(f"| {name} | {port} | {beats:,} | {cycles:,} | {rate:.1%} | {note(name, rate)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--core", action="append")
    options = parser.parse_args()
    found = []
    for row in list_cores():
        if isinstance(row.params, EngineParams) or (options.core and row.name not in options.core):
            continue
        one = array_rate(row, row.params) if isinstance(row.params, SystolicParams) else stream_rate(row)
        found.append((row.name, *one))
        print(*found[-1], f"{one[1] / one[2]:.1%}", flush=True)
    if options.out:
        options.out.write_text(text(found), encoding="utf-8")


if __name__ == "__main__":
    main()
