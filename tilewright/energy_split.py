"""Energy of a saved result by operand: what inputs, weights and outputs cost at each memory level."""

from __future__ import annotations

from typing import Any

OPERANDS = ("input", "weight", "output")
FIXED = {"mac": "arithmetic", "vector": "arithmetic"}


def operand_of(layer: dict[str, Any], tensor: str) -> str:
    """Return the role of `tensor` in `layer`: weights lie in the weight scratchpad, outputs are summed or written."""
    traffic = layer["traffic_bytes"]
    if tensor in traffic.get("weight", {}):
        return "weight"
    written = traffic.get("dram", {}).get(tensor, {}).get("write", 0)
    return "output" if tensor in traffic.get("accumulator", {}) or written else "input"


def energy_by_operand(result: dict[str, Any]) -> list[dict[str, float]]:
    """Return, per layer, pJ by operand and for the arithmetic; each layer sums to its energy.

    The energy of a level is split by the bytes of its tensors, reads and writes weighed with the level's own energies
    where the result states them. What no tensor moved (such as DRAM background energy) is ``other``.
    """
    per_byte = result["manifest"].get("machine", {}).get("energy_pj_per_byte", {})
    rows = []
    for layer in result["layers"]:
        row = dict.fromkeys((*OPERANDS, "arithmetic", "other"), 0.0)
        for level, energy in layer["energy_pj"].items():
            flows = layer["traffic_bytes"].get(level, {})
            read, write = per_byte.get(level, (1.0, 1.0))
            weights = {name: flow["read"] * read + flow["write"] * write for name, flow in flows.items()}
            whole = sum(weights.values())
            if level in FIXED:
                row[FIXED[level]] += energy
            elif not whole:
                row["other"] += energy
            else:
                for name, weight in weights.items():
                    row[operand_of(layer, name)] += energy * weight / whole
        rows.append(row)
    return rows
