"""``tilewright verify CORE``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, note, save_json, say, set_option

JOBS = {"quick": 12, "nightly": 400}


@click.command("verify")
@click.argument("core", required=False)
@click.option("--all", "every", is_flag=True, help="Verify every core of `tilewright list cores`.")
@click.option("--quick", "depth", flag_value="quick", default="quick", help="12 random jobs per core (default).")
@click.option("--nightly", "depth", flag_value="nightly", help="400 random jobs per core.")
@click.option("--rows", type=int, default=None, help="PEs per column (default: 4, of a machine its own).")
@click.option("--cols", type=int, default=None, help="PEs per row (default: 4, of a machine its own).")
@click.option("--jobs", type=click.IntRange(4, 2000), default=None, help="Random jobs per core, instead of a profile.")
@click.option("--simulator", default="icarus", show_default=True, help="icarus or verilator.")
@set_option
@common
def command(
    core: str | None,
    every: bool,
    depth: str,
    rows: int | None,
    cols: int | None,
    jobs: int | None,
    simulator: str,
    overrides: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Run the generated RTL of CORE under cocotb: values against the golden model, cycles against the models of time.

    CORE may be a machine (preset or description, changed by --set): its cores are verified at their own size (32 x 32
    takes a minute). It may be a command list (.json of `map --commands`): the layer engine and the event model run it.

    Exit code 0 when both agree exactly, 4 on any difference. The RTL is built from the sources as they are now. The
    smallest work found that a core gets wrong is left in mismatch_CORE (in -o DIR or here), to run with Icarus.
    """
    from tilewright.cores import cores_of_machine, is_core
    from tilewright.verification import VerifyReport, verify_all, verify_core, verify_core_of
    from workloads.errors import InputError

    place = output if output is not None and output.is_dir() else Path()
    count = jobs if jobs is not None else JOBS[depth]
    if every == (core is not None):
        raise InputError("verify: name one core or machine, or give --all")
    if overrides and (core is None or is_core(core) or Path(core).suffix == ".json"):
        raise InputError(
            f"verify: --set {overrides[0]} overrides the description of a machine, and "
            f"{'--all verifies the list' if core is None else repr(core) + ' is none'}; name a machine"
        )
    if core is not None and Path(core).suffix == ".json":
        from tilewright.command_list import verify_commands

        report = verify_commands(Path(core), seed, simulator, place)
    elif core is not None and is_core(core):
        report = verify_core(core, rows, cols, seed, simulator, count, place)
    else:
        if (rows, cols) != (None, None):
            raise InputError("verify: a machine has its own size, and --all the list's; leave out --rows and --cols")
        machine = () if core is None else cores_of_machine(core, overrides)
        parts = [verify_core_of(params, seed, simulator, count, place) for params in machine]
        for part in verify_all(seed, simulator, count, place) if core is None else ():
            note(f"{part.rows[0].core}: {'agrees' if part.ok else 'MISMATCH'}")
            parts.append(part)
        report = VerifyReport(tuple(row for part in parts for row in part.rows))
    save_json(output, "verify.json", report.to_json())
    for core_name in dict.fromkeys(row.core for row in report.rows):
        if (place / f"mismatch_{core_name}").exists() and not report.ok:
            note(f"smallest case found: {place / f'mismatch_{core_name}'} (run: sh run.sh)")
    if as_json:
        emit_json(report.to_json())
        return 0 if report.ok else 4
    from tilewright.cli.tables import PlainTable

    numbers = ("vectors", "value errors", "predicted cycles", "RTL cycles", "difference")
    table = PlainTable(("core", "size", "run", *(f">{name}" for name in numbers)))
    for row in report.rows:
        timed = (row.predicted_cycles, row.rtl_cycles, row.cycle_difference)
        cells = ("" if value is None else f"{value:,}" for value in timed)
        table.row(row.core, row.params, row.run, f"{row.vectors:,}", f"{row.value_errors:,}", *cells)
    table.print()
    say("values and cycles agree exactly" if report.ok else "MISMATCH: the RTL and the models disagree")
    return 0 if report.ok else 4
