"""Write the real output of ``tilewright validate`` into docs/validation.md, below its marker.

``python tools/refresh_validation.py`` after a change that moves a figure; `tests/validation` says when. With names of
cases, only their sections are written again.
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
    from tilewright.validation import CASES, run_cases, table

    head, found, rest = PAGE.read_text("utf-8").partition(MARKER)
    if not found:
        raise SystemExit(f"{PAGE.name} has no marker line")
    names = sys.argv[1:]
    if not names:
        PAGE.write_text(head + MARKER + "\n" + table.markdown(run_cases()), "utf-8")
        return
    sections = {part.split("\n", 1)[0]: part for part in ("\n" + rest).split("\n## ")[1:]}
    for name in names:
        sections[name] = table.markdown(run_cases([name])).removeprefix("## ").rstrip("\n") + "\n"
    order = [name for name in CASES if name in sections]
    text = "\n".join(f"## {sections[name]}".rstrip("\n") + "\n" for name in order)
    PAGE.write_text(head + MARKER + "\n" + text, "utf-8")


if __name__ == "__main__":
    main()
