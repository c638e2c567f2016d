"""Single-file HTML report of a network on a cluster, from its saved result: nothing is simulated again."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilewright import plots
from tilewright.network_metric_plots import METRIC_PLOTS
from tilewright.network_metrics import roofline_points
from tilewright.network_results import merged_causes, merged_rows
from tilewright.report import STYLE, card, html_table
from workloads.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cores_over_time(result: dict[str, Any]) -> Figure:
    """Return what each core works on over time, a new colour per operator."""
    names = [core["name"] for core in result["cores"]]
    figure, axes = plots.figure_and_axes(9.0, 1.2 + 0.5 * len(names))
    spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in result["operators"]:
        start, end = row["start_cycle"], row["end_cycle"]
        spans.setdefault((row["name"], row["core"]), []).append((start, max(1, end - start)))
    colour: dict[str, str] = {}
    shades = [shade for shade in plots.COLOURS if shade != "#bbbbbb"]
    for (operator, core), pieces in spans.items():
        shade = colour.setdefault(operator, shades[len(colour) % len(shades)])
        axes.broken_barh(pieces, (names.index(core) - 0.4, 0.8), color=shade)
    axes.set_yticks(range(len(names)), [plots.plain(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, result["totals"]["cycles"])
    axes.set_xlabel("cycles")
    axes.set_title("operators on cores (white: a core waits or is idle)", fontsize=9)
    return figure


def cores_by_cause(result: dict[str, Any]) -> Figure:
    """Return one stacked bar per core: work, waits by cause, idle at the end."""
    stalls = [merged_causes(core["stall_cycles"]) for core in result["cores"]]
    causes = sorted({cause for own in stalls for cause in own})
    parts = {"compute": [float(core["busy_cycles"]) for core in result["cores"]]}
    parts |= {cause: [float(own.get(cause, 0)) for own in stalls] for cause in causes}
    parts["idle"] = [float(core["idle_cycles"]) for core in result["cores"]]
    figure = plots.stacked_bars([core["name"] for core in result["cores"]], parts, "cycles", "Cycles of each core")
    figure.axes[0].set_ylim(0, 1.2 * result["totals"]["cycles"])  # room for the legend: every bar is of full height
    return figure


def occupancy(result: dict[str, Any]) -> Figure:
    """Return the bytes live in the shared scratchpad over time, and its capacity."""
    from tilewright.network_plots import draw_occupancy

    manifest = result["manifest"]
    title = f"{manifest['workload']} on {manifest['arch']}"
    capacity = manifest["machine"]["shared_capacity_bytes"]
    return draw_occupancy(result["occupancy"], result["totals"]["cycles"], capacity, title)


PLOTS = {"cores": cores_over_time, "core_cycles": cores_by_cause, "occupancy": occupancy, **METRIC_PLOTS}


CORE_COLUMNS = [
    "core",
    "busy",
    "stalled",
    "idle at the end",
    "alone",
    "utilisation %",
    "energy uJ",
    "peak bytes of its scratchpads",
]
ROOF_COLUMNS = ["operator", "bound", "MACs/DRAM byte", "MACs/cycle", "roof", "MACs/port byte", "MACs/cycle ", "roof "]


def pictures(result: dict[str, Any]) -> dict[str, bytes]:
    """Return every plot as PNG: many stripes and items make vector pictures that no browser opens."""
    return {name: plots.render(draw(result), "png") for name, draw in PLOTS.items()}


def build(result: dict[str, Any], drawn: dict[str, bytes] | None = None) -> str:
    """Return the report as one HTML page.

    Parameters
    ----------
    result : dict
        A result of schema ``tilewright.network/1``.
    drawn : dict of str to bytes, optional
        Its `pictures`, where they are there already.
    """
    manifest, totals, base = result["manifest"], result["totals"], result["baseline"]["totals"]
    title = f"{manifest['workload']} on {manifest['arch']}"
    figures = ""
    for name, data in (pictures(result) if drawn is None else drawn).items():
        picture = base64.b64encode(data).decode()
        figures += f'<figure id="plot-{name}"><img alt="{name}" width="100%" src="data:image/png;base64,{picture}">'
        figures += "</figure>"
    cards = "".join(
        (
            card("cycles", f"{totals['cycles']:,}"),
            card("baseline, all tensors in DRAM", f"{base['cycles']:,}"),
            card("lower bound, cycles", f"{result['bounds']['lower_bound_cycles']:,}"),
            card("utilisation of all arrays", f"{100 * totals['utilisation']:.1f} %"),
            card("energy", f"{totals['energy_pj'] / 1e9:,.3f} mJ"),
            card("DRAM traffic", f"{_moved(totals) / 2**20:,.2f} MiB"),
            card("DRAM traffic of the baseline", f"{_moved(base) / 2**20:,.2f} MiB"),
            card("peak of the scratchpad", f"{totals['peak_scratchpad_bytes'] / 1024:,.1f} KiB"),
        )
    )
    columns = ["operator", "cores", "main stall", "parts", "MACs", "start", "end", "compute", "stalls", "DRAM bytes"]
    checks = "".join(
        f"<li class={'ok' if check['ok'] else 'no'}>{'pass' if check['ok'] else 'FAIL'}: {html.escape(check['name'])} "
        f"<span class=soft>{html.escape(str(check['detail']))}</span></li>"
        for check in result["checks"]
    )
    missing = "".join(f"<li>{html.escape(item)}</li>" for item in result["not_modelled"])
    settings = {k: v for k, v in manifest.items() if k != "sources"}
    texts = [html.escape(json.dumps(part, indent=2, sort_keys=True)) for part in (result["placement"], settings)]
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>execution {html.escape(manifest['execution'])}, objective "
        f"{html.escape(manifest['objective'])}, tilewright {html.escape(manifest['tilewright_version'])}</p>"
        f"<div class=cards>{cards}</div><h2>Operators</h2>{html_table(columns, _rows(result), left=3)}"
        f"<h2>Cores</h2>{html_table(CORE_COLUMNS, _cores(result))}"
        f"<h2>Energy</h2>{html_table(['part', 'uJ'], _energy(result))}"
        f"<h2>Roofline</h2>{html_table(ROOF_COLUMNS, _roofs(result), left=2)}"
        f"<h2>Plots</h2>{figures}"
        f"<h2>Bounds</h2>{html_table(['bound', 'cycles'], [list(item) for item in result['bounds'].items()])}"
        f"<h2>Checks of this run</h2><ul>{checks}</ul><h2>Not modelled</h2><ul>{missing}</ul>"
        f"<h2>Plan</h2><details><summary>what stays, stacks, stages</summary><pre>{texts[0]}</pre></details>"
        f"<h2>Configuration</h2><pre>{texts[1]}</pre><h2>Redo</h2><pre>{html.escape(manifest['redo'])}</pre>"
        "</body></html>\n"
    )


def write(result: dict[str, Any], folder: Path) -> list[Path]:
    """Write report.html, result.json, operators.csv and the plots of a saved result; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    drawn = pictures(result)
    written = [
        write_whole(folder / "report.html", build(result, drawn)),
        write_whole(folder / "result.json", text),
        write_whole(folder / "operators.csv", operators_csv(result)),
    ]
    written += [write_whole(folder / f"{name}.png", data) for name, data in drawn.items()]
    return written


