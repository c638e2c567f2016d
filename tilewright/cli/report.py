"""``tilewright report RESULT``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, say


@click.command("report")
@click.argument("result_path", metavar="RESULT", type=click.Path(path_type=Path))
@common
def command(result_path: Path, as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """Write a single-file HTML report, plots and a layer table of a saved RESULT (default: beside it)."""
    from tilewright import network_report, report
    from tilewright.results import SCHEMA, read_any_result

    result = read_any_result(result_path)
    write = report.write if result["schema"] == SCHEMA else network_report.write
    folder = output or (result_path if result_path.is_dir() else result_path.with_suffix(""))
    written = [str(path) for path in write(result, folder)]
    if as_json:
        emit_json({"schema": "tilewright.files/1", "files": written})
    else:
        say("\n".join(written))
    return 0
