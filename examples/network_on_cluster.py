"""Covers: clusters of cores, plans of what stays on chip, fusion, and their pictures.

Scenario: MobileNetV2 on four cores behind 2 MiB, plain, with a plan, split and fused, on a slow channel.
Expected: four lines with cycles and DRAM traffic; a folder ``network_on_cluster`` with the Gantt chart of cores and
DMA, the occupancy of the shared scratchpad with its capacity, and its addresses over time, for the plan and the fused
run.
Run: python examples/network_on_cluster.py
"""

from __future__ import annotations

from pathlib import Path

from tilewright.network_plots import save_network_plots
from tilewright.networks import simulate_network

FOLDER = Path("network_on_cluster")
SLOW = ["dram.bandwidth=3.2GB/s"]


def main() -> None:
    """Print one line per run and draw two of them."""
    for execution, tensors in (("layers", "none"), ("layers", "ilp"), ("split", "ilp"), ("fused", "none")):
        made = simulate_network("mobilenet_v2", "quad_edge", execution=execution, tensors=tensors, overrides=SLOW)
        totals = made.result.totals
        moved = (totals.dram_read_bytes + totals.dram_write_bytes) / 2**20
        print(f"{execution:7} {tensors:5} {totals.cycles:>10,} cycles, {moved:5.2f} MiB of DRAM traffic")
        if (execution, tensors) in (("layers", "ilp"), ("fused", "none")):
            save_network_plots(made.result, FOLDER / execution)


if __name__ == "__main__":
    main()
