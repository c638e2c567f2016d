"""The validation table as text: Markdown for the docs, plain numbers for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tilewright.validation.rows import Row


def number(value: float) -> str:
    """Return `value` with five significant digits, whole where it is whole."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.{max(0, 4 - len(str(int(abs(value)))) + 1)}f}"


def published(row: Row) -> str:
    """Return the published figure or range."""
    if row.published is not None:
        return number(row.published)
    assert row.low is not None
    assert row.high is not None
    return f"{number(row.low)} to {number(row.high)}"


def error(row: Row) -> str:
    """Return the relative error in percent."""
    return "-" if row.error is None else f"{row.error:+.2%}"


def tolerance(row: Row) -> str:
    """Return the tolerance: a percentage, ``exact``, or ``range``."""
    if row.low is not None:
        return "range"
    return "exact" if row.tolerance < 1e-5 else f"{100 * row.tolerance:g} %"


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return counts of `rows` and the worst gating error."""
    gating = [row for row in rows if row.gates]
    worst = max((abs(row.error or 0.0) for row in gating if row.error is not None), default=0.0)
    return {
        "rows": len(rows),
        "gating": len(gating),
        "failed": sum(not row.within for row in gating),
        "worst_error": worst,
    }


def to_json(results: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return all rows as plain data (schema ``tilewright.validation/1``)."""
    return {
        "schema": "tilewright.validation/1",
        "ok": all(summary(rows)["failed"] == 0 for rows in results.values()),
        "cases": {
            name: {"summary": summary(rows), "rows": [row.to_json() for row in rows]} for name, rows in results.items()
        },
    }


def markdown(results: Mapping[str, Sequence[Row]]) -> str:
    """Return one table per case, then the notes of what is not modelled and the sources, numbered."""
    out: list[str] = []
    for name, rows in results.items():
        notes: dict[str, int] = {}
        for text in [row.source for row in rows] + [row.not_modelled for row in rows if row.not_modelled]:
            notes.setdefault(text, len(notes) + 1)
        counts = summary(rows)
        out += [
            f"## {name}",
            "",
            f"{counts['rows']} rows, {counts['gating']} gating, {counts['failed']} outside their tolerance; "
            f"largest gating error {100 * counts['worst_error']:.2f} %.",
            "",
            "| machine | workload | quantity | published | ours | error | tolerance | | source | not modelled |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            note = f"[{notes[row.not_modelled]}]" if row.not_modelled else ""
            mark = "recalled" if row.confidence == "memory" else ""
            out.append(
                f"| {row.machine} | {row.workload} | {row.quantity} ({row.unit}) | {published(row)} | "
                f"{number(row.ours)} | {error(row)} | {tolerance(row)} | {row.verdict} {mark}".rstrip()
                + f" | [{notes[row.source]}] | {note} |"
            )
        out += [""] + [f"{count}. {text[:1].upper()}{text[1:]}." for text, count in notes.items()] + [""]
    return "\n".join(out).rstrip() + "\n"
