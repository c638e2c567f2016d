"""SCALE-Sim inputs: a topology CSV on a .cfg machine, counted by that tool's convention."""

from __future__ import annotations

import json
import shlex
from hashlib import sha256
from pathlib import Path

from tilewright import __version__
from tilewright.cli.options import emit_json, note, say
from tilewright.sources import existing_file
from workloads.errors import InputError
from workloads.whole_file import write_whole


def run_scalesim(workload: str, arch: str, fidelity: str, as_json: bool, output: Path | None, seed: int = 0) -> int:
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
    machine, table_file = existing_file(arch, "machine"), existing_file(workload, "workload")
    config, topology = read_cfg(machine), read_topology(table_file)
    rows = scalesim_report(config, topology)
    notes = report_notes(config, topology)
    data = {
        "schema": "tilewright.scalesim/1",
        "manifest": {
            "tilewright_version": __version__,
            "workload": workload,
            "workload_sha256": sha256(table_file.read_bytes()).hexdigest(),
            "arch": arch,
            "arch_sha256": sha256(machine.read_bytes()).hexdigest(),
            "fidelity": "analytic",
            "seed": seed,
            "redo": shlex.join(["tilewright", "sim", workload, "--arch", arch, "--fidelity", "analytic"]),
        },
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
        write_whole(output, json.dumps(data, indent=1) + "\n")
    if as_json:
        emit_json(data)
        return 0
    from tilewright.cli.tables import PlainTable

    table = PlainTable(
        ("layer", ">M", ">K", ">N", ">folds", ">cycles per fold", ">compute cycles", ">mapping efficiency")
    )
    for row in rows:
        table.row(
            row["name"],
            *(f"{row[key]:,}" for key in ("m", "k", "n", "folds", "cycles_per_fold", "compute_cycles")),
            f"{row['mapping_efficiency']:.2%}",
        )
    table.print()
    say(f"compute cycles {data['totals']['compute_cycles']:,}, MACs {data['totals']['macs']:,}")  # type: ignore[index]
    return 0
