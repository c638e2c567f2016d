"""Saved results of networks on clusters, schema ``tilewright.network/1``: checked on reading, and what they say.

Cores work side by side, so cycles are counted per core: of every core, busy, idle and stalled cycles sum to the run.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from workloads.errors import InputError

SCHEMA = "tilewright.network/1"
KEYS = (
    "manifest", "totals", "bounds", "energy_pj", "operators", "cores", "placement", "occupancy", "checks",
    "not_modelled", "baseline", "over_time", "component_pj", "operand_pj",
)  # fmt: skip
REMEDIES = {
    "operand": "cores wait for each other's results: balance the stages, split operators over cores, or add items",
    "fetch": "first arrivals of inputs and weights: raise dram.bandwidth, or shared.capacity so that they come earlier",
    "retrieve": "tensors come back from DRAM: raise shared.capacity or dram.bandwidth",
    "spill": "tensors leave for DRAM: raise shared.capacity or dram.bandwidth",
    "output": "results leave for DRAM: raise dram.bandwidth",
    "stream in": "operands without a place on chip stream: raise dram.bandwidth or shared.capacity",
    "stream out": "results without a place on chip stream: raise dram.bandwidth or shared.capacity",
    "fill_drain": "folds are short against rows + columns: use larger tiles, a smaller array or another dataflow",
    "vector": "add vector lanes to the cores",
    "port_read": "operands come slower than the array takes them: raise shared.port or enlarge the cores' scratchpads",
    "port_write": "results leave slower than they are made: raise shared.port",
    "port_latency": "lower shared.latency or allow more outstanding requests",
    "dependency": "tiles of one operator wait for each other: use more buffers or larger tiles",
    "bank_conflict": "choose another layout (banks.layout: auto), more banks or ports (docs/scratchpads.md)",
    "host": "lower dma.host.interval, raise its depth, or use larger tiles: fewer commands",
    "issue": "use larger tiles: commands are short against their issue time",
    "idle": "cores without work at the end: use --execution split or fused, or fewer cores",
}


def check_network_result(path: Path, value: dict[str, Any]) -> None:
    """Refuse a network result whose keys have other types than it was written with, or whose parts do not sum.

    Raises
    ------
    InputError
        With the place of the first mistake.
    """
    from pydantic import TypeAdapter, ValidationError

    from sim.network.over_time import NetworkOverTime
    from sim.network.result import NetworkTotals
    from sim.network.rows import CoreRow, OperatorRow
    from sim.result import Check

    missing = [key for key in KEYS if key not in value]
    if missing:
        raise InputError(f"result '{path}': lacks {', '.join(missing)}; the file is incomplete, simulate again")
    manifest, base = value["manifest"], value["baseline"]
    parts: tuple[tuple[str, Any, Any], ...] = (
        ("totals", NetworkTotals, value["totals"]),
        ("operators", list[OperatorRow], value["operators"]),
        ("cores", list[CoreRow], value["cores"]),
        ("bounds", dict[str, int], value["bounds"]),
        ("energy_pj", dict[str, float], value["energy_pj"]),
        ("checks", list[Check], value["checks"]),
        ("not_modelled", list[str], value["not_modelled"]),
        ("occupancy", list[tuple[int, int]], value["occupancy"]),
        ("over_time", NetworkOverTime, value["over_time"]),
        ("component_pj", dict[str, float], value["component_pj"]),
        ("operand_pj", dict[str, float], value["operand_pj"]),
        ("manifest", dict[str, Any], manifest),
        ("placement", dict[str, Any], value["placement"]),
        ("baseline.totals", NetworkTotals, base.get("totals") if isinstance(base, dict) else None),
    )
    for where, kind, item in parts:
        try:
            TypeAdapter(kind).validate_json(json.dumps(item), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join([where, *(str(part) for part in first["loc"])])
            raise InputError(f"result '{path}': {place}: {first['msg']}; simulate again") from None
    try:
        texts = [manifest[key] for key in ("workload", "arch", "objective", "execution", "redo", "tilewright_version")]
        capacity = manifest["machine"]["shared_capacity_bytes"]
        bound = value["bounds"]["lower_bound_cycles"]
    except (KeyError, TypeError) as error:
        raise InputError(f"result '{path}': manifest or bounds lack {error}; simulate again") from None
    cycles = value["totals"]["cycles"]
    counts = [capacity, value["manifest"].get("items", 1), cycles]
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int and n > 0 for n in counts):
        raise InputError(f"result '{path}': manifest has values that no simulation writes; simulate again")
    for core in value["cores"]:
        if core["busy_cycles"] + core["idle_cycles"] + sum(core["stall_cycles"].values()) != cycles:
            raise InputError(
                f"result '{path}': the cycles of core '{core['name']}' are not its parts; the file was changed"
            )
        inside = core.get("inside_cycles") or {"compute": core["busy_cycles"]}
        if sum(inside.values()) != core["busy_cycles"]:
            raise InputError(
                f"result '{path}': the work of core '{core['name']}' is not its parts; the file was changed"
            )
    names = {core["name"] for core in value["cores"]}
    if not names or not value["operators"] or not {row["core"] for row in value["operators"]} <= names:
        raise InputError(f"result '{path}': operators and cores do not match; the file was changed")
    if cycles < bound:
        raise InputError(f"result '{path}': {cycles} cycles are below the bound of {bound}; the file was changed")


def merged_rows(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per operator, its parts and stripes added up."""
    rows: dict[str, dict[str, Any]] = {}
    for part in operators:
        row = rows.setdefault(
            part["name"],
            {
                "name": part["name"],
                "cores": [],
                "macs": 0,
                "parts": 0,
                "start_cycle": part["start_cycle"],
                "end_cycle": 0,
                "compute_cycles": 0,
                "dram_bytes": 0,
                "stall_cycles": {},
                "inside_cycles": {},
            },
        )
        if part["core"] not in row["cores"]:
            row["cores"].append(part["core"])
        row["macs"] += part["macs"]
        row["parts"] += 1
        row["start_cycle"] = min(row["start_cycle"], part["start_cycle"])
        row["end_cycle"] = max(row["end_cycle"], part["end_cycle"])
        row["compute_cycles"] += part["compute_cycles"]
        row["dram_bytes"] += part["dram_read_bytes"] + part["dram_write_bytes"]
        for key in ("stall_cycles", "inside_cycles"):
            for cause, cycles in part.get(key, {}).items():
                row[key][cause] = row[key].get(cause, 0) + cycles
    return list(rows.values())


