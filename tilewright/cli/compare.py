"""``tilewright compare A B``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, save_json, say
from workloads.errors import InputError


@click.command("compare")
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@common
def command(first: Path, second: Path, as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """Show which layers moved from result A to result B, and why."""
    from tilewright.results import SCHEMA, differences, read_any_result

    before, after = read_any_result(first), read_any_result(second)
    if before["schema"] != after["schema"]:
        one, other = (first, second) if before["schema"] == SCHEMA else (second, first)
        raise InputError(
            f"compare: '{one}' is of a single core and '{other}' of a network on a cluster; for a pair that can be "
            "compared simulate both with --execution layers"
        )
    if before["schema"] != SCHEMA:
        from tilewright.cli.network_results import compare

        return compare(before, after, as_json, output)
    rows = differences(before, after)
    totals = {
        key: [before["totals"][key], after["totals"][key]]
        for key in ("cycles", "energy_pj", "dram_read_bytes", "dram_write_bytes")
    }
    data = {"schema": "tilewright.compare/1", "totals": totals, "layers": rows}
    save_json(output, "compare.json", data)
    if as_json:
        emit_json(data)
        return 0
    from tilewright.cli.tables import PlainTable

    table = PlainTable(("layer", ">cycles A", ">cycles B", ">change", "main cause", "mapping"))
    for row in rows:
        if row["change_cycles"] or row["mapping_changed"] or None in (row["cycles_before"], row["cycles_after"]):
            table.row(
                row["name"],
                *("-" if row[key] is None else f"{row[key]:,}" for key in ("cycles_before", "cycles_after")),
                f"{row['change_cycles']:+,}",
                f"{row['main_cause']} {row['cause_change_cycles']:+,}" if row["main_cause"] else "",
                "changed" if row["mapping_changed"] else "",
            )
    table.print()
    for key, (old, new) in totals.items():
        say(f"{key}: {old:,} -> {new:,} ({(new - old) / old if old else 0:+.2%})")
    return 0
