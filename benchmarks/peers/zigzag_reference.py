"""Writes `tests/validation/data/zigzag_counts.json`: what ZigZag counts on the small machines of `tests/data/peers`.

For each machine and objective ZigZag searches every layer; the mapping it takes and all that it counts are kept.
Run by the project's Python, with the Python of ZigZag's environment (`setup_zigzag.sh`) as the argument:

    python benchmarks/peers/zigzag_reference.py ENV/bin/python
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "data" / "peers"
TARGET = ROOT / "tests" / "validation" / "data" / "zigzag_counts.json"
RUNS = {
    "zigzag_systolic": (("EDP", "energy", "latency"), 5),
    "zigzag_three_axes": (("EDP",), 4),
    "zigzag_private": (("EDP",), 4),
}
"""Machine to objectives and the most loops that ZigZag permutes; about 160 CPU seconds in all."""
KEPT = ("name", "user_spatial", "temporal", "word_accesses", "mac_energy_pj", "energy_pj", "latency")


def run(python: str, machine: str, objective: str, folder: Path) -> dict[str, Any]:
    """Return ZigZag's record of one machine under one objective; a record that stands in `folder` is taken as it is."""
    target = folder / f"small.{machine}.{objective}.json"
    if not target.exists():
        script = ROOT / "benchmarks" / "peers" / "zigzag_run.py"
        arguments = [FILES / f"{machine}.yaml", FILES / f"{machine}_mapping.yaml", FILES / "zigzag_layers.yaml"]
        command = [
            python,
            str(script),
            *map(str, arguments),
            "--opt",
            objective,
            "--lpf",
            str(RUNS[machine][1]),
            "-o",
            str(target),
        ]
        subprocess.run(command, check=True)
    record: dict[str, Any] = json.loads(target.read_text())
    return record


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("python", help="Python of ZigZag's environment")
    parser.add_argument("--work", type=Path, default=None, help="folder for records, kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        cases, tool = [], ""
        for machine, (objectives, _) in RUNS.items():
            seen: list[Any] = []
            for objective in objectives:
                record = run(given.python, machine, objective, folder)
                tool = record["tool"]
                for layer in record["layers"]:
                    kept = {"machine": machine} | {key: layer[key] for key in KEPT}
                    key = (layer["name"], layer["temporal"])
                    if key not in seen:
                        seen.append(key)
                        cases.append(kept)
        command = "python benchmarks/peers/zigzag_reference.py ENV/bin/python"
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        TARGET.write_text(f'{{"tool": "{tool}", "command": "{command}", "cases": [\n{lines}\n]}}\n')
    sys.stdout.write(f"{len(cases)} cases of {tool}\n")


if __name__ == "__main__":
    main()
