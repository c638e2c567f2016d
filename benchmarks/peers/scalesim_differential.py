"""Compute cycles of random matrix products: our SCALE-Sim convention against SCALE-Sim itself in its environment.

Every dataflow gets `--shapes` random products on a random array; partial folds are included. The peer's report counts
the index of the last cycle, with stalls; without bandwidth limits (CALC) there are none, so its total must be ours less
one.

Run: python benchmarks/peers/scalesim_differential.py --python ENV/bin/python [--shapes 200] [--seed 1] [--work DIR]
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.scalesim_ratio import CONFIG
from hw_models.scalesim import count

FLOWS = ("ws", "os", "is")


def peer_cycles(
    python: str, work: Path, flow: str, rows: int, cols: int, shapes: list[tuple[int, int, int]]
) -> list[tuple[int, int]]:
    """Return (total cycles, stall cycles) of each shape (M, K, N) as the peer reports them."""
    text = CONFIG.replace("run_name = ratio", f"run_name = {flow}").replace("Dataflow : ws", f"Dataflow : {flow}")
    text = text.replace("ArrayHeight : 32", f"ArrayHeight : {rows}").replace("ArrayWidth : 32", f"ArrayWidth : {cols}")
    (work / f"{flow}.cfg").write_text(text)
    lines = "".join(f"L{i}, {m}, {n}, {k},\n" for i, (m, k, n) in enumerate(shapes))
    (work / f"{flow}.csv").write_text("Layer, M, N, K,\n" + lines)
    layouts = "".join(f"L{i}, {', '.join(['1'] * 20)},\n" for i in range(len(shapes)))
    (work / "layout.csv").write_text("layout\n" + layouts)
    options = ["-t", f"{flow}.csv", "-c", f"{flow}.cfg", "-l", "layout.csv", "-p", "results", "-i", "gemm", "-s", "N"]
    subprocess.run([python, "-m", "scalesim.scale", *options], cwd=work, check=True, capture_output=True, text=True)
    with (work / "results" / flow / "COMPUTE_REPORT.csv").open(newline="") as stream:
        table = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    total, stall = table[0].index("Total Cycles"), table[0].index("Stall Cycles")
    return [(int(float(row[total])), int(float(row[stall]))) for row in table[1:] if len(row) > stall]


def main() -> None:
    """Print one line per dataflow and every mismatch; exit 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter of the environment that has scalesim 3.0.0")
    parser.add_argument("--shapes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--largest", type=int, default=48, help="largest M, K and N")
    parser.add_argument("--work", type=Path, default=None)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        work = (arguments.work or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        for flow in FLOWS:
            rows, cols = draw.choice([4, 8, 16]), draw.choice([4, 8, 16])
            shapes = [
                (draw.randint(1, arguments.largest), *(draw.randint(1, arguments.largest) for _ in range(2)))
                for _ in range(arguments.shapes)
            ]
            begin = time.monotonic()
            theirs = peer_cycles(arguments.python, work, flow, rows, cols, shapes)
            assert len(theirs) == len(shapes), f"{flow}: the peer reported {len(theirs)} of {len(shapes)} layers"
            bad = []
            for shape, (total, stall) in zip(shapes, theirs, strict=True):
                ours = count(flow, rows, cols, *shape).printed_total_cycles
                if (total - stall, stall) != (ours, 0):
                    bad.append(f"  {flow} {rows}x{cols}, M K N {shape}: peer {total} (stall {stall}), ours {ours}")
            wrong += len(bad)
            partial = sum(m % rows != 0 or k % rows != 0 or n % cols != 0 for m, k, n in shapes)
            print(
                f"{flow}: {rows}x{cols} array, {len(shapes)} products, {partial} with partial folds, "
                f"{len(bad)} mismatches ({time.monotonic() - begin:.0f} s of the peer)"
            )
            print("\n".join(bad[:10])) if bad else None
    print(f"{3 * arguments.shapes} products, {wrong} mismatches, seed {arguments.seed}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
