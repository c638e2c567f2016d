"""SCALE-Sim inputs: a topology CSV on a .cfg machine, counted by that tool's convention."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tilewright import __version__
from tilewright.cli.options import emit_json, note, say
from tilewright.sources import existing_file
from workloads.errors import InputError


def run_scalesim(workload: str, arch: str, fidelity: str, as_json: bool, output: Path | None) -> int:
    """Count every layer of a topology; see hw_models.scalesim for the convention."""
    from hw_models.scalesim import read_cfg, report_notes, scalesim_report
    from workloads.scalesim_csv import read_topology

    if not workload.lower().endswith(".csv"):
        raise InputError(f"workload '{workload}': a .cfg machine takes a SCALE-Sim topology; give a .csv file")
    if not arch.lower().endswith(".cfg"):
        raise InputError(
            f"workload '{workload}': a layer table runs on a SCALE-Sim machine; "
            "give --arch FILE.cfg --fidelity analytic"
        )
    if fidelity != "analytic":
        raise InputError(
            f"machine '{arch}': fidelity '{fidelity}' is not defined for a .cfg machine; use --fidelity analytic"
        )
    config = read_cfg(existing_file(arch, "machine"))
    topology = read_topology(existing_file(workload, "workload"))
    rows = scalesim_report(config, topology)
    notes = report_notes(config, topology)
    data = {
        "schema": "tilewright.scalesim/1",
        "manifest": {"tilewright_version": __version__, "workload": workload, "arch": arch, "fidelity": "analytic"},
        "totals": {
            "compute_cycles": sum(row["compute_cycles"] for row in rows),
            "macs": sum(row["macs"] for row in rows),
        },
        "layers": rows,
        "notes": list(notes),
        "not_modelled": ["stalls and DRAM traffic: the convention counts an array whose memories never stall"],
    }
    for line in notes:
        note(f"note: {line}")
    if output is not None:
        output.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if as_json:
        emit_json(data)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "M", "K", "N", "folds", "cycles per fold", "compute cycles", "mapping efficiency")
    for row in rows:
        table.add_row(
            row["name"],
            *(f"{row[key]:,}" for key in ("m", "k", "n", "folds", "cycles_per_fold", "compute_cycles")),
            f"{row['mapping_efficiency']:.2%}",
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    say(f"compute cycles {data['totals']['compute_cycles']:,}, MACs {data['totals']['macs']:,}")  # type: ignore[index]
    return 0
