"""``tilewright validate [NAME]...``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, save_json, say


@click.command("validate")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all-rows", is_flag=True, help="Print every row; without it, rows of one layer only where they fail.")
@common
def command(names: tuple[str, ...], all_rows: bool, as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """Compare published machines with this simulator: theirs, ours, error, tolerance, what is not modelled.

    NAME is one of systolic, nvdla, finn, hls4ml, eyeriss, dpu, sparse, dram, arrays; without one, all run. Rows marked
    `info` do not gate. With -o DIR the table is also written as validation.md and validation.json.

    Exit code 0 when every gating row is within its tolerance, else 4.
    """
    from tilewright.validation import run_cases, table
    from workloads.whole_file import write_whole

    results = run_cases(names)
    data = table.to_json(results)
    save_json(output, "validation.json", data)
    if output is not None and output.suffix != ".json":
        write_whole(output / "validation.md", table.markdown(results))
    if as_json:
        emit_json(data)
        return 0 if data["ok"] else 4
    from tilewright.cli.tables import PlainTable

    for name, rows in results.items():
        counts = table.summary(rows)
        shown = PlainTable(
            ("machine", "workload", "quantity", ">published", ">ours", ">error", ">tolerance", ""), title=name
        )
        hidden = 0
        for row in rows:
            if len(rows) > 60 and not all_rows and row.within and " res" in row.workload:
                hidden += 1
                continue
            shown.row(
                row.machine, row.workload, f"{row.quantity} ({row.unit})", table.published(row), table.number(row.ours),
                table.error(row), table.tolerance(row), row.verdict,
            )  # fmt: skip
        shown.print()
        if hidden:
            say(f"{hidden} rows of single layers within their tolerance are not shown (--all-rows shows them)")
        say(
            f"{name}: {counts['rows']} rows, {counts['gating']} gating, {counts['failed']} outside their tolerance, "
            f"largest gating error {counts['worst_error']:.2%}"
        )
    notes = dict.fromkeys(row.not_modelled for rows in results.values() for row in rows if row.not_modelled)
    say("not modelled:")
    for note in notes:
        say(f"  - {note}")
    return 0 if data["ok"] else 4
