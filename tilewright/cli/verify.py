"""``tilewright verify CORE``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, say


@click.command("verify")
@click.argument("core")
@click.option("--rows", type=int, default=4, show_default=True, help="PEs per column.")
@click.option("--cols", type=int, default=4, show_default=True, help="PEs per row.")
@click.option(
    "--jobs", type=click.IntRange(4, 2000), default=12, show_default=True, help="Random jobs beside the layer."
)
@click.option("--simulator", default="icarus", show_default=True, help="icarus or verilator.")
@common
def command(
    core: str,
    rows: int,
    cols: int,
    jobs: int,
    simulator: str,
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Run the generated RTL of CORE under cocotb: values against the golden model, cycles against the event model.

    Exit code 0 when both agree exactly, 4 on any difference. The RTL is built from the sources as they are now.
    """
    import json

    from tilewright.cli.sim import check_targets
    from tilewright.cores import core_row
    from tilewright.verify import verify_core

    core_row(core)
    check_targets(None, None, output)
    report = verify_core(core, rows=rows, cols=cols, seed=seed, simulator=simulator, jobs=jobs)
    if output is not None:
        output.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit_json(report.to_json())
        return 0 if report.ok else 4
    from rich.console import Console
    from rich.table import Table

    table = Table("core", "size", "run", "vectors", "value errors", "predicted cycles", "RTL cycles", "difference")
    for row in report.rows:
        table.add_row(
            row.core, row.params, row.run, f"{row.vectors:,}", f"{row.value_errors:,}", f"{row.predicted_cycles:,}",
            f"{row.rtl_cycles:,}", f"{row.cycle_difference:+,}" if row.cycle_difference else "0",
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    say("values and cycles agree exactly" if report.ok else "MISMATCH: the RTL and the models disagree")
    return 0 if report.ok else 4
