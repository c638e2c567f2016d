"""Run the nightly profile one test file after another and write what each did to docs/nightly.md.

Run: python tools/nightly.py [--page docs/nightly.md] [--log nightly.jsonl] [--seconds N] [--again] [FILE ...]

Every file of ``tests/`` is a run of pytest of its own under HYPOTHESIS_PROFILE=nightly: new random cases, twenty times
as many, and the tests marked ``nightly``. With a log, files that it names are not run again, so that a night can have
several parts; start a new log after changes. With --again files that failed are run again, after a mend, and the page
says so. With --seconds a file is ended after that time and its failures so far count. Exit code 1 if a test failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = re.compile(r"^(tests/\S+\.py::.*?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL)\b", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What one file did: counts of tests, names of those that failed, CPU seconds, and whether it ran to its end."""

    file: str
    passed: int
    skipped: int
    failed: tuple[str, ...]
    cpu_seconds: float
    ended: bool
    again: bool = False
    """Whether it had failed before in the same log."""


def run(file: str, seconds: float | None) -> Outcome:
    """Run one file under the nightly profile, ended after `seconds` if they are given."""
    command = [sys.executable, "-m", "pytest", "-v", "--color=no", "--tb=short", "-p", "no:cacheprovider", file]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "HYPOTHESIS_PROFILE": "nightly", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        printed, ended = process.communicate(timeout=seconds)[0], True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, ended = process.communicate()[0], False
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = RESULT.findall(printed)
    failed = tuple(name for name, result in results if result in ("FAILED", "ERROR"))
    if ended and process.returncode not in (0, 5) and not failed:
        failed = ("(collection)",)
    if failed:
        sys.stderr.write(printed)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    passed, skipped = (sum(result == kind for _, result in results) for kind in ("PASSED", "SKIPPED"))
    return Outcome(file, passed, skipped, failed, round(spent, 1), ended)


def noted(log: Path | None) -> dict[str, Outcome]:
    """Return the outcomes in `log` by file."""
    if log is None or not log.exists():
        return {}
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {entry["file"]: Outcome(**{**entry, "failed": tuple(entry["failed"])}) for entry in entries}


def page(outcomes: list[Outcome], left: list[str]) -> str:
    """Return the published page."""
    failed = [name for outcome in outcomes for name in outcome.failed]
    ended = sum(outcome.ended for outcome in outcomes)
    lines = [
        "# The last nightly run",
        "",
        "Written by `python tools/nightly.py` (`make nightly`): every test file under the nightly profile, with new",
        "random cases, twenty times as many as in CI, and the tests that CI leaves out.",
        "",
        f"{len(outcomes)} files ran, {ended} to their end: {sum(o.passed for o in outcomes):,} tests passed, "
        f"{len(failed)} failed, in {sum(o.cpu_seconds for o in outcomes):,.0f} CPU seconds. A file that "
        "was ended early has passed what it counts, no more.",
        "",
        *(f"* failed: `{name}`" for name in failed),
        *([""] if failed else []),
        *([f"Not run: {folders(left)}.", ""] if left else []),
        "| file | passed | skipped | failed | CPU s | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for o in outcomes:
        state = ", ".join(
            word for word, true in (("ended early", not o.ended), ("run again after a mend", o.again)) if true
        )
        lines.append(f"| {o.file} | {o.passed} | {o.skipped} | {len(o.failed)} | {o.cpu_seconds:,.0f} | {state} |")
    return "\n".join(lines) + "\n"


def folders(files: list[str]) -> str:
    """Return how many of `files` lie in each folder."""
    counts = Counter(str(Path(file).parent) for file in files)
    return ", ".join(f"{count} files of {folder}" for folder, count in sorted(counts.items()))


def main() -> int:
    """Run what the log does not name yet, and write the page after every file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="these alone; left out: all")
    parser.add_argument(
        "--page", type=Path, help="left out: docs/nightly.md, or none where files are named without a log"
    )
    parser.add_argument("--log", type=Path, help="outcomes, a JSON object a line; files named there are not run again")
    parser.add_argument("--seconds", type=float, help="bound on the time of one file")
    parser.add_argument("--again", action="store_true", help="run those again that failed")
    arguments = parser.parse_args()
    every = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))
    unknown = sorted(set(arguments.files) - set(every))
    if unknown:
        parser.error(f"no test file {', '.join(unknown)}; name files as tests/unit/test_units.py")
    known = noted(arguments.log)
    target = arguments.page
    if target is None and (arguments.log is not None or not arguments.files):
        target = ROOT / "docs" / "nightly.md"
    for file in arguments.files or every:
        again = arguments.again and file in known and bool(known[file].failed)
        if file in known and not again:
            continue
        known[file] = replace(run(file, arguments.seconds), again=again)
        sys.stdout.write(json.dumps(asdict(known[file])) + "\n")
        sys.stdout.flush()
        if arguments.log is not None:
            with arguments.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(known[file])) + "\n")
        outcomes = [known[name] for name in every if name in known]
        if target is not None:
            target.write_text(page(outcomes, [name for name in every if name not in known]), encoding="utf-8")
    return 1 if any(outcome.failed for outcome in known.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
