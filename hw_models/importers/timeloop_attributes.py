"""Attributes of a Timeloop component and the ways to write loop factors."""

from __future__ import annotations

import re

from workloads.importers.cursor import Cursor

_ALIASES = {
    "memory_depth": "depth",
    "entries": "depth",
    "memory_width": "width",
    "word-bits": "datawidth",
    "word_bits": "datawidth",
    "block-size": "block_size",
    "multiple-buffering": "multiple_buffering",
}
_KNOWN = ("depth", "width", "datawidth", "block_size", "read_bandwidth", "write_bandwidth", "multiple_buffering")
_NEUTRAL = {"cluster_size": 1, "min_utilization": 0, "allow_overbooking": False, "reduction_supported": True}
ESTIMATOR_ONLY = (
    "technology", "global_cycle_seconds", "latency", "n_banks", "n_ports", "n_rdwr_ports", "n_rd_ports", "n_wr_ports",
    "num_ports", "has_power_gating", "power_gated_at", "version", "num-ports", "type", "cluster-size", "datatype",
)  # fmt: skip
MAX_WORDS = 1 << 50


def factors_of(cursor: Cursor) -> dict[str, int]:
    """Return factors given as ``[R=3, P=16]``, ``R=3,P=16``, ``R3 P16`` or a mapping; 0 means what remains."""
    if isinstance(cursor.value, dict):
        return {key: entry.integer(0, MAX_WORDS, "factor") for key, entry in cursor.entries().items()}
    parts: list[str] = []
    if isinstance(cursor.value, str):
        parts = re.split(r"[,\s]+", cursor.value.strip())
    else:
        parts = [str(item.value) for item in cursor.items()]
    found: dict[str, int] = {}
    for part in filter(None, parts):
        match = re.fullmatch(r"([A-Za-z_]\w*?)\s*=\s*(\d+)|([A-Za-z_]+)(\d+)", part)
        if match is None:
            cursor.fail(f"has the factor '{part}'", "supported: R=3 (whole factors without a remainder)")
            continue
        dim, factor = (match[1], match[2]) if match[1] else (match[3], match[4])
        if dim in found:
            cursor.fail(f"gives {dim} twice", "give each dimension once")
        found[dim] = int(factor)
    return found


def attributes_of(cursor: Cursor | None) -> dict[str, Cursor]:
    """Return the attributes under `cursor` by their v0.4 names; unknown ones are refused."""
    if cursor is None or cursor.value is None:
        return {}
    known = (*_KNOWN, *_ALIASES, *_NEUTRAL, *ESTIMATOR_ONLY, "meshX", "meshY")
    fields: dict[str, Cursor] = {}
    for key, entry in cursor.fields((), known).items():
        name = _ALIASES.get(key, key)
        if name in fields:
            entry.fail(f"is {name} under another name", "give it once")
        fields[name] = entry
    for key, neutral in _NEUTRAL.items():
        if key in fields and fields[key].value != neutral:
            fields[key].fail(f"is {fields[key].value}", f"supported: {neutral}")
    return fields
