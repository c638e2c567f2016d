"""Write the real output of every command into the console blocks of README.md and docs/first_hour.md.

``python tools/refresh_docs.py`` after a change that moves a figure; `tests/cli/test_console_docs.py` says when. A block
keeps its cut: as many lines before and after a line ``...`` as the page shows now; a command without output keeps none.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/first_hour.md")
FENCE = re.compile(r"^```(console|python|yaml)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed(words: list[str], folder: Path) -> list[str]:
    """Return the lines that `words` prints in `folder`, as CI sees them."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    return [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]


def cut(shown: list[str], lines: list[str]) -> list[str]:
    """Return `lines` cut as the page cuts them in `shown`."""
    while shown and not shown[-1]:
        shown.pop()
    if "..." not in shown:
        return lines if shown else []
    head = shown.index("...")
    tail = len(shown) - 1 - head
    return [*lines[:head], "...", *(lines[-tail:] if tail else [])]


def console(body: str, folder: Path) -> str:
    """Return the console block `body` with fresh output."""
    answers: list[str] = []
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
        answers.append(f"$ {command}")
        words = shlex.split(command)
        if words[0] not in ("make", "git"):
            words = [sys.executable, "-m", "tilewright", *words[1:]] if words[0] == "tilewright" else words
            answers += cut(shown.splitlines(), printed(words, folder))
    return "\n".join(answers) + "\n"


def refresh(page: str) -> None:
    """Rewrite one page; its blocks share a folder, in order."""
    path = ROOT / page
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def block(match: re.Match[str]) -> str:
            kind, file, body = match.groups()
            if file:
                (folder / file).write_text(body, encoding="utf-8")
            elif kind == "python":
                printed([sys.executable, "-c", body], folder)
            elif kind == "console":
                return f"```console\n{console(body, folder)}```"
            return match.group(0)

        path.write_text(FENCE.sub(block, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or PAGES:
        refresh(each)
