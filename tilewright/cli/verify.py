"""``tilewright verify CORE``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, save_json, say


@click.command("verify")
@click.argument("core")
@click.option("--rows", type=int, default=None, help="PEs per column (default: 4, of a machine its own).")
@click.option("--cols", type=int, default=None, help="PEs per row (default: 4, of a machine its own).")
@click.option(
    "--jobs", type=click.IntRange(4, 2000), default=12, show_default=True, help="Random jobs beside the layer."
)
@click.option("--simulator", default="icarus", show_default=True, help="icarus or verilator.")
@common
def command(
    core: str,
    rows: int | None,
    cols: int | None,
    jobs: int,
    simulator: str,
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Run the generated RTL of CORE under cocotb: values against the golden model, cycles against the event model.

    CORE may be a machine (preset or description): its cores are verified at their own size (32 x 32 takes a minute).

    Exit code 0 when both agree exactly, 4 on any difference. The RTL is built from the sources as they are now.
    """
    from tilewright.cores import cores_of_machine, is_core
    from tilewright.verification import VerifyReport, verify_core, verify_params
    from workloads.errors import InputError

    if is_core(core):
        height, width = (4 if value is None else value for value in (rows, cols))
        report = verify_core(core, height, width, seed, simulator, jobs)
    else:
        if (rows, cols) != (None, None):
            raise InputError(f"machine '{core}': its size is its own; leave out --rows and --cols")
        parts = [verify_params(params, seed, simulator, jobs) for params in cores_of_machine(core)]
        report = VerifyReport(tuple(row for part in parts for row in part.rows))
    save_json(output, "verify.json", report.to_json())
    if as_json:
        emit_json(report.to_json())
        return 0 if report.ok else 4
    from tilewright.cli.tables import PlainTable

    numbers = ("vectors", "value errors", "predicted cycles", "RTL cycles", "difference")
    table = PlainTable(("core", "size", "run", *(f">{name}" for name in numbers)))
    for row in report.rows:
        table.row(
            row.core, row.params, row.run, f"{row.vectors:,}", f"{row.value_errors:,}", f"{row.predicted_cycles:,}",
            f"{row.rtl_cycles:,}", f"{row.cycle_difference:+,}" if row.cycle_difference else "0",
        )  # fmt: skip
    table.print()
    say("values and cycles agree exactly" if report.ok else "MISMATCH: the RTL and the models disagree")
    return 0 if report.ok else 4
