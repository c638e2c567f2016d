"""``tilewright check MODEL``."""

from __future__ import annotations

import click

from tilewright.cli.options import arch_options, common, dim_options, emit_json, say


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
    output: object,
    seed: int,
    debug: bool,
) -> int:
    """Name each node of MODEL (an ONNX file or a built-in) as mapped, vector unit, host, folded or refused.

    Exit code 0 when everything can be simulated, 2 when a node is refused.
    """
    from tilewright.api import check
    from tilewright.cli.options import parse_dims

    report = check(model, arch=arch, overrides=overrides, dims=parse_dims(dims))
    if as_json:
        emit_json(report.to_json())
    else:
        from rich.console import Console
        from rich.table import Table

        if nodes:
            table = Table("node", "op", "runs on", "MACs", "bytes", "why")
            for row in report.nodes:
                table.add_row(row.name, row.op, row.placement, f"{row.macs:,}", f"{row.bytes:,}", row.reason)
            Console().print(table)
        for placement, share in report.shares().items():
            say(
                f"{placement:<14}{share.nodes:>6} nodes  "
                f"{share.macs_share:7.2%} of MACs  {share.bytes_share:7.2%} of bytes"
            )
        for line in report.notes:
            say(f"note: {line}")
    return report.exit_code
