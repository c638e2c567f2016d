"""A sweep that is killed at random points resumes to the table of an unbroken one and loses nothing acknowledged."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

SPEC = """
workloads: lenet
grid:
  core.rows: [4, 8, 16, 32]
  core.cols: [8, 16]
  dram.bandwidth: [3.2GB/s, 6.4GB/s]
"""


def start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    """Start the sweep with its store in `name`."""
    command = [sys.executable, "-m", "tilewright", "sweep", "s.yaml", "-o", name, "-j", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def points(path: Path) -> dict[str, str]:
    """Return identity and outcome of the points in a store."""
    if not path.exists():
        return {}
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        try:
            return dict(db.execute("SELECT identity, outcome FROM point"))
        except sqlite3.OperationalError:  # killed before the table was made
            return {}


def test_kills_at_random_points_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPEC)
    assert start(tmp_path, "whole").wait(120) == 0
    draw = random.Random(1)
    acknowledged: dict[str, str] = {}
    for _ in range(6):
        process = start(tmp_path, "broken")
        time.sleep(draw.uniform(0.5, 1.6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        now = points(tmp_path / "broken" / "store.sqlite")
        assert acknowledged.items() <= now.items()
        acknowledged = now
    assert start(tmp_path, "broken").wait(120) == 0
    assert points(tmp_path / "broken" / "store.sqlite") == points(tmp_path / "whole" / "store.sqlite")
    for name in ("results.csv", "pareto.png"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
