"""``tilewright list workloads|archs|formats|cores``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tilewright.cli.options import common, emit_json, save_json, say

KINDS = ("workloads", "archs", "formats", "cores", "devices")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--schema", is_flag=True, help="With archs: print the JSON Schema of the description.")
@common
def command(kind: str, schema: bool, as_json: bool, output: Path | None, seed: int, debug: bool) -> int:
    """List one catalogue: a line and the source of each entry."""
    from workloads.errors import InputError

    if schema:
        if kind != "archs":
            raise InputError(f"--schema goes with 'archs', not '{kind}'; run: tilewright list archs --schema")
        from hw_models.description import description_schema

        say(json.dumps(description_schema(), indent=2, sort_keys=True))
        return 0
    if kind == "devices":
        raise InputError("list devices: FPGA devices come with the synthesis verb, which is not there yet; list cores")
    rows = catalogue(kind)
    data = {"schema": "tilewright.list/1", "kind": kind, "entries": rows}
    save_json(output, f"{kind}.json", data)
    if as_json:
        emit_json(data)
        return 0
    from tilewright.cli.tables import PlainTable

    table = PlainTable(("name", "what it is", "source"))
    for row in rows:
        table.row(row["name"], row["summary"], row["source"])
    table.print()
    return 0


def catalogue(kind: str) -> list[dict[str, Any]]:
    """Return the entries of a catalogue as dictionaries with name, summary and source."""
    if kind == "workloads":
        from workloads.zoo import list_workloads

        return [
            {"name": row.name, "summary": row.summary, "source": row.source, "parameters": list(row.parameters)}
            for row in list_workloads()
        ]
    if kind == "archs":
        from hw_models.cluster_description import list_clusters
        from hw_models.description import list_accelerators

        alone = [{"name": row.name, "summary": row.summary, "source": row.source} for row in list_accelerators()]
        return alone + [{"name": name, "summary": line, "source": source} for name, line, source in list_clusters()]
    if kind == "formats":
        return _formats()
    from tilewright.cores import list_cores

    return [{"name": row.name, "summary": row.summary, "source": row.source} for row in list_cores()]


def _formats() -> list[dict[str, Any]]:
    from workloads.formats import parse_format

    rows = []
    for pattern, example, source in (
        ("intN", "int8", "two's complement, N = 1..64"),
        ("uintN", "uint8", "unsigned binary, N = 1..64"),
        ("fixedN.F", "fixed16.8", "two's complement code times 2^-F"),
        ("ufixedN.F", "ufixed8.4", "unsigned code times 2^-F"),
        ("float16", "float16", "IEEE 754-2019 binary16"),
        ("bfloat16", "bfloat16", "binary32 exponent, 7 stored mantissa bits"),
        ("float32", "float32", "IEEE 754-2019 binary32"),
    ):
        fmt = parse_format(example)
        summary = f"e.g. {example}: {fmt.bits} bits, {fmt.min} .. {fmt.max}"
        rows.append({"name": pattern, "summary": summary, "source": source})
    return rows
