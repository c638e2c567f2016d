"""``tilewright sweep SPEC``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, note, say


@click.command("sweep")
@click.argument("spec_path", metavar="SPEC", type=click.Path(path_type=Path))
@click.option("--jobs", "-j", type=click.IntRange(1, 256), default=None, help="Worker processes (default: the cores).")
@click.option("--resume", is_flag=True, help="Accepted for clarity: the same command always resumes.")
@click.option("--parquet", is_flag=True, help="Also write results.parquet.")
@common
def command(
    spec_path: Path,
    jobs: int | None,
    resume: bool,
    parquet: bool,
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Run the grid of SPEC; the same command resumes where a killed one stopped.

    Exit code 0 when every point was answered (infeasible is an answer), 2 when one was refused, 70 when one failed.

    Writes store.sqlite, results.csv and pareto.png into the output directory (default: SPEC without its suffix).
    Points are simulated deterministically, so --seed has nothing to draw here.
    """
    import os

    from tilewright.sweeps.executor import LocalExecutor
    from tilewright.sweeps.names import check_names
    from tilewright.sweeps.run import run_sweep, table, write_csv, write_parquet
    from tilewright.sweeps.spec import read_spec
    from tilewright.sweeps.store import SqliteStore
    from workloads.errors import InputError

    spec = read_spec(spec_path)
    check_names(spec, str(spec_path))
    folder = output if output is not None else spec_path.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output '{folder}': is a file, a directory is needed; name another with -o")
    if resume and not (folder / "store.sqlite").exists():
        raise InputError(
            f"--resume: no store in '{folder}'; leave --resume out to start, or name the directory with -o"
        )
    folder.mkdir(parents=True, exist_ok=True)
    tty = sys.stderr.isatty() and not as_json

    def progress(done: int, count: int) -> None:
        if tty:
            sys.stderr.write(f"\r{done}/{count} points")
            if done == count:
                sys.stderr.write("\n")

    with SqliteStore(folder / "store.sqlite") as store:
        outcome = run_sweep(spec, store, LocalExecutor(jobs or os.cpu_count() or 1), progress)
    write_csv(spec, outcome, folder / "results.csv")
    if parquet:
        _require_pyarrow()
        write_parquet(spec, outcome, folder / "results.parquet")
    from tilewright.plots import pareto

    plotted = pareto(spec, outcome, folder / "pareto.png")
    header, rows = table(spec, outcome)
    for reason in outcome.refused:
        note(f"error: {reason}")
    if as_json:
        emit_json(
            {
                "schema": "tilewright.sweep/1",
                "simulated": outcome.simulated,
                "reused": outcome.reused,
                "points": [dict(zip(header, row, strict=True)) for row in rows],
            }
        )
        return outcome.exit_code
    _print_table(header, rows)
    say(f"{outcome.simulated} points simulated, {outcome.reused} taken from the store; results in {folder}")
    if not plotted:
        note("no point succeeded: pareto.png not written")
    return outcome.exit_code


def _require_pyarrow() -> None:
    from importlib.util import find_spec

    from workloads.errors import InputError

    if find_spec("pyarrow") is None:
        raise InputError("--parquet: pyarrow is not installed; run: pip install 'tilewright[frame]'")


def _print_table(header: list[str], rows: list[list[object]]) -> None:
    """Print the axes that vary and the headline metrics."""
    from tilewright.cli.tables import PlainTable

    names = ("cycles", "energy_pj", "dram_bytes", "utilisation")
    inputs = header[: header.index("status")]
    varying = [name for name in inputs if len({str(row[header.index(name)]) for row in rows}) > 1] or ["workload"]
    shown = PlainTable((*varying, "status", *(f">{name}" for name in names), "pareto"))
    for row in rows:
        cells = [str(row[header.index(name)]) for name in varying]
        cells.append(str(row[header.index("status")]))
        for name in names:
            value = row[header.index(name)]
            cells.append("" if value is None else f"{value:,.0f}" if name != "utilisation" else f"{value:.3f}")
        cells.append("*" if row[header.index("pareto")] else "")
        shown.row(*cells)
    shown.print()
