"""Single-file HTML report of a result: no server, no network, no script needed to read it."""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilewright import plots
from workloads.whole_file import write_whole

if TYPE_CHECKING:
    from sim.over_time import OverTime

STYLE = """
:root{color-scheme:light;--ink:#1d2430;--soft:#5b6675;--line:#d8dee6;--fill:#f5f7fa;--good:#1d7a3e;--bad:#b3261e}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);margin:0 auto;max-width:1200px;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}p,.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:20px 0}
.card{border:1px solid var(--line);border-radius:8px;padding:10px 14px;background:var(--fill)}
.card b{display:block;font-size:20px}.card span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{position:sticky;top:0;background:#fff}th:first-child,td:first-child,.left{text-align:left!important}
pre{background:var(--fill);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-x:auto;font-size:12px}
figure{margin:16px 0}figure svg{max-width:100%;height:auto}.ok{color:var(--good)}.no{color:var(--bad)}
details summary{cursor:pointer;color:var(--soft)}
"""


def cell_text(value: Any) -> str:
    """Return a table cell as escaped text, numbers grouped."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return html.escape(str(value))


def html_table(header: list[str], rows: list[list[Any]], left: int = 1) -> str:
    """Return an HTML table; the first `left` columns are text."""
    head = "".join(
        f"<th{' class=left' if index < left else ''}>{html.escape(name)}</th>" for index, name in enumerate(header)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=left' if i < left else ''}>{cell_text(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def card(label: str, value: str) -> str:
    """Return one figure in a box."""
    return f"<div class=card><b>{html.escape(value)}</b><span>{html.escape(label)}</span></div>"


def _cards(result: dict[str, Any]) -> str:
    totals, bounds = result["totals"], result["bounds"]
    over = totals["cycles"] / bounds["lower_bound_cycles"] if bounds["lower_bound_cycles"] else 1.0
    return (
        "<div class=cards>"
        + "".join(
            (
                card("cycles", f"{totals['cycles']:,}"),
                card("time", f"{totals['time_s'] * 1e3:,.3f} ms"),
                card("MACs", f"{totals['macs'] / 1e6:,.1f} M"),
                card("array utilisation", f"{100 * totals['utilisation']:.1f} %"),
                card("energy", f"{totals['energy_pj'] / 1e9:,.3f} mJ"),
                card("DRAM read", f"{totals['dram_read_bytes'] / 2**20:,.2f} MiB"),
                card("DRAM written", f"{totals['dram_write_bytes'] / 2**20:,.2f} MiB"),
                card("cycles over lower bound", f"{over:.3f} x"),
            )
        )
        + "</div>"
    )


def _layer_rows(result: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for layer in result["layers"]:
        stalls = {cause: count for cause, count in layer["stall_cycles"].items() if count}
        worst = max(stalls, key=lambda cause: (stalls[cause], cause)) if stalls else ""
        proof = "" if layer["gap"] is None else ("optimal" if layer["proven_optimal"] else f"gap {layer['gap']:.2%}")
        rows.append(
            [
                layer["name"], layer["op"], worst, proof, layer["macs"], layer["cycles"], layer["compute_cycles"],
                sum(stalls.values()), round(100 * layer["utilisation"], 1), sum(layer["energy_pj"].values()) / 1e6,
            ]
        )  # fmt: skip
    return rows


def build(result: dict[str, Any]) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    result : dict
        A result of schema ``tilewright.result/1``.
    """
    manifest = result["manifest"]
    figures = []
    for name, draw in plots.RESULT_PLOTS.items():
        svg = plots.render(draw(result), "svg").decode()
        figures.append(f'<figure id="plot-{name}">{svg[svg.index("<svg") :]}</figure>')
    checks = "".join(
        f"<li class={'ok' if check['ok'] else 'no'}>{'pass' if check['ok'] else 'FAIL'}: {html.escape(check['name'])} "
        f"<span class=soft>{html.escape(str(check['detail']))}</span></li>"
        for check in result["checks"]
    )
    missing = "".join(f"<li>{html.escape(item)}</li>" for item in result["not_modelled"])
    title = f"{manifest['workload']} on {manifest['arch']}"
    columns = ["layer", "op", "main stall", "mapping", "MACs", "cycles", "compute", "stalls", "util. %", "energy uJ"]
    bounds = html_table(["bound", "cycles"], [[key, value] for key, value in result["bounds"].items()])
    redo = html.escape(str(manifest["redo"]))
    settings = html.escape(json.dumps({k: v for k, v in manifest.items() if k != "sources"}, indent=2, sort_keys=True))
    sources = manifest.get("sources", [])
    cited = html_table(["figure", "source"], [list(row) for row in sources], left=2) if sources else ""
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>objective {html.escape(str(manifest['objective']))}, fidelity "
        f"{html.escape(str(manifest['fidelity']))}, tilewright {html.escape(str(manifest['tilewright_version']))}</p>"
        f"{_cards(result)}<h2>Layers</h2>{html_table(columns, _layer_rows(result), left=4)}"
        f"<h2>Plots</h2>{''.join(figures)}<h2>Bounds</h2>{bounds}"
        f"<h2>Checks of this run</h2><ul>{checks}</ul><h2>Not modelled</h2><ul>{missing}</ul>"
        f"<h2>Sources of the figures</h2><details><summary>{len(sources)} figures</summary>{cited}</details>"
        f"<h2>Configuration</h2><pre>{settings}</pre><h2>Redo</h2><pre>{redo}</pre></body></html>\n"
    )


def write(result: dict[str, Any], folder: Path, series: OverTime | None = None) -> list[Path]:
    """Write report.html, result.json, layers.csv and the plots as PNG into `folder`; return the paths.

    With the `series` of a run, bandwidth and occupancy over time are drawn and written too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_whole(folder / "report.html", build(result))]
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    written.append(write_whole(folder / "result.json", text))
    written.append(write_whole(folder / "layers.csv", layers_csv(result)))
    for name, draw in plots.RESULT_PLOTS.items():
        path = folder / f"{name}.png"
        plots.save(draw(result), path)
        written.append(path)
    if series is not None:
        from tilewright import time_plots

        data = json.dumps(asdict(series), indent=1) + "\n"
        written.append(write_whole(folder / "over_time.json", data))
        for name, picture in (("bandwidth", time_plots.bandwidth(series)), ("occupancy", time_plots.occupancy(series))):
            plots.save(picture, folder / f"{name}.png")
            written.append(folder / f"{name}.png")
    return written


def layers_csv(result: dict[str, Any]) -> str:
    """Return the layer table as CSV with units in the column names."""
    import csv
    import io

    causes = sorted({cause for layer in result["layers"] for cause in layer["stall_cycles"]})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    plain = ("name", "op", "core", "macs", "start_cycle", "end_cycle", "cycles", "compute_cycles", "utilisation")
    writer.writerow(
        [*plain, *(f"stall_{cause}_cycles" for cause in causes), "energy_pj", "dram_read_bytes", "dram_write_bytes"]
    )
    for layer in result["layers"]:
        dram = layer["traffic_bytes"].get("dram", {}).values()
        writer.writerow(
            [
                *(layer[key] for key in plain),
                *(layer["stall_cycles"].get(cause, 0) for cause in causes),
                sum(layer["energy_pj"].values()),
                sum(flow["read"] for flow in dram),
                sum(flow["write"] for flow in dram),
            ]
        )
    return buffer.getvalue()
