"""What a saved result of a cluster says of its operators: energy, utilisation, place under the roofs."""

from __future__ import annotations

from typing import Any


def operator_energies(result: dict[str, Any], key: str) -> dict[str, dict[str, float]]:
    """Return, per operator, pJ on its cores by component (`key` ``energy_pj``) or operand (``operand_pj``)."""
    rows: dict[str, dict[str, float]] = {}
    for part in result["operators"]:
        own = rows.setdefault(part["name"], {})
        for name, pj in part.get(key, {}).items():
            own[name] = own.get(name, 0.0) + pj
    return rows


def roofline_points(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return, per operator with MACs, its places under the roofs of DRAM and of a core's port.

    ``dram`` counts the bytes that cross the channel while it runs, over the time from its first start to its last end
    and under the peak of all arrays; ``port`` what its cores move to and from the shared scratchpad, per part: over
    active cycles, under the peak of the core. None where nothing moves. ``bound`` is the lower roof at that place.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in result["operators"]:
        if part["macs"]:
            rows.setdefault(part["name"], []).append(part)
    return [{"name": name, **_place(result, parts)} for name, parts in rows.items()]


def _place(result: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    machine = result["manifest"]["machine"]
    macs = sum(part["array_macs"] for part in parts)
    channel = sum(part["dram_read_bytes"] + part["dram_write_bytes"] for part in parts)
    ahead = {id(part): part["active_cycles"] - part["compute_cycles"] for part in parts}
    time = max(part["end_cycle"] for part in parts) - min(part["start_cycle"] - ahead[id(part)] for part in parts)
    port = sum(
        flow["read"] + flow["write"]
        for part in parts
        for flow in part.get("traffic_bytes", {}).get("port", {}).values()
    )
    busy = sum(part["active_cycles"] for part in parts)
    peaks = machine["core_macs_per_cycle"]
    core = max(peaks[part["core"]] for part in parts)
    return {
        "dram": _point(macs, channel, time, machine["peak_macs_per_cycle"], machine["dram_bytes_per_cycle"]),
        "port": _point(macs, port, busy, core, machine["port_bytes_per_cycle"]),
    }


def _point(macs: int, moved: int, cycles: int, peak: float, rate: float) -> dict[str, Any] | None:
    if not moved or not cycles:
        return None
    reach = rate * macs / moved
    return {
        "macs_per_byte": macs / moved,
        "macs_per_cycle": macs / cycles,
        "roof_macs_per_cycle": min(peak, reach),
        "bound": "arithmetic" if peak <= reach else "bytes",
    }


def shares(parts: dict[str, float], most: int = 6) -> str:
    """Return `parts` as text, the largest first, with their share of the sum."""
    whole = sum(parts.values())
    ordered = sorted(((pj, name) for name, pj in parts.items() if pj), key=lambda pair: (-pair[0], pair[1]))
    return ", ".join(f"{name} {pj / whole:.1%}" for pj, name in ordered[:most]) if whole else "none"


def explain_facts(result: dict[str, Any], name: str | None) -> dict[str, Any]:
    """Return utilisation, energy and place under the roofs of a run, a core or an operator."""
    cores = {core["name"]: core for core in result["cores"]}
    if name is None:
        utilisation = result["totals"]["utilisation"]
        energies = {key: result[key] for key in ("component_pj", "operand_pj")}
        return {"utilisation": utilisation, **energies, "roofline": None, "pe_macs": None}
    if name in cores:
        core = cores[name]
        regions = core["pe_regions"]
        energies = {"component_pj": core["energy_pj"], "operand_pj": core["operand_pj"]}
        blocks = None if regions is None else regions["macs"]
        return {"utilisation": core["utilisation"], **energies, "roofline": None, "pe_macs": blocks}
    parts = [part for part in result["operators"] if part["name"] == name]
    slots = sum(part["active_cycles"] * cores[part["core"]]["multipliers"] for part in parts)
    macs = sum(part["array_macs"] for part in parts)
    place = next((point for point in roofline_points(result) if point["name"] == name), None)
    return {
        "utilisation": macs / slots if slots else 0.0,
        "component_pj": operator_energies(result, "energy_pj")[name],
        "operand_pj": operator_energies(result, "operand_pj")[name],
        "roofline": None if place is None else {level: place[level] for level in ("dram", "port")},
        "pe_macs": _blocks(parts),
    }


def _blocks(parts: list[dict[str, Any]]) -> list[list[int]] | None:
    """Return the MACs of each block of PEs over the parts of an operator, if they have the same blocks."""
    blocks = [part["pe_macs"] for part in parts]
    if any(own is None for own in blocks) or len({(len(own), len(own[0])) for own in blocks}) != 1:
        return None
    return [[sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*blocks, strict=True)]


def fact_lines(facts: dict[str, Any]) -> list[str]:
    """Return `explain_facts` as lines for the terminal."""
    lines = [f"utilisation {facts['utilisation']:.1%} of the multipliers over that time"]
    if any(facts["component_pj"].values()):
        lines.append(f"energy by component: {shares(facts['component_pj'])}")
        lines.append(f"energy by operand: {shares(facts['operand_pj'])}")
    if facts["pe_macs"] is not None and any(map(sum, facts["pe_macs"])):
        flat = [macs for line in facts["pe_macs"] for macs in line]
        lines.append(f"blocks of PEs: the idlest has {min(flat) / max(flat):.1%} of the MACs of the busiest")
    for level, place in (facts["roofline"] or {}).items():
        if place is not None:
            lines.append(
                f"roofline of {'DRAM' if level == 'dram' else 'the port'}: {place['macs_per_byte']:,.1f} MACs per "
                f"byte, {place['macs_per_cycle']:,.1f} of {place['roof_macs_per_cycle']:,.1f} MACs per cycle, "
                f"bound by {place['bound']}"
            )
    return lines
