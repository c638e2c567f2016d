"""The figures of a machine as plain data, for its hash: no prose, independent of how its file was written."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

_LATER = ("operand_buffers", "output_buffers", "engines", "descriptor_cycles", "arbitration", "own_latency_cycles")
"""Keys that came after the first hashes; at their default they are left out, so that old machines keep theirs."""


def figures_of(value: Any) -> Any:
    """Return `value`, a part of a machine, as what JSON holds: fractions as text, parts as their figures by name."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if is_dataclass(value) and not isinstance(value, type):
        stated = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in ("energy_source", "source")}
        later = {f.name for f in fields(value) if f.name in _LATER and getattr(value, f.name) == f.default}
        return {key: figures_of(item) for key, item in stated.items() if item is not None and key not in later}
    return [figures_of(item) for item in value] if isinstance(value, tuple) else value
