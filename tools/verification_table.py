"""Write docs/rtl_verification.md: ``tilewright verify --all --quick -o verify.json``, then this with its name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "rtl_verification.md"


def number(value: int | None) -> str:
    """Return a count with separators, or nothing."""
    return "" if value is None else f"{value:,}"


def main() -> None:
    """Turn the report into the page."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = report["cores"]
    cores = dict.fromkeys(row["core"] for row in rows)
    lines = [
        "# Verification of every core",
        "",
        f"`tilewright verify --all`: {len(cores)} cores, {sum(row['vectors'] for row in rows):,} result vectors, "
        f"{sum(row['value_errors'] for row in rows):,} wrong values, "
        f"{sum(abs(row['cycle_difference'] or 0) for row in rows):,} cycles of difference. Written by "
        "`tools/verification_table.py` from a run.",
        "",
        "A row without cycles is held to its values alone: sources pause and the sink pushes back there.",
        "",
        "The layer engines of the list have one dataflow each: weight- and output-stationary dense and 2:4, and",
        "input-stationary. `tests/cosim` draws others, of several dataflows too, and one of your own is verified by,",
        'for example, `tilewright verify engine_8x8 --set "core.dataflows=[ws, os, is]"`.',
        "",
        "| core | parameters | run | vectors | value errors | predicted cycles | RTL cycles | difference |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        counts = [number(row[key]) for key in ("vectors", "value_errors", "predicted_cycles", "rtl_cycles")]
        cells = [row["core"], row["params"], row["run"], *counts, number(row["cycle_difference"])]
        lines.append(f"| {' | '.join(cells)} |")
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
