"""``tilewright rtl CORE``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, say, set_option


@click.command("rtl")
@click.argument("core")
@click.option("--rows", type=int, default=None, help="PEs per column (default: 4, of a machine its own).")
@click.option("--cols", type=int, default=None, help="PEs per row (default: 4, of a machine its own).")
@click.option("--depth", type=int, default=None, help="Result vectors the accumulator memory holds (default: 256).")
@set_option
@common
def command(
    core: str,
    rows: int | None,
    cols: int | None,
    depth: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Write the SystemVerilog of CORE with a file list (default directory: the core's name).

    CORE may be a machine (preset or description, changed by --set): each of its cores goes into a directory of the
    core's name.
    """
    from rtl.emit import write
    from tilewright.cores import core_params, cores_of_machine, is_core
    from workloads.errors import InputError

    if overrides and is_core(core):
        raise InputError(
            f"core '{core}': --set {overrides[0]} overrides the description of a machine and a core has none; use "
            f"--rows, --cols, --depth, or a machine"
        )
    folder = output if output is not None else Path(Path(core).stem)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output '{folder}': is a file, a directory is needed; name another with -o")
    written: list[tuple[object, Path]]
    if is_core(core):
        written = [(core_params(core, rows, cols, depth), folder)]
    else:
        if (rows, cols, depth) != (None, None, None):
            raise InputError(f"machine '{core}': its size is its own; leave out --rows, --cols and --depth")
        written = [(params, folder / params.name) for params in cores_of_machine(core, overrides)]
    files = [str(path) for params, place in written for path in write(params, place)]
    if as_json:
        emit_json({"schema": "tilewright.files/1", "files": files})
    else:
        say("\n".join(files))
    return 0
