"""CPU seconds, memory and proof of the general layer mapper on a network: ``python benchmarks/nest_mapper.py``.

Options: ``--arch eyeriss_like``, ``--workload resnet50``, ``--objective edp``, ``--counting timeloop``.
"""

from __future__ import annotations

import argparse
import resource
import time

from hw_models.hierarchy.reader import load_hierarchy
from mappers.nests.network import map_nests
from mappers.nests.objective import parse_objective
from mappers.nests.search import FoundNest
from workloads.zoo import load


def main() -> None:
    """Map and print one line per different layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="eyeriss_like")
    parser.add_argument("--workload", default="resnet50")
    parser.add_argument("--objective", default="edp")
    parser.add_argument("--counting", default="timeloop", choices=("timeloop", "zigzag"))
    given = parser.parse_args()
    tree = load_hierarchy(given.arch)
    start = time.process_time()
    last = [start]

    def progress(name: str) -> None:
        now = time.process_time()
        print(f"{now - last[0]:7.2f} s before {name}", flush=True)
        last[0] = now

    mapped = map_nests(load(given.workload), tree, parse_objective(given.objective), given.counting, None, progress)
    spent = time.process_time() - start
    found = {p: f for layer in mapped for p, f in zip(layer.problems, layer.found, strict=True)}
    proven = sum(isinstance(f, FoundNest) and f.certificate.proven_optimal for f in found.values())
    energy = sum(float(f.cost.energy_pj) for x in mapped for f in x.found if isinstance(f, FoundNest))
    cycles = sum(f.cost.latency_cycles for x in mapped for f in x.found if isinstance(f, FoundNest))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{given.workload} on {tree.name}: {len(mapped)} layers, {len(found)} different, {proven} proven optimal")
    print(f"{spent:.1f} CPU s, {memory:.0f} MiB, {energy:.5g} pJ, {cycles:,} cycles")


if __name__ == "__main__":
    main()
