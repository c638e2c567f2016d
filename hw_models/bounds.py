"""Bounds that the parts of a description share."""

from __future__ import annotations

from workloads.errors import InputError

MAX_LATENCY_CYCLES = 1 << 20
MAX_BYTES_PER_CYCLE = 1 << 20
"""Beyond these bounds a description is a slip of the pen, and products of counts leave 64 bits."""


def check_positive(subject: str, **values: int) -> None:
    """Raise `InputError` naming the first value below one."""
    for key, value in values.items():
        if value < 1:
            raise InputError(f"{subject}: {key} is {value}, bound is >= 1; give a positive integer")
