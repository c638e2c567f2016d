"""Tensor placement of 10 human-designed and 4 searched networks at M_R, M_H and M_P, beside the classic policies.

Prints the Markdown tables of docs/placement.md, CPU seconds and medians; every plan has been replayed.
Run: python benchmarks/placement_table.py [--rows FILE] [NETWORK ...]
     python benchmarks/placement_table.py --from FILE ... prints rows measured before
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
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
TIME_LIMIT_S = 240.0


@dataclass(frozen=True)
class Row:
    """One cell of the table."""

    network: str
    parameters: bool
    operators: int
    sizes: dict[str, int]
    size: str
    scratchpad_bytes: int
    objective_bytes: int
    bound_bytes: int
    baselines: dict[str, int | None]
    cpu_seconds: float
    peak_memory_mib: int
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


def rows_of(name: str, parameters: bool, time_limit_s: float) -> Iterator[Row]:
    """Yield the rows of one network."""
    graph = network_graph(load(name, **{**HUMAN, **SEARCHED}[name]), parameters=parameters)
    sizes = scratchpad_sizes(graph, Budget(time_limit_s))
    for label, capacity in (
        ("M_R", sizes.widest_operator_bytes),
        ("M_H", sizes.middle_bytes),
        ("M_P", sizes.least_peak_bytes),
    ):
        answer = place_tensors(graph, capacity, time_limit_s=time_limit_s)
        usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        yield Row(
            name,
            parameters,
            len(graph.operators),
            asdict(sizes),
            label,
            capacity,
            answer.objective_bytes,
            answer.lower_bound_bytes,
            baselines(graph, capacity),
            answer.cpu_seconds,
            sum(usage) // 1024,
            answer.stopped,
            answer.method,
        )


def saved(row: Row, baseline: str) -> str:
    """Return the reduction against a baseline, in per cent."""
    if baseline not in row.baselines:
        return "not run"
    other = row.baselines[baseline]
    if other is None:
        return "fails"
    return "tie at 0" if not other else f"{100 * (1 - row.objective_bytes / other):.1f}"


def main() -> None:
    """Measure, or print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=Path, help="append each row to this file as it is measured")
    arguments.add_argument("--from", dest="files", type=Path, nargs="+", help="print the tables of these files of rows")
    arguments.add_argument("networks", nargs="*", help="all without")
    arguments.add_argument("--time-limit", type=float, default=TIME_LIMIT_S, help="seconds of wall time per row")
    given = arguments.parse_args()
    rows: list[Row] = []
    for path in given.files or ():
        rows += [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    if not given.files:
        for name in given.networks or [*HUMAN, *SEARCHED]:
            for parameters in (False, True):
                for row in rows_of(name, parameters, given.time_limit):
                    rows.append(row)
                    if given.rows:
                        with given.rows.open("a", encoding="utf-8") as stream:
                            stream.write(json.dumps(asdict(row)) + "\n")
    place = {name: i for i, name in enumerate((*HUMAN, *SEARCHED))}
    rows.sort(key=lambda row: (place[row.network], row.parameters, ("M_R", "M_H", "M_P").index(row.size)))
    show(rows)


def show(rows: list[Row]) -> None:
    """Print the tables."""
    keys = [f"{p} {o}" for o in ("default", "min-peak") for p in POLICIES]
    print("| network | with | operators | M_R | M_H | M_P (bound) | contiguous at M_P | listed order |")
    print("|---" * 8 + "|")
    for row in rows:
        if row.size == "M_R":
            sizes = ScratchpadSizes(**row.sizes)
            low = sizes.least_peak_bound_bytes
            proof = "" if low == sizes.least_peak_bytes else f" (>= {low:,})"
            print(
                f"| {row.network} | {with_(row)} | {row.operators} | {sizes.widest_operator_bytes:,} "
                f"| {sizes.middle_bytes:,} | {sizes.least_peak_bytes:,}{proof} "
                f"| {sizes.contiguous_peak_bytes:,} | {sizes.listed_peak_bytes:,} |"
            )
    print("\n| network | with | at | bytes | bound | gap % | CPU s | " + " | ".join(keys) + " |")
    print("|---" * (7 + len(keys)) + "|")
    for row in rows:
        gap = 0.0 if not row.objective_bytes else 100 * (1 - row.bound_bytes / row.objective_bytes)
        cells = " | ".join(saved(row, key) for key in keys)
        print(
            f"| {row.network} | {with_(row)} | {row.size} | {row.objective_bytes:,} | {row.bound_bytes:,} | {gap:.1f} "
            f"| {row.cpu_seconds:.2f} | {cells} |"
        )
    print()
    for label, group in (("human-designed", HUMAN), ("searched", SEARCHED)):
        for parameters in (False, True):
            own = [r for r in rows if r.network in group and r.parameters == parameters]
            if own:
                summary(label, parameters, own, keys)
    print(f"* Peak memory of the process and its largest solver child: {max(r.peak_memory_mib for r in rows)} MiB.")
    for row in rows:
        if row.stopped:
            print(f"* Stopped by the {row.stopped}: {row.network}, {with_(row)}, {row.size} ({row.method}).")


def with_(row: Row) -> str:
    """Return what takes part, in a word."""
    return "parameters" if row.parameters else "activations"


def summary(label: str, parameters: bool, rows: list[Row], keys: list[str]) -> None:
    """Print median seconds and mean reductions of one family."""
    seconds = [r.cpu_seconds for r in rows]
    exact = sum(r.objective_bytes == r.bound_bytes for r in rows)
    print(
        f"* {label}, {with_(rows[0])}: median {statistics.median(seconds):.2f} CPU s, most {max(seconds):.2f}; "
        f"{exact} of {len(rows)} proven optimal."
    )
    at_least = [r for r in rows if r.size == "M_R"]
    for key in keys:
        pairs = [(r.objective_bytes, r.baselines[key]) for r in at_least if key in r.baselines]
        cuts = [100 * (1 - mine / other) for mine, other in pairs if other]
        fails = sum(other is None for _, other in pairs)
        ties = sum(other == 0 for _, other in pairs)
        if cuts:
            print(f"  * at M_R against {key}: mean reduction {statistics.mean(cuts):.1f} % over {len(cuts)} networks, "
                  f"{fails} failed, {ties} tie at 0")  # fmt: skip


if __name__ == "__main__":
    main()