def operators_csv(result: dict[str, Any]) -> str:
    """Return one line per part of an operator, with units in the column names."""
    causes = sorted({cause for row in result["operators"] for cause in merged_causes(row["stall_cycles"])})
    plain = ("name", "part", "core", "macs", "start_cycle", "end_cycle", "compute_cycles", "utilisation")
    inside = sorted({cause for row in result["operators"] for cause in row["inside_cycles"]})
    moved = ("dram_read_bytes", "dram_write_bytes")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            *(*plain, *moved, "core_energy_pj", *(f"inside_{cause}_cycles" for cause in inside)),
            *(f"stall_{cause.replace(' ', '_')}_cycles" for cause in causes),
        ]
    )
    for row in result["operators"]:
        stalls = merged_causes(row["stall_cycles"])
        own = [sum(row["energy_pj"].values()), *(row["inside_cycles"].get(cause, 0) for cause in inside)]
        writer.writerow([*(row[key] for key in (*plain, *moved)), *own, *(stalls.get(cause, 0) for cause in causes)])
    return buffer.getvalue()


def _moved(totals: dict[str, Any]) -> int:
    return int(totals["dram_read_bytes"] + totals["dram_write_bytes"])


def _rows(result: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for row in merged_rows(result["operators"]):
        stalls = row["stall_cycles"]
        worst = max(stalls, key=lambda cause: (stalls[cause], cause)) if stalls else ""
        rows.append(
            [
                row["name"], "+".join(row["cores"]), worst, row["parts"], row["macs"], row["start_cycle"],
                row["end_cycle"], row["compute_cycles"], sum(stalls.values()), row["dram_bytes"],
            ]
        )  # fmt: skip
    return rows


def _cores(result: dict[str, Any]) -> list[list[Any]]:
    return [
        [
            *(core["name"], core["busy_cycles"], sum(core["stall_cycles"].values()), core["idle_cycles"]),
            *(core["alone_cycles"], round(100 * core["utilisation"], 1), sum(core["energy_pj"].values()) / 1e6),
            ", ".join(f"{memory} {size:,}" for memory, size in core["peak_bytes"].items()),
        ]
        for core in result["cores"]
    ]


def _energy(result: dict[str, Any]) -> list[list[Any]]:
    """Return the energy by component, then by operand."""
    return [
        [f"{kind}: {name}", pj / 1e6]
        for kind, parts in (("component", result["component_pj"]), ("operand", result["operand_pj"]))
        for name, pj in sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    ]


def _roofs(result: dict[str, Any]) -> list[list[Any]]:
    keys = ("macs_per_byte", "macs_per_cycle", "roof_macs_per_cycle")
    rows = []
    for point in roofline_points(result):
        places = [point[level] for level in ("dram", "port")]
        bound = ", ".join(
            f"{level} {place['bound']}" for level, place in zip(("DRAM:", "port:"), places, strict=True) if place
        )
        rows.append([point["name"], bound, *(place[key] if place else "" for place in places for key in keys)])
    return rows
