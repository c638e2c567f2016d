"""CPU seconds, memory and proof of the general layer mapper on a network: ``python benchmarks/nest_mapper.py``.

Options: ``--arch eyeriss_like``, ``--workload resnet50``, ``--objective edp``, ``--counting timeloop``. Beside the
divisor optimum of each layer stands the best ceil nest of a short search, with its gap to a lower bound over all ceil
tiles; ``--bounds`` says how many sets of unrollings that search may bound (0: none).
"""

from __future__ import annotations

import argparse
import resource
import time

from hw_models.hierarchy.reader import load_hierarchy
from hw_models.hierarchy.tree import MemoryTree
from mappers.nests.counts import Counting
from mappers.nests.network import MappedLayer, map_nests
from mappers.nests.objective import Objective, parse_objective
from mappers.nests.problem import NestProblem
from mappers.nests.ragged.search import Effort, RaggedSearch
from mappers.nests.search import FoundNest
from workloads.zoo import load


def main() -> None:
    """Map and print one line per different layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="eyeriss_like")
    parser.add_argument("--workload", default="resnet50")
    parser.add_argument("--objective", default="edp")
    parser.add_argument("--counting", default="timeloop", choices=("timeloop", "zigzag"))
    parser.add_argument("--bounds", type=int, default=4)
    given = parser.parse_args()
    tree = load_hierarchy(given.arch)
    start = time.process_time()
    last = [start]

    def progress(name: str) -> None:
        now = time.process_time()
        print(f"{now - last[0]:7.2f} s before {name}", flush=True)
        last[0] = now

    goal = parse_objective(given.objective)
    mapped = map_nests(load(given.workload), tree, goal, given.counting, None, progress)
    spent = time.process_time() - start
    found = {p: f for layer in mapped for p, f in zip(layer.problems, layer.found, strict=True)}
    proven = sum(isinstance(f, FoundNest) and f.certificate.proven_optimal for f in found.values())
    energy = sum(float(f.cost.energy_pj) for x in mapped for f in x.found if isinstance(f, FoundNest))
    cycles = sum(f.cost.latency_cycles for x in mapped for f in x.found if isinstance(f, FoundNest))
    print(f"{given.workload} on {tree.name}: {len(mapped)} layers, {len(found)} different, {proven} proven optimal")
    print(f"divisor tiles: {spent:.1f} CPU s, {_memory():.0f} MiB, {energy:.5g} pJ, {cycles:,} cycles")
    if given.bounds:
        _over_ceil_tiles(mapped, tree, goal, given.counting, given.bounds)
    print(f"{time.process_time() - start:.1f} CPU s, {_memory():.0f} MiB")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _over_ceil_tiles(
    mapped: tuple[MappedLayer, ...], tree: MemoryTree, goal: Objective, counting: Counting, bounds: int
) -> None:
    """Print the best ceil nest of each different layer as a share of the divisor optimum, and its gap."""
    effort, done, total = Effort(bounds, 0, 120, scouts=3, followed=1), dict[NestProblem, FoundNest](), [0.0, 0.0, 0.0]
    for layer in mapped:
        for problem, found in zip(layer.problems, layer.found, strict=True):
            if isinstance(found, FoundNest):
                if problem not in done:
                    ceil = RaggedSearch(problem, tree, goal, counting, found, effort).run()
                    assert ceil is not None
                    done[problem] = ceil
                    own = ceil.certificate
                    ratio = own.value / found.certificate.value
                    print(
                        f"{layer.name:28} ceil / divisor {ratio:7.2%}, gap over ceil tiles {own.gap:7.2%}", flush=True
                    )
                own = done[problem].certificate
                total = [a + b for a, b in zip(total, (found.certificate.value, own.value, own.bound), strict=True)]
    print(
        f"sum over layers: ceil / divisor {total[1] / total[0]:.2%}, gap over ceil tiles {1 - total[2] / total[1]:.2%}"
    )


if __name__ == "__main__":
    main()
