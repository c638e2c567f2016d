"""Cycles, DRAM bytes and energy of networks on clusters, with and without a plan of what stays on chip.

    python benchmarks/network_table.py [NETWORK ...] [--arch NAME ...]

Prints one line per network, machine, execution and plan: cycles beside the baseline (layer by layer, or split, with
every tensor in DRAM), the change, DRAM bytes, energy, and CPU seconds of mapping and simulation together, solver
included. With `--stream`, the ResNet-18 figures of Stream's TPU-like quad core stand beside ours on `quad_tpu`; what is
equal in the two machines and what is not is in the source text of that preset and in docs/network_mapping.md.
"""

from __future__ import annotations

import argparse
import os

from tilewright.networks import simulate_network
from workloads.errors import TilewrightError

NETWORKS = ("resnet50", "mobilenet_v2", "unet", "bert_base")
ARCHS = ("edge_int8", "quad_edge")
STREAM = {"layers": 12_700_000, "fused": 7_740_000}
"""Cycles of ResNet-18 that Stream publishes for its TPU-like quad core: layer by layer, and fused."""


def cpu_seconds() -> float:
    """Return the processor time of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def line(network: str, arch: str, execution: str, tensors: str, settings: list[str]) -> str:
    """Return one line of the table."""
    began = cpu_seconds()
    try:
        made = simulate_network(network, arch, execution=execution, tensors=tensors, overrides=settings)
    except TilewrightError as error:
        return f"{network:14} {arch:10} {execution:7} {tensors:5} {str(error).splitlines()[0]}"
    after, before = made.result.totals, made.baseline.totals
    moved, unmoved = (t.dram_read_bytes + t.dram_write_bytes for t in (after, before))
    plan = made.result.placement
    proof = "" if "bound" not in plan else "proven" if plan["proven_optimal"] else "open"
    return (
        f"{network:14} {arch:10} {execution:7} {tensors:5} {before.cycles:>12,} {after.cycles:>12,} "
        f"{100 * (after.cycles / before.cycles - 1):>+7.1f} % {unmoved / 1e6:>8.1f} {moved / 1e6:>8.1f} "
        f"{before.energy_pj / 1e9:>8.2f} {after.energy_pj / 1e9:>8.2f} {proof:7} {cpu_seconds() - began:>7.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--arch", nargs="*", default=ARCHS)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--stream", action="store_true")
    arguments = parser.parse_args()
    print(
        f"{'network':14} {'machine':10} {'how':7} {'plan':5} {'baseline cyc':>12} {'cycles':>12} {'change':>9} "
        f"{'MB base':>8} {'MB':>8} {'mJ base':>8} {'mJ':>8} {'plan':7} {'CPU s':>7}",
        flush=True,
    )
    for network in arguments.networks:
        for arch in arguments.arch:
            runs = [("layers", "ilp"), ("fused", "none")]
            if arch != "edge_int8":
                runs.insert(1, ("split", "ilp"))
            for execution, tensors in runs:
                print(line(network, arch, execution, tensors, arguments.set), flush=True)
    if arguments.stream:
        ours = {}
        for execution in ("layers", "fused"):
            made = simulate_network("resnet18", "quad_tpu", execution=execution, tensors="none")
            ours[execution] = made.result.totals.cycles
        for execution, theirs in STREAM.items():
            print(f"ResNet-18, {execution}: Stream {theirs:,}, ours {ours[execution]:,}")
        print(
            f"layer by layer / fused: Stream {STREAM['layers'] / STREAM['fused']:.2f}, "
            f"ours {ours['layers'] / ours['fused']:.2f}"
        )


if __name__ == "__main__":
    main()
