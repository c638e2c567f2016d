"""Does the plan that the closed forms prove best also win in the event model, beside its runners-up?

Run: ``python benchmarks/closed_form_vs_event.py [--most 8] [--arch edge_int8 ...] [--workload resnet18 ...]``.
Every different convolution and matrix product of the networks is mapped alone (activations in DRAM); its best tilings
by the closed-form latency, one per tile combination, are lowered and simulated. Prints a line per layer where another
tiling is faster, and a table row per machine and network.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.given import GivenPlan
from mappers.plan import Plan, make_plan
from mappers.runners_up import best_mappings
from sim.machine import run_program
from workloads.builder import NetworkBuilder
from workloads.mac_layers import MacLayer
from workloads.network import Network
from workloads.zoo import load

LAYER = "layer"


def alone(layer: MacLayer) -> Network | None:
    """Return a network of `layer` alone; None for what is not an ordinary convolution or linear layer."""
    size = layer.dims
    if layer.transposed or layer.weight_is_activation or layer.spatial_rank not in (0, 2):
        return None
    b = NetworkBuilder("alone", "one layer of a network")
    if layer.spatial_rank == 0:
        x = b.input("x", (size.OX, size.C))
        return b.build(b.linear(x, size.K, name=LAYER)) if size.G == size.N == 1 else None
    x = b.input("x", (size.N, size.G * size.C, *layer.input_spatial[1:]))
    y = b.conv(
        x,
        size.G * size.K,
        (size.FY, size.FX),
        stride=layer.strides[1:],
        padding=layer.padding[1:],
        dilation=layer.dilations[1:],
        groups=size.G,
        name=LAYER,
    )
    return b.build(y)


def compare(plan: Plan, accelerator: Accelerator, most: int) -> list[tuple[float, int]]:
    """Return (closed-form value, simulated cycles) of the best tilings of a network of one layer, best first."""
    part = plan.groups[0].parts[0]
    core = accelerator.core.name
    found = []
    for value, mapping in best_mappings(part.problem, accelerator, "latency", most, LAYER, core):
        own = make_plan(plan.network, accelerator, given=GivenPlan({LAYER: (replace(mapping, core=core),)}, {}))
        found.append((value, run_program(own.program, accelerator).cycles))
    if found[0][0] != part.found.certificate.value:
        raise SystemExit(f"search and ranking differ: {part.found.certificate.value} and {found[0][0]}")
    return found


def study(arch: str, workload: str, most: int) -> str:
    """Return the table row of one machine and network."""
    accelerator, start = load_accelerator(arch), time.process_time()
    seen: dict[str, None] = {}
    ties = wins = 0
    losses, shares = [], []
    for layer in load(workload).layers:
        network = alone(layer) if isinstance(layer, MacLayer) else None
        if network is None or repr(network) in seen:
            continue
        seen[repr(network)] = None
        plan = make_plan(network, accelerator, keep_on_chip=False)
        ranked = compare(plan, accelerator, most)
        first, least = ranked[0][1], min(cycles for _, cycles in ranked)
        shares.append(ranked[0][0] / first)
        wins += first == least
        ties += first == least and sum(cycles == least for _, cycles in ranked) > 1
        if first > least:
            losses.append(first / least - 1)
            print(f"  {arch} {layer.name}: {first:,} cycles, best of {len(ranked)} {least:,} ({losses[-1]:.2%})")
    losses.sort()
    median = losses[len(losses) // 2] if losses else 0.0
    return (
        f"| `{arch}`, {workload} | {len(seen)} | {wins} ({ties}) | {median:.2%} | {max(losses, default=0.0):.2%} | "
        f"{min(shares):.3f} to {max(shares):.3f} | {time.process_time() - start:.0f} |"
    )


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=8)
    parser.add_argument("--arch", nargs="+", default=["edge_int8", "gemmini_16x16"])
    parser.add_argument("--workload", nargs="+", default=["resnet18", "mobilenet_v2"])
    given = parser.parse_args()
    rows = [study(arch, workload, given.most) for arch in given.arch for workload in given.workload]
    print(
        "| machine, network | layers | best wins (ties) | median loss | largest loss | closed form / cycles | CPU s |"
    )
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
