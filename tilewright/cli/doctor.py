"""``tilewright doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from tilewright.cli.options import common, emit_json, save_json, say


@click.command("doctor")
@common
def command(as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """Say what is installed, which features that enables, and the exact next command."""
    from tilewright.doctor import diagnose, render_text, to_json

    report = diagnose()
    save_json(output, "doctor.json", to_json(report))
    if as_json:
        emit_json(to_json(report))
    else:
        say(render_text(report))
    return report.exit_code
