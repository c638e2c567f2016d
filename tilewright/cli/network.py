"""The part of ``tilewright sim`` that runs networks on clusters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilewright.cli.options import emit_json, note, parse_dims, say

if TYPE_CHECKING:
    from tilewright.networks import NetworkSimulation


def wants_cluster(
    arch: str,
    execution: str | None,
    tensors: str | None,
    items: int,
    fifo_places: int | None = None,
    operators: str | None = None,
) -> bool:
    """Tell whether this call of ``sim`` is for a cluster."""
    from hw_models.cluster_description import is_cluster

    return any(v is not None for v in (execution, tensors, fifo_places, operators)) or items != 1 or is_cluster(arch)


def run_cluster(
    workload: str,
    arch: str,
    execution: str | None,
    items: int,
    fifo_places: int | None,
    tensors: str | None,
    operators: str | None,
    objective: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    trace: Path | None,
    report: Path | None,
) -> int:
    """Simulate a network on a cluster, print or write what came of it, and return the exit code."""
    from tilewright.networks import simulate_network
    from workloads.whole_file import write_whole

    made = simulate_network(
        workload,
        arch,
        execution=execution or "layers",
        tensors=tensors,
        objective=objective,
        dims=parse_dims(dims),
        overrides=overrides,
        items=items,
        fifo_places=fifo_places,
        operators=operators or "tiles",
    )
    data = made.to_json()
    if output is not None:
        import json

        write_whole(output, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    if trace is not None:
        from sim.network.trace import write_network_trace

        write_network_trace(made.result, trace)
    if as_json:
        emit_json(data)
    else:
        _print(made, data)
    if report is not None:
        from tilewright.network_plots import save_network_plots
        from tilewright.network_report import write

        for path in dict.fromkeys([*write(data, report), *save_network_plots(made.result, report)]):
            note(f"wrote {path}")
    return 0


def _print(made: NetworkSimulation, data: dict[str, Any]) -> None:
    """Print the table per operator and the totals beside those of the baseline."""
    from tilewright.cli.tables import PlainTable
    from tilewright.network_results import merged_rows

    manifest, totals, base = data["manifest"], data["totals"], data["baseline"]["totals"]
    table = PlainTable(
        ("operator", "cores", ">MACs", ">start", ">end", ">compute", ">stall", ">DRAM KiB", "main stall"),
        f"{manifest['workload']} on {manifest['arch']} "
        f"({manifest['execution']}, tensors: {data['placement']['policy']})",
    )
    for row in merged_rows(data["operators"]):
        stalls = row["stall_cycles"]
        table.row(
            row["name"] + (f" ({row['parts']})" if row["parts"] > 1 else ""),
            "+".join(row["cores"]),
            f"{row['macs']:,}" if row["macs"] else "",
            f"{row['start_cycle']:,}",
            f"{row['end_cycle']:,}",
            f"{row['compute_cycles']:,}",
            f"{sum(stalls.values()):,}",
            f"{row['dram_bytes'] / 1024:,.0f}",
            max(stalls, key=lambda cause: (stalls[cause], cause)) if stalls else "",
        )
    table.print()
    moved, before = (t["dram_read_bytes"] + t["dram_write_bytes"] for t in (totals, base))
    bounds = data["bounds"]
    items = manifest["items"]
    each = f", {totals['cycles'] / items:,.0f} per item" if items > 1 else ""
    one = " for one item" if items > 1 else ""
    say(
        f"cycles         {totals['cycles']:,}  ({totals['time_s'] * 1e3:,.3f} ms{each}); "
        f"baseline {base['cycles']:,}{one}"
    )
    say(
        f"lower bound    {bounds['lower_bound_cycles']:,}  (busiest core {bounds['core_cycles']:,}, "
        f"DRAM {bounds['dram_cycles']:,}, chain {bounds['chain_cycles']:,})"
    )
    say(f"MACs           {totals['macs']:,}  (utilisation of all arrays {totals['utilisation']:.1%})")
    say(f"energy         {totals['energy_pj'] / 1e9:,.3f} mJ; baseline {base['energy_pj'] / 1e9:,.3f} mJ")
    say(f"DRAM           {moved:,} B; baseline {before:,} B")
    say(f"scratchpad     {totals['peak_scratchpad_bytes']:,} of {made.cluster.shared.capacity_bytes:,} B at the peak")
    for core in data["cores"]:
        share = core["busy_cycles"] / totals["cycles"] if totals["cycles"] else 0.0
        say(f"core           {core['name']}: {share:.1%} busy, {core['idle_cycles']:,} cycles idle at the end")
    plan = data["placement"]
    if plan["policy"] == "pipeline":
        depths = plan["fifo_depths"]
        say(
            f"pipeline       {len(plan['stages'])} stages, interval {plan['interval_cycles']:,}, latency "
            f"{plan['latency_cycles']:,}, {plan['batch_cycles']:,} cycles without channel and capacity; "
            f"{sum(depths.values())} places in {len(depths)} FIFOs"
        )
    if plan.get("bound") is not None:
        proof = "optimal in its model" if plan["proven_optimal"] else "not proven optimal"
        say(f"plan           {plan['value']:,.0f} {plan['objective']}, bound {plan['bound']:,.0f}, {proof}")
    passed = sum(check["ok"] for check in data["checks"])
    say(
        f"checks         {passed} of {len(data['checks'])} passed; "
        f"{len(data['not_modelled'])} things not modelled (--json lists both)"
    )
