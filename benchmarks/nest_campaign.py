"""Totals of long campaigns of the nest mapper on random small problems: ``python benchmarks/nest_campaign.py``.

Optima against exhaustive search, access counts against the naive interpreter, and pairs of machines of which one has
more. Run from the root of the source tree, whose test generators it uses. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.reference.nest_campaign import CHANGES, Totals, counts, monotone, optima


def main() -> None:
    """Run the campaigns and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=320, help="problems compared with exhaustive search")
    parser.add_argument("--most", type=int, default=400, help="largest number of nests of such a problem")
    parser.add_argument("--nests", type=int, default=1200, help="nests compared with the naive walk")
    parser.add_argument("--pairs", type=int, default=510, help="pairs of machines")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    given = parser.parse_args()
    wrong: list[str] = []

    def told(name: str, total: Totals, text: str, begin: float) -> None:
        spent = time.process_time() - begin
        print(f"{name}: {total.compared:,} compared, {len(total.wrong)} differ, {text}; {spent:.0f} CPU s", flush=True)
        wrong.extend(total.wrong)

    begin = time.process_time()
    total = optima(given.problems, given.most, given.seed)
    text = f"{total.hierarchies} hierarchies, {total.nests:,} nests, {total.accepted_infeasible} infeasible accepted, "
    text += f"{total.impossible} answers 'infeasible', {total.unproven} without proof (three objectives each)"
    told("optima", total, text, begin)
    begin = time.process_time()
    total = counts(given.nests, given.seed)
    told("counts", total, f"{total.ragged} ragged, {total.refused} refused", begin)
    for number, change in enumerate(CHANGES):
        begin = time.process_time()
        total = monotone(given.pairs // len(CHANGES), change, 1000 * (number + 1) + given.seed)
        told(f"more {change}", total, f"{total.better} better, {total.impossible} infeasible both times", begin)
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
