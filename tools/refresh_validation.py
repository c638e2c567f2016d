"""Write the real output of ``tilewright validate`` into docs/validation.md, below its marker.

``python tools/refresh_validation.py`` after a change that moves a figure; `tests/validation` says when.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "validation.md"
MARKER = "<!-- written by tools/refresh_validation.py -->\n"


def main() -> None:
    """Run every case and replace what follows the marker."""
    from tilewright.validation import run_cases, table

    head, found, _ = PAGE.read_text("utf-8").partition(MARKER)
    if not found:
        raise SystemExit(f"{PAGE.name} has no marker line")
    PAGE.write_text(head + MARKER + "\n" + table.markdown(run_cases()), "utf-8")


if __name__ == "__main__":
    main()
