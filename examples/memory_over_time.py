"""Covers: tensor placement from Python, the order of operators, a picture of the scratchpad over time.

Scenario: ResNet-50 with its weights in the smallest scratchpad that holds every operator (2.37 MiB).
Expected: 1,003,520 bytes in the listed order, 602,112 in the best one, and memory_over_time.png beside them.
Run: python examples/memory_over_time.py [FILE.png]
"""

from __future__ import annotations

import sys

import tilewright as tw
from tilewright.placement_plot import memory_figure
from tilewright.placing import load_graph


def main() -> None:
    """Print the traffic under both schedules and draw the second."""
    graph = load_graph("resnet50", parameters=True)
    listed = tw.place(graph, graph.widest_operator_bytes, schedule="fixed")
    best = tw.place(graph, graph.widest_operator_bytes)
    for label, answer in (("listed order", listed), ("best order", best)):
        print(f"{label}: {answer.objective_bytes:,} bytes, proven optimal: {answer.proven_optimal}")
    target = sys.argv[1] if len(sys.argv) > 1 else "memory_over_time.png"
    memory_figure(graph, best).savefig(target, dpi=110)


if __name__ == "__main__":
    main()
