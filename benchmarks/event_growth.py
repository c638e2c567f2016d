"""How the cost of the event model grows with layers, tiles and cores, with the fast-forward and without: table, plot.

* layers: Llama-like decoders of 1 to 8 blocks, one token;
* tiles: one Llama-like block with prompts of 32 to 256 tokens;
* cores: 1 to 4 cores on one memory of as much bandwidth each, the same block on every core.

CPU seconds of one run each, after import and mapping.

Run: python benchmarks/event_growth.py [--plot docs/event_cost.png]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tilewright as tw
from hw_models.accelerator import Accelerator
from mappers.commands import Program
from sim.machine import run_program
from sim.shared_memory import run_shared

Row = tuple[int, int, float, float, int]
"""What grew, commands, CPU seconds in full and with the fast-forward, commands left out."""


def timed(run: Callable[[bool], int]) -> tuple[float, float, int]:
    """Return CPU seconds in full and with the fast-forward, and the commands it left out."""
    seconds, skipped = [], 0
    for fast in (False, True):
        begin = time.process_time()
        skipped = run(fast)
        seconds.append(time.process_time() - begin)
    return seconds[0], seconds[1], skipped


def on_one(program: Program, machine: Accelerator) -> Callable[[bool], int]:
    """Return a run on one core."""
    return lambda fast: run_program(program, machine, fast_forward=fast).skipped


def on_many(program: Program, machine: Accelerator, cores: int) -> Callable[[bool], int]:
    """Return a run of the program on every one of `cores` cores, all on one memory."""

    def run(fast: bool) -> int:
        shared = run_shared([program] * cores, [machine] * cores, fast_forward=fast)
        return sum(one.skipped for one in shared.runs)

    return run


def by_layers(counts: Sequence[int]) -> list[Row]:
    """Return a row per number of decoder blocks."""
    rows = []
    for count in counts:
        plan = tw.map_network("llama_7b_decode", arch="edge_int8", dims={"layers": count})
        rows.append((count, len(plan.program.commands), *timed(on_one(plan.program, plan.accelerator))))
    return rows


def by_tiles(sequences: Sequence[int]) -> list[Row]:
    """Return a row per prompt length of one decoder block."""
    rows = []
    for sequence in sequences:
        plan = tw.map_network("llama_7b_prefill", arch="edge_int8", dims={"layers": 1, "sequence": sequence})
        rows.append((sequence, len(plan.program.commands), *timed(on_one(plan.program, plan.accelerator))))
    return rows


def by_cores(counts: Sequence[int]) -> list[Row]:
    """Return a row per number of cores."""
    rows = []
    for count in counts:
        wide = [f"dram.bandwidth={12.8 * count}GB/s"] if count > 1 else []
        plan = tw.map_network("llama_7b_decode", arch="edge_int8", dims={"layers": 1}, overrides=wide)
        rows.append((count, count * len(plan.program.commands), *timed(on_many(plan.program, plan.accelerator, count))))
    return rows


def draw(tables: dict[str, list[Row]], path: Path) -> None:
    """Write the plot: CPU seconds over what grows, in full and with the fast-forward."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 3.4), layout="constrained")
    for axes, (name, rows) in zip(figure.subplots(1, len(tables)), tables.items(), strict=True):
        xs = [row[0] for row in rows]
        axes.plot(xs, [row[2] for row in rows], "o-", color="#888888", label="every tile stepped")
        axes.plot(xs, [row[3] for row in rows], "o-", color="#3a76af", label="fast-forward")
        axes.set_xscale("log", base=2)
        axes.set_ylim(0, 1.15 * max(row[2] for row in rows))
        axes.set_xticks(xs, [str(x) for x in xs])
        axes.set_xlabel(name)
        axes.set_ylabel("CPU seconds of the event model")
        for x, row in zip(xs, rows, strict=True):
            axes.annotate(
                f"{row[1]:,}",
                (x, row[2]),
                fontsize=6,
                ha="center",
                va="bottom",
                xytext=(0, 4),
                textcoords="offset points",
            )
        axes.legend(fontsize=7, frameon=False)
    figure.suptitle("Cost of a run; numbers are commands", fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Print the tables and write the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, default=None)
    path = parser.parse_args().plot
    tables = {
        "decoder blocks": by_layers((1, 2, 4, 8)),
        "tokens of the prompt, one block": by_tiles((32, 64, 128, 256)),
        "cores on one memory": by_cores((1, 2, 4)),
    }
    for name, rows in tables.items():
        print(f"{name}: commands, left out, CPU s in full, with the fast-forward, us per command")
        for count, commands, full, fast, skipped in rows:
            each = f"{1e6 * full / commands:.0f} and {1e6 * fast / commands:.0f}"
            print(f"  {count:>5}: {commands:>8,} {skipped:>8,} {full:8.2f} {fast:8.2f}   {each}")
    if path is not None:
        draw(tables, path)


if __name__ == "__main__":
    main()
