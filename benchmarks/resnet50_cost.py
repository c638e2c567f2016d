"""CPU seconds and peak memory of mapping and simulating ResNet-50 on edge_int8; start-up time of --help.

Run: python benchmarks/resnet50_cost.py [--repeat 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUN = (
    "import json,resource,tilewright as tw;r=tw.simulate('resnet50',arch='edge_int8');"
    "u=resource.getrusage(resource.RUSAGE_SELF);"
    "print(r.totals.cycles,u.ru_utime+u.ru_stime,u.ru_maxrss)"
)


def main() -> None:
    """Print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    rows = []
    for _ in range(repeat):
        done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True)
        rows.append(tuple(float(part) for part in done.stdout.split()))
    cpu = statistics.median(row[1] for row in rows)
    memory = max(row[2] for row in rows) / 1024
    print(f"resnet50 on edge_int8: {rows[0][0]:,.0f} cycles")
    print(f"median {cpu:.2f} CPU s (bound 10), {memory:.0f} MB (bound 500)")
    walls, cpus = [], []
    for _ in range(repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tilewright", "--help"], env=environment, capture_output=True, check=True)
        walls.append(time.perf_counter() - begin)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"--help: median {statistics.median(walls):.3f} s wall, {statistics.median(cpus):.3f} CPU s (bound 0.3)")


if __name__ == "__main__":
    main()
