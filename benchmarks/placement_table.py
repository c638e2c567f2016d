"""Tensor placement of 10 human-designed and 4 searched networks at M_R, M_H and M_P, beside the classic policies.

Prints the Markdown tables of docs/placement.md, CPU seconds and medians; every plan has been replayed.
Run: python benchmarks/placement_table.py [NETWORK ...]
"""

from __future__ import annotations

import resource
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from mappers.placement import TensorGraph, network_graph, place_tensors
from mappers.placement.budget import Budget
from mappers.placement.min_peak import min_peak_order
from mappers.placement.plan import plan_of
from mappers.placement.policies import POLICIES
from mappers.placement.sizes import ScratchpadSizes, scratchpad_sizes
from workloads.errors import InfeasibleError
from workloads.zoo import load

HUMAN: dict[str, dict[str, Any]] = {
    "resnet50": {},
    "densenet121": {},
    "resnext50": {},
    "r2plus1d_18": {"image": 224},
    "s3d": {"image": 224},
    "fcn_resnet50": {"image": 224, "aux": False},
    "lraspp_mobilenet_v3_large": {"image": 224},
    "deeplabv3_resnet50": {"image": 224, "aux": False},
    "transformer_base": {},
    "vit_b_16": {},
}
SEARCHED: dict[str, dict[str, Any]] = {"darts": {}, "nasnet_large": {}, "amoebanet_d": {}, "pnasnet_large": {}}
TIME_LIMIT_S = 120.0


@dataclass(frozen=True)
class Row:
    """One cell of the table."""

    network: str
    parameters: bool
    size: str
    scratchpad_bytes: int
    objective_bytes: int
    bound_bytes: int
    baselines: dict[str, int | None]
    cpu_seconds: float
    stopped: str
    method: str


def baselines(graph: TensorGraph, capacity: int) -> dict[str, int | None]:
    """Return the traffic of every policy under both orders; None where fragmentation ends it."""
    found: dict[str, int | None] = {}
    for label, order in (("default", graph.topological), ("min-peak", min_peak_order(graph, Budget(60)).order)):
        for name, policy in POLICIES.items():
            try:
                plan = plan_of(graph, order, policy.place(graph, order, capacity), capacity)
                found[f"{name} {label}"] = plan.traffic_bytes(graph)
            except InfeasibleError:
                found[f"{name} {label}"] = None
    return found


def rows_of(name: str, settings: dict[str, Any], parameters: bool) -> tuple[ScratchpadSizes, int, list[Row]]:
    """Return sizes, operators and rows of one network."""
    graph = network_graph(load(name, **settings), parameters=parameters)
    sizes = scratchpad_sizes(graph, Budget(60))
    rows = []
    for label, capacity in (
        ("M_R", sizes.widest_operator_bytes),
        ("M_H", sizes.middle_bytes),
        ("M_P", sizes.least_peak_bytes),
    ):
        answer = place_tensors(graph, capacity, time_limit_s=TIME_LIMIT_S)
        others = baselines(graph, capacity)
        rows.append(
            Row(
                name,
                parameters,
                label,
                capacity,
                answer.objective_bytes,
                answer.lower_bound_bytes,
                others,
                answer.cpu_seconds,
                answer.stopped,
                answer.method,
            )
        )
    return sizes, len(graph.operators), rows


def saved(row: Row, baseline: str) -> str:
    """Return the reduction against a baseline, in per cent."""
    other = row.baselines[baseline]
    if other is None:
        return "fails"
    return "tie at 0" if not other else f"{100 * (1 - row.objective_bytes / other):.1f}"


def main() -> None:
    """Print the tables."""
    chosen = {**HUMAN, **SEARCHED}
    names = sys.argv[1:] or list(chosen)
    keys = [f"{p} {o}" for o in ("default", "min-peak") for p in POLICIES]
    rows: list[Row] = []
    print("| network | with | operators | M_R | M_P (bound) | contiguous at M_P | listed order |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        for parameters in (False, True):
            sizes, operators, own = rows_of(name, chosen[name], parameters)
            rows += own
            low = sizes.least_peak_bound_bytes
            proof = "" if low == sizes.least_peak_bytes else f" (>= {low:,})"
            with_ = "parameters" if parameters else "activations"
            print(
                f"| {name} | {with_} | {operators} | {sizes.widest_operator_bytes:,} "
                f"| {sizes.least_peak_bytes:,}{proof} | {sizes.contiguous_peak_bytes:,} | {sizes.listed_peak_bytes:,} |",
                flush=True,
            )
    print("\n| network | with | at | bytes | bound | gap % | CPU s | " + " | ".join(keys) + " |")
    print("|---" * (7 + len(keys)) + "|")
    for row in rows:
        gap = 0.0 if not row.objective_bytes else 100 * (1 - row.bound_bytes / row.objective_bytes)
        cells = " | ".join(saved(row, key) for key in keys)
        with_ = "parameters" if row.parameters else "activations"
        print(
            f"| {row.network} | {with_} | {row.size} | {row.objective_bytes:,} | {row.bound_bytes:,} | {gap:.1f} "
            f"| {row.cpu_seconds:.2f} | {cells} |"
        )
    print()
    for label, group in (("human-designed", HUMAN), ("searched", SEARCHED)):
        for parameters in (False, True):
            own = [r for r in rows if r.network in group and r.parameters == parameters]
            if own:
                summary(label, parameters, own, keys)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB, of a solver child "
          f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB")  # fmt: skip
    for row in rows:
        if row.stopped:
            print(f"stopped: {row.network} {row.size} parameters={row.parameters}: {row.stopped}, {row.method}")


def summary(label: str, parameters: bool, rows: list[Row], keys: list[str]) -> None:
    """Print median seconds and mean reductions of one family."""
    seconds = [r.cpu_seconds for r in rows]
    exact = sum(r.objective_bytes == r.bound_bytes for r in rows)
    with_ = "with parameters" if parameters else "activations"
    print(
        f"* {label}, {with_}: median {statistics.median(seconds):.2f} CPU s, most {max(seconds):.2f}; "
        f"{exact} of {len(rows)} proven optimal."
    )
    at_least = [r for r in rows if r.size == "M_R"]
    for key in keys:
        pairs = [(r.objective_bytes, r.baselines[key]) for r in at_least]
        cuts = [100 * (1 - mine / other) for mine, other in pairs if other]
        fails = sum(other is None for _, other in pairs)
        ties = sum(other == 0 for _, other in pairs)
        if cuts:
            print(f"  * at M_R against {key}: mean reduction {statistics.mean(cuts):.1f} % over {len(cuts)} networks, "
                  f"{fails} failed, {ties} tie at 0")  # fmt: skip


if __name__ == "__main__":
    main()
