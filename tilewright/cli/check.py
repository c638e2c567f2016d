"""``tilewright check MODEL``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import arch_options, common, dim_options, emit_json, note, save_json, say


@click.command("check")
@click.argument("model")
@click.option("--nodes/--no-nodes", default=True, help="Print every node, or the shares alone.")
@arch_options
@dim_options
@common
def command(
    model: str,
    nodes: bool,
    arch: str,
    overrides: tuple[str, ...],
    dims: tuple[str, ...],
    as_json: bool,
    output: Path | None,
    seed: int,
    debug: bool,
) -> int:
    """Name each node of MODEL (an ONNX file or a built-in) as mapped, vector unit, host, folded or refused.

    Exit code 0 when everything can be simulated, 2 when a node is refused.
    """
    from tilewright.api import check
    from tilewright.cli.options import parse_dims
    from tilewright.cli.tables import PlainTable
    from workloads.onnx_import import PLACEMENTS

    report = check(model, arch=arch, overrides=overrides, dims=parse_dims(dims))
    save_json(output, "check.json", report.to_json())
    if as_json:
        emit_json(report.to_json())
    else:
        if nodes:
            table = PlainTable(("node", "op", "runs on", ">MACs", ">bytes", "why"))
            for row in report.nodes:
                table.row(row.name, row.op, row.placement, f"{row.macs:,}", f"{row.bytes:,}", row.reason)
            table.print()
        for placement in PLACEMENTS:
            nodes_share, macs_share, bytes_share = (
                report.share(placement, what) for what in ("nodes", "macs", "bytes")
            )
            if nodes_share:
                say(
                    f"{placement:<12} {nodes_share:7.2%} of nodes  "
                    f"{macs_share:7.2%} of MACs  {bytes_share:7.2%} of bytes"
                )
        for line in report.notes:
            say(f"note: {line}")
    if report.problem:
        note(f"error: {report.problem}")
    return 0 if report.supported else 2
