"""The report as a browser lays it out: nothing fetched, nothing empty, nothing wider than the window."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tilewright as tw

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
PROBE = """<script>
const box = e => { const r = e.getBoundingClientRect(); return [Math.round(r.width), Math.round(r.height)]; };
document.body.setAttribute('data-probe', JSON.stringify({
  fetched: performance.getEntriesByType('resource').map(e => e.name),
  width: document.documentElement.scrollWidth, window: window.innerWidth,
  figures: [...document.querySelectorAll('figure')].map(f => [f.id, ...box(f.querySelector('svg'))]),
  rows: document.querySelectorAll('h2 + .scroll tbody tr').length,
  headings: [...document.querySelectorAll('h1, h2')].map(h => h.textContent),
  cards: [...document.querySelectorAll('.card b')].map(c => c.textContent),
  failed: document.querySelectorAll('.no').length,
}));
</script>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    tw.simulate("tiny_ic", arch="edge_int8").report(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "probed.html").write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    return folder


def look(page: Path, width: int, folder: Path) -> dict[str, Any]:
    """Return what the probe saw in a window `width` pixels wide."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={folder}", f"--window-size={width},900", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    probe = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert probe is not None, done.stderr[-500:]
    seen: dict[str, Any] = json.loads(html.unescape(probe[1]))
    return seen


@pytest.mark.parametrize("width", [1280, 500])
def test_the_report_lays_out_in_a_browser(report: Path, tmp_path: Path, width: int) -> None:
    seen = look(report / "probed.html", width, tmp_path)
    result = json.loads((report / "result.json").read_text(encoding="utf-8"))
    assert seen["fetched"] == []
    assert seen["width"] <= seen["window"]
    assert seen["headings"][0] == "tiny_ic on edge_int8"
    assert {"Layers", "Plots", "Checks of this run", "Not modelled", "Redo"} <= set(seen["headings"])
    assert len(seen["figures"]) == 8
    assert all(w > 200 and h > 100 for _, w, h in seen["figures"])
    assert seen["rows"] >= len(result["layers"])
    assert seen["cards"][0] == f"{result['totals']['cycles']:,}"
    assert seen["failed"] == 0


def test_a_layer_name_cannot_break_the_page(report: Path, tmp_path: Path) -> None:
    from tilewright.report import build

    result = json.loads((report / "result.json").read_text(encoding="utf-8"))
    result["layers"][0]["name"] = "<img src=x onerror=\"document.title='broken'\"></td></table>"
    page = tmp_path / "hostile.html"
    page.write_text(build(result).replace("</body>", PROBE + "</body>"), encoding="utf-8")
    seen = look(page, 1280, tmp_path / "profile")
    assert seen["fetched"] == []
    assert seen["rows"] >= len(result["layers"])


def test_the_report_of_a_cluster_lays_out_in_a_browser(tmp_path: Path) -> None:
    from tilewright.cli import run

    folder = tmp_path / "report"
    assert run(["sim", "lenet", "--arch", "quad_edge", "--execution", "split", "--report", str(folder)]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    probe = PROBE.replace("querySelector('svg')", "querySelector('img')")
    probed = folder / "probed.html"
    probed.write_text(page.replace("</body>", probe + "</body>"), encoding="utf-8")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    for width in (1280, 500):
        seen = look(probed, width, tmp_path / f"profile{width}")
        assert seen["fetched"] == [] or all(name.startswith("data:") for name in seen["fetched"])
        assert seen["width"] <= seen["window"]
        assert {"Operators", "Cores", "Energy", "Roofline", "Plots", "Not modelled"} <= set(seen["headings"])
        assert len(seen["figures"]) == 10 and all(w > 200 and h > 60 for _, w, h in seen["figures"])
        assert seen["cards"][0] == f"{result['totals']['cycles']:,}" and seen["failed"] == 0
