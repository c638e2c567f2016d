"""``tilewright rtl CORE``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, say


@click.command("rtl")
@click.argument("core")
@click.option("--rows", type=int, default=4, show_default=True, help="PEs per column.")
@click.option("--cols", type=int, default=4, show_default=True, help="PEs per row.")
@click.option("--depth", type=int, default=256, show_default=True, help="Result vectors the accumulator memory holds.")
@common
def command(
    core: str, rows: int, cols: int, depth: int, as_json: bool, output: Path | None, seed: int, debug: bool
) -> int:
    """Write the SystemVerilog of CORE with a file list (default directory: the core's name)."""
    from rtl.emit import write
    from tilewright.cores import core_params
    from workloads.errors import InputError

    params = core_params(core, rows, cols, depth)
    folder = output if output is not None else Path(core)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output '{folder}': is a file, a directory is needed; name another with -o")
    files = [str(path) for path in write(params, folder)]
    if as_json:
        emit_json({"schema": "tilewright.files/1", "files": files})
    else:
        say("\n".join(files))
    return 0
