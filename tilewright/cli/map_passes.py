"""``tilewright map`` on a row-stationary machine: which filters, images and rows a pass takes, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tilewright.cli.options import emit_json, save_json, say
from workloads.errors import InputError

SCHEMA = "tilewright.passes/1"
ORDER = "memory bytes, then buffer bytes, then cycles"


def map_in_passes(
    workload: str,
    arch: str,
    objective: str,
    overrides: Sequence[str],
    dims: Mapping[str, int],
    commands: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Print, or write, the mapping of every layer into passes; the search is exhaustive, its order is `ORDER`.

    Raises
    ------
    InputError
        If an option is for machines with folds.
    """
    from tilewright.api import simulate

    if commands is not None:
        raise InputError(f"map on '{arch}': runs in passes, which are no command list; leave out --commands")
    if objective != "latency":
        raise InputError(
            f"map on '{arch}': objective is '{objective}', the search of passes has one order ({ORDER}); leave it out"
        )
    result = simulate(workload, arch, fidelity="analytic", dims=dims, overrides=overrides).to_json()
    rows = [_row(layer) for layer in result["layers"] if layer["mapping"] is not None]
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "workload": workload,
        "arch": arch,
        "overrides": list(overrides),
        "dims": dict(dims),
        "order": ORDER,
        "layers": rows,
    }
    save_json(output, "plan.json", data)
    if as_json:
        emit_json(data)
        return 0
    for row in rows:
        m = row["mapping"]
        say(
            f"{row['layer']}: {m['dataflow']}, {row['dram_bytes']:,} DRAM bytes, at least {row['cycles']:,} cycles, "
            f"{'optimal' if row['proven_optimal'] else 'not proven'} ({ORDER})"
        )
        say(
            f"  a pass: {m['filters']} filters, {m['images']} images, {m['rows']} output rows; a PE: {m['pe_filters']} "
            f"filters, {m['pe_channels']} channels; sets side by side: {m['set_channels']} in channels, "
            f"{m['set_filters']} in filters; {m['active_pes']} PEs work"
        )
    return 0


def _row(layer: dict[str, Any]) -> dict[str, Any]:
    moved = layer["traffic_bytes"]["dram"].values()
    return {
        "layer": layer["name"],
        "dims": layer["dims"],
        "macs": layer["macs"],
        "mapping": layer["mapping"],
        "dram_bytes": sum(flow["read"] + flow["write"] for flow in moved),
        "cycles": layer["analytic_cycles"],
        "proven_optimal": layer["proven_optimal"],
    }
