"""Every console and Python snippet of the README and of docs/first_hour.md runs, and prints what the page says.

A block fenced as ``console`` holds commands after ``$ `` and their output. A line ``...`` stands for any lines. Blocks
fenced as ``python`` run as a script. All blocks of a page share one directory, in order, as a reader would type them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/first_hour.md",
    "docs/dataflows.md",
    "docs/placement.md",
    "docs/network_mapping.md",
    "docs/scratchpads.md",
    "docs/accelerators.md",
)
FENCE = re.compile(r"^```(console|python|yaml)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Return (command, expected lines) of a console block."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def run(command: str, folder: Path) -> str:
    """Run one command line as the installed tool would and return what it prints."""
    words = shlex.split(command)
    if words[0] == "tilewright":
        words = [sys.executable, "-m", "tilewright", *words[1:]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment, timeout=300, check=False)
    return done.stdout + done.stderr


def matches(expected: list[str], printed: list[str]) -> bool:
    """Tell whether `printed` is `expected`, where ``...`` stands for any lines."""
    if not expected:
        return True
    if expected[0] == "...":
        return any(matches(expected[1:], printed[skip:]) for skip in range(len(printed) + 1))
    return bool(printed) and printed[0].rstrip() == expected[0].rstrip() and matches(expected[1:], printed[1:])


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run_and_print_what_it_says(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = FENCE.findall(text)
    assert blocks
    for kind, name, body in blocks:
        if name:
            (tmp_path / name).write_text(body, encoding="utf-8")
        elif kind == "python":
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            subprocess.run([sys.executable, "-c", body], cwd=tmp_path, env=environment, check=True, timeout=300)
        elif kind == "console":
            for command, expected in commands(body):
                if command.split()[0] == "make" or command.startswith("git "):
                    continue  # run by CI itself
                printed = run(command, tmp_path).splitlines()
                while expected and not expected[-1].strip():
                    expected.pop()
                assert matches(expected, [*printed, ""] if expected[-1:] == [""] else printed) or not expected, (
                    f"{page}: '{command}' printed\n" + "\n".join(printed)
                )