def merged_causes(stalls: dict[str, int]) -> dict[str, int]:
    """Return `stalls` with the waits for the several cores as one cause."""
    merged: dict[str, int] = {}
    for cause, cycles in stalls.items():
        name = "operand" if cause.startswith("operand of ") else cause
        merged[name] = merged.get(name, 0) + cycles
    return merged


def network_parts(result: dict[str, Any], name: str | None) -> dict[str, int]:
    """Return core cycles by what took them, largest first.

    Parameters
    ----------
    name : str or None
        A core (parts sum to the cycles of the run), an operator (work and waits of all its parts), or None for all
        cores (parts sum to the cycles times the cores).
    """
    cores = {core["name"]: core for core in result["cores"]}
    parts: dict[str, int] = {"compute": 0}
    if name is None or name in cores:
        for core in [cores[name]] if name is not None else result["cores"]:
            _add(parts, core.get("inside_cycles") or {"compute": core["busy_cycles"]})
            for cause, cycles in {**merged_causes(core["stall_cycles"]), "idle": core["idle_cycles"]}.items():
                parts[cause] = parts.get(cause, 0) + cycles
    else:
        row = find_operator(result, name)
        parts |= _parts(row)
    return dict(sorted(parts.items(), key=lambda pair: (-pair[1], pair[0])))


def _add(parts: dict[str, int], more: dict[str, int]) -> None:
    for cause, cycles in more.items():
        parts[cause] = parts.get(cause, 0) + cycles


def find_operator(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the merged row of operator `name`; name the nearest operator or core when there is none."""
    rows = {row["name"]: row for row in merged_rows(result["operators"])}
    if name in rows:
        return rows[name]
    names = [*rows, *(core["name"] for core in result["cores"])]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"the first is '{names[0]}'"
    raise InputError(f"operator or core '{name}': not in this result; {hint}")


def network_differences(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row per operator of either result: its core cycles in both, the change, and the cause of most of it.

    Core cycles are the work and the waits of all parts of an operator; on several cores they overlap in time.
    """
    before, after = ({row["name"]: row for row in merged_rows(r["operators"])} for r in (first, second))
    rows = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        old_parts, new_parts = _parts(old), _parts(new)
        moved = {key: new_parts.get(key, 0) - old_parts.get(key, 0) for key in sorted({*old_parts, *new_parts})}
        cause = max(moved, key=lambda key: abs(moved[key])) if any(moved.values()) else ""
        rows.append(
            {
                "name": name,
                "core_cycles_before": sum(old_parts.values()) if old else None,
                "core_cycles_after": sum(new_parts.values()) if new else None,
                "change_core_cycles": sum(moved.values()),
                "main_cause": cause,
                "cause_change_cycles": moved.get(cause, 0),
                "dram_bytes_change": (new["dram_bytes"] if new else 0) - (old["dram_bytes"] if old else 0),
                "cores_changed": bool(old and new and old["cores"] != new["cores"]),
            }
        )
    return rows


def _parts(row: dict[str, Any] | None) -> dict[str, int]:
    """Return work, by cause where the commands were run, and waits of a merged row."""
    if row is None:
        return {}
    parts = {"compute": 0}
    _add(parts, row["inside_cycles"] or {"compute": row["compute_cycles"]})
    _add(parts, merged_causes(row["stall_cycles"]))
    return parts
