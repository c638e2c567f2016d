"""Saved results: reading them back with their schema checked, and what they say."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from tilewright.network_results import SCHEMA as NETWORK_SCHEMA
from tilewright.network_results import check_network_result
from workloads.errors import InputError

SCHEMA = "tilewright.result/1"
MAX_BYTES = 512 * 2**20
KEYS = ("manifest", "totals", "bounds", "layers", "placement", "checks", "not_modelled")

REMEDIES = {
    "dram_read": "raise dram.bandwidth or enlarge the scratchpads so that less is read twice",
    "dram_write": "raise dram.bandwidth, or let outputs stay on chip (larger input scratchpad)",
    "dram_latency": "lower dram.latency or allow more outstanding requests",
    "fill_drain": "use larger tiles or a smaller array: folds are short against rows + columns",
    "vector": "add vector lanes",
    "dependency": "pipeline the layers: one waits for the other's output",
    "bank_conflict": "choose another layout (banks.layout: auto), more banks or ports (docs/scratchpads.md)",
    "host": "lower dma.host.interval, raise its depth, or use larger tiles: fewer commands",
    "issue": "use larger tiles: commands are short against their issue time",
}


def read_result(path: Path) -> dict[str, Any]:
    """Read a result file of one core, or the result.json of a report directory; errors as `read_any_result`."""
    value = read_any_result(path)
    if value["schema"] != SCHEMA:
        raise InputError(
            f"result '{path}': is of a network on a cluster (schema {value['schema']}), one of a single core is needed "
            f"(schema {SCHEMA}); name one"
        )
    return value


def read_any_result(path: Path) -> dict[str, Any]:
    """Read a result file of one core or of a cluster, or the result.json of a report directory.

    Raises
    ------
    InputError
        If the file is missing, too large, not JSON, or of another schema.
    """
    if path.is_dir():
        path = path / "result.json"
    if not path.is_file():
        raise InputError(f"result '{path}': no such file; write one with: tilewright sim WORKLOAD --report DIR")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"result '{path}': {path.stat().st_size} bytes, bound is {MAX_BYTES}; this is no result file")
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"result '{path}': not JSON ({error}); name the file that --json or --report wrote") from error
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema == NETWORK_SCHEMA:
        check_network_result(path, value)
        return dict(value)
    if schema != SCHEMA:
        raise InputError(f"result '{path}': schema is {schema!r}, expected '{SCHEMA}'; name a simulation result")
    missing = [key for key in KEYS if key not in value]
    if missing:
        raise InputError(f"result '{path}': lacks {', '.join(missing)}; the file is incomplete, simulate again")
    _check(path, value)
    return dict(value)


def _check(path: Path, value: dict[str, Any]) -> None:
    """Refuse a result whose keys have other types than it was written with, or whose parts do not sum."""
    from pydantic import TypeAdapter, ValidationError

    from sim.result import Result

    try:
        result = TypeAdapter(Result).validate_json(json.dumps(value), strict=True)
        machine = result.manifest["machine"]
        texts = [result.manifest[key] for key in ("workload", "arch", "objective", "fidelity", "redo")]
        facts = [float(machine[key]) for key in ("peak_macs_per_cycle", "dram_bytes_per_cycle")]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"result '{path}': {where or 'content'}: {first['msg']}; simulate again") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"result '{path}': manifest is incomplete ({error}); simulate again") from None
    wrong = [
        layer.name
        for layer in result.layers
        if layer.compute_cycles + sum(layer.stall_cycles.values()) != layer.cycles
        or min(layer.cycles, layer.compute_cycles, *layer.stall_cycles.values(), layer.macs) < 0
    ]
    if wrong:
        raise InputError(f"result '{path}': the cycles of layer '{wrong[0]}' are not its parts; the file was changed")
    if sum(layer.cycles for layer in result.layers) != result.totals.cycles or not result.layers:
        raise InputError(f"result '{path}': the layers do not sum to totals.cycles; the file was changed")
    if min(facts) <= 0 or not all(isinstance(text, str) for text in texts):
        raise InputError(f"result '{path}': manifest has values that no simulation writes; simulate again")
    flows = [flow for layer in result.layers for level in layer.traffic_bytes.values() for flow in level.values()]
    if any(set(flow) != {"read", "write"} for flow in flows):
        raise InputError(f"result '{path}': traffic_bytes lacks read or write; simulate again")


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def find_layer(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the layer called `name`; name the nearest one when there is none."""
    for layer in result["layers"]:
        if layer["name"] == name:
            return dict(layer)
    names = [layer["name"] for layer in result["layers"]]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"the first is '{names[0]}'" if names else "the result has none"
    raise InputError(f"layer '{name}': not in this result; {hint}")


def split(result: dict[str, Any], layer: str | None) -> dict[str, int]:
    """Return the cycles of a layer (or of all) by what took them, largest first; the parts sum to the cycles."""
    layers = [find_layer(result, layer)] if layer else result["layers"]
    parts: dict[str, int] = {"compute": 0}
    for item in layers:
        parts["compute"] += item["compute_cycles"]
        for cause, count in item["stall_cycles"].items():
            parts[cause] = parts.get(cause, 0) + count
    return dict(sorted(parts.items(), key=lambda pair: (-pair[1], pair[0])))


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row per layer of either result: cycles in both, the change, and the cause that moved most."""
    before = {layer["name"]: layer for layer in first["layers"]}
    after = {layer["name"]: layer for layer in second["layers"]}
    rows = []
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        old_parts = _parts(old)
        new_parts = _parts(new)
        moved = {key: new_parts.get(key, 0) - old_parts.get(key, 0) for key in sorted({*old_parts, *new_parts})}
        cause = max(moved, key=lambda key: abs(moved[key])) if any(moved.values()) else ""
        remapped = bool(old and new and old["mapping"] != new["mapping"])
        rows.append(
            {
                "name": name,
                "cycles_before": old["cycles"] if old else None,
                "cycles_after": new["cycles"] if new else None,
                "change_cycles": sum(moved.values()),
                "main_cause": cause,
                "cause_change_cycles": moved.get(cause, 0),
                "mapping_changed": remapped,
            }
        )
    return rows


def _parts(layer: dict[str, Any] | None) -> dict[str, int]:
    return {"compute": layer["compute_cycles"], **layer["stall_cycles"]} if layer else {}
