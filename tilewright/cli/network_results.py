"""What ``explain`` and ``compare`` say of networks on clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tilewright.cli.options import emit_json, save_json, say
from tilewright.network_metrics import explain_facts, fact_lines
from tilewright.network_results import REMEDIES, merged_rows, network_differences, network_parts


def explain(result: dict[str, Any], name: str | None, as_json: bool, output: Path | None) -> int:
    """Print where the core cycles of a run, a core or an operator went; return the exit code."""
    parts = network_parts(result, name)
    cycles, bounds, cores = result["totals"]["cycles"], result["bounds"], result["cores"]
    stalls = [cause for cause in parts if cause != "compute" and parts[cause]]
    facts = explain_facts(result, name)
    data = {
        "schema": "tilewright.network_explain/1",
        "name": name,
        "cycles": cycles,
        "core_cycles": sum(parts.values()),
        "parts": parts,
        "cores": {core["name"]: network_parts(result, core["name"]) for core in cores},
        "bounds": bounds,
        "baseline_cycles": result["baseline"]["totals"]["cycles"],
        "remedy": REMEDIES.get(stalls[0]) if stalls else None,
        **facts,
    }
    save_json(output, "explain.json", data)
    if as_json:
        emit_json(data)
        return 0
    total = sum(parts.values())
    what = name or result["manifest"]["workload"]
    say(f"{what}: {total:,} core cycles in a run of {cycles:,} cycles on {len(cores)} cores")
    for cause, count in parts.items():
        say(f"  {cause:<14}{count:>16,}  {count / total if total else 0:7.1%}")
    for line in fact_lines(facts):
        say(line)
    if name is None:
        for core in cores:
            stalled = sum(core["stall_cycles"].values())
            say(
                f"  {core['name']}: busy {core['busy_cycles'] / cycles:.1%}, stalled {stalled / cycles:.1%}, "
                f"utilisation {core['utilisation']:.1%}"
            )
        longest = max(merged_rows(result["operators"]), key=lambda row: (row["compute_cycles"], row["name"]))
        say(f"most work: {longest['name']}, {longest['compute_cycles']:,} cycles on {'+'.join(longest['cores'])}")
        tight = max((key for key in bounds if key != "lower_bound_cycles"), key=lambda key: (bounds[key], key))
        bound = bounds["lower_bound_cycles"]
        say(f"lower bound of this program: {bound:,} cycles ({bound / cycles:.1%} of the run), from {tight}")
    if stalls:
        say(f"largest loss: {stalls[0]}; {REMEDIES.get(stalls[0], 'no single remedy known')}")
    return 0


def compare(before: dict[str, Any], after: dict[str, Any], as_json: bool, output: Path | None) -> int:
    """Print which operators moved from one run to another, and why; return the exit code."""
    rows = network_differences(before, after)
    keys = ("cycles", "energy_pj", "dram_read_bytes", "dram_write_bytes", "peak_scratchpad_bytes")
    totals = {key: [before["totals"][key], after["totals"][key]] for key in keys}
    data = {"schema": "tilewright.network_compare/1", "totals": totals, "operators": rows}
    save_json(output, "compare.json", data)
    if as_json:
        emit_json(data)
        return 0
    from tilewright.cli.tables import PlainTable

    table = PlainTable(
        ("operator", ">core cycles A", ">core cycles B", ">change", "main cause", ">DRAM bytes", "cores")
    )
    for row in rows:
        counts = (row["core_cycles_before"], row["core_cycles_after"])
        if row["change_core_cycles"] or row["dram_bytes_change"] or row["cores_changed"] or None in counts:
            table.row(
                row["name"],
                *("-" if count is None else f"{count:,}" for count in counts),
                f"{row['change_core_cycles']:+,}",
                f"{row['main_cause']} {row['cause_change_cycles']:+,}" if row["main_cause"] else "",
                f"{row['dram_bytes_change']:+,}",
                "changed" if row["cores_changed"] else "",
            )
    table.print()
    for key, (old, new) in totals.items():
        say(f"{key}: {old:,} -> {new:,} ({(new - old) / old if old else 0:+.2%})")
    return 0
