"""Plots from saved results: nothing is simulated again.

Every function takes the result as its JSON dictionary (schema ``tilewright.result/1``) and returns a matplotlib figure.
`save` writes it as PNG, SVG or PDF with identical bytes for identical input.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.errors import InputError
from workloads.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tilewright.sweeps.run import SweepOutcome
    from tilewright.sweeps.spec import SweepSpec

ResultDict = dict[str, Any]

COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#222255", "#997700", "#eecc66",
)  # fmt: skip
"""Colour-blind safe qualitative palette."""

METRIC_LABELS = {
    "cycles": "cycles",
    "energy_pj": "energy (pJ)",
    "time_s": "time (s)",
    "dram_bytes": "DRAM traffic (bytes)",
    "utilisation": "array utilisation",
    "peak_scratchpad_bytes": "peak scratchpad (bytes)",
    "edp": "energy-delay product (pJ s)",
}


def figure_and_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of this size in inches with one set of axes, in the style of all plots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def plain(text: str) -> str:
    """Return `text` drawn as it is: no formula between dollar signs, no control characters."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")


def stacked_bars(names: list[str], parts: dict[str, list[float]], unit: str, title: str) -> Figure:
    """Return one stacked bar per name."""
    figure, axes = figure_and_axes(max(7.0, 0.19 * len(names) + 2.5), 4.2)
    bottom = [0.0] * len(names)
    for index, (part, values) in enumerate(parts.items()):
        axes.bar(range(len(names)), values, bottom=bottom, width=0.8, label=part, color=COLOURS[index % len(COLOURS)])
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    axes.set_xticks(
        range(len(names)), [plain(name) for name in names], rotation=90, fontsize=6 if len(names) > 30 else 8
    )
    axes.set_xlim(-0.7, len(names) - 0.3)
    axes.set_ylabel(unit)
    axes.set_title(plain(title), fontsize=10)
    axes.legend(fontsize=7, ncols=min(4, max(1, len(parts))), frameon=False)
    return figure


def _layers(result: ResultDict) -> list[ResultDict]:
    layers: list[ResultDict] = result["layers"]
    if not layers:
        raise InputError("result: it has no layers, nothing to plot; simulate a workload with at least one layer")
    return layers


def cycles_by_cause(result: ResultDict) -> Figure:
    """Return stacked bars of where each layer's cycles went."""
    layers = _layers(result)
    causes = sorted({cause for layer in layers for cause, count in layer["stall_cycles"].items() if count})
    parts = {"compute": [float(layer["compute_cycles"]) for layer in layers]}
    parts |= {cause: [float(layer["stall_cycles"].get(cause, 0)) for layer in layers] for cause in causes}
    title = f"Cycles by cause: {result['manifest']['workload']} on {result['manifest']['arch']}"
    return stacked_bars([layer["name"] for layer in layers], parts, "cycles", title)


def energy_by_component(result: ResultDict) -> Figure:
    """Return stacked bars of each layer's energy, in uJ."""
    layers = _layers(result)
    components = list(layers[0]["energy_pj"])
    components += sorted({key for layer in layers for key in layer["energy_pj"]} - set(components))
    parts = {key: [float(layer["energy_pj"].get(key, 0)) / 1e6 for layer in layers] for key in components}
    parts = {key: values for key, values in parts.items() if any(values)}
    title = f"Energy by component: {result['manifest']['workload']} on {result['manifest']['arch']}"
    return stacked_bars([layer["name"] for layer in layers], parts, "energy (uJ)", title)


def roofline(result: ResultDict) -> Figure:
    """Return MACs per cycle over MACs per DRAM byte, one dot a layer, with both roofs."""
    machine = result["manifest"]["machine"]
    peak, bandwidth = float(machine["peak_macs_per_cycle"]), float(machine["dram_bytes_per_cycle"])
    figure, axes = figure_and_axes(6.4, 4.4)
    xs, ys, sizes = [], [], []
    for layer in _layers(result):
        traffic = sum(flow["read"] + flow["write"] for flow in layer["traffic_bytes"].get("dram", {}).values())
        if layer["macs"] and layer["cycles"] and traffic:
            xs.append(layer["macs"] / traffic)
            ys.append(layer["macs"] / layer["cycles"])
            sizes.append(8 + 120 * layer["cycles"] / max(1, result["totals"]["cycles"]))
    low, high = (min(xs) / 3, max(xs) * 3) if xs else (0.1, 1000.0)
    ridge = peak / bandwidth
    grid = sorted({low, ridge, max(high, 2 * ridge)})
    axes.plot(grid, [min(peak, bandwidth * x) for x in grid], color="black", linewidth=1)
    axes.scatter(xs, ys, s=sizes, alpha=0.65, color=COLOURS[0], edgecolors="none")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MACs per DRAM byte")
    axes.set_ylabel("MACs per cycle")
    axes.set_title(f"Roofline: peak {peak:g} MAC/cycle, {bandwidth:g} B/cycle; dot area = share of cycles", fontsize=9)
    return figure


def timeline(result: ResultDict) -> Figure:
    """Return each layer's span from its first to its last command, in cycles."""
    layers = _layers(result)
    figure, axes = figure_and_axes(8.0, max(3.0, 0.13 * len(layers) + 1.2))
    for row, layer in enumerate(layers):
        span = layer["end_cycle"] - layer["start_cycle"]
        axes.barh(row, span, left=layer["start_cycle"], height=0.8, color=COLOURS[6])
        own = layer["cycles"]
        axes.barh(row, own, left=layer["end_cycle"] - own, height=0.8, color=COLOURS[0])
    axes.set_yticks(
        range(len(layers)), [plain(layer["name"]) for layer in layers], fontsize=5 if len(layers) > 30 else 8
    )
    axes.invert_yaxis()
    axes.set_xlabel("cycle (grey: prefetch under an earlier layer)")
    axes.set_title(plain(f"Timeline: {result['manifest']['workload']} on {result['manifest']['arch']}"), fontsize=10)
    return figure


def dram_traffic(result: ResultDict) -> Figure:
    """Return stacked bars of each layer's DRAM bytes, read and written."""
    layers = _layers(result)
    parts = {
        key: [float(sum(flow[key] for flow in layer["traffic_bytes"].get("dram", {}).values())) for layer in layers]
        for key in ("read", "write")
    }
    return stacked_bars([layer["name"] for layer in layers], parts, "bytes", "DRAM traffic per layer")


def energy_by_operand(result: ResultDict) -> Figure:
    """Return stacked bars of each layer's energy by operand, in uJ."""
    from tilewright.energy_split import energy_by_operand as split

    rows = split(result)
    names = [layer["name"] for layer in _layers(result)]
    parts = {key: [row[key] / 1e6 for row in rows] for key in rows[0]}
    parts = {key: values for key, values in parts.items() if any(values)}
    return stacked_bars(names, parts, "energy (uJ)", "Energy by operand")


def waterfall(result: ResultDict) -> Figure:
    """Return compute and each stall cause up to the total."""
    from tilewright.time_plots import waterfall as draw

    _layers(result)
    return draw(result)


def pe_regions(result: ResultDict) -> Figure:
    """Return the use of each region of PEs over the run, and of each layer's busiest and idlest region."""
    from tilewright.pe_plot import draw

    return draw(result)


RESULT_PLOTS = {
    "cycles": cycles_by_cause,
    "energy": energy_by_component,
    "roofline": roofline,
    "timeline": timeline,
    "dram": dram_traffic,
    "operands": energy_by_operand,
    "waterfall": waterfall,
    "pe_regions": pe_regions,
}


def pareto(spec: SweepSpec, outcome: SweepOutcome, path: Path) -> bool:
    """Write the Pareto plot of a sweep; return False (and write nothing) when no point succeeded."""
    good = [row for row in outcome.rows if row.outcome["status"] == "ok"]
    if not good:
        return False
    figure, axes = figure_and_axes(6.4, 4.4)
    x_name, y_name = spec.pareto
    for index, workload in enumerate(spec.workloads):
        rows = [row for row in good if row.point.workload == workload]
        if not rows:
            continue
        colour = COLOURS[index % len(COLOURS)]
        beaten = [row.outcome["metrics"] for row in rows if not row.on_front]
        front = sorted((row.outcome["metrics"] for row in rows if row.on_front), key=lambda metrics: metrics[x_name])
        axes.scatter([m[x_name] for m in beaten], [m[y_name] for m in beaten], s=14, color="#cccccc")
        axes.plot(
            [m[x_name] for m in front], [m[y_name] for m in front],
            marker="o", markersize=4, linewidth=1, color=colour, label=plain(Path(workload).name),
        )  # fmt: skip
    axes.set_xlabel(METRIC_LABELS[x_name])
    axes.set_ylabel(METRIC_LABELS[y_name])
    axes.set_title("Pareto front (grey: dominated points)", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    save(figure, path)
    return True


def save(figure: Figure, path: Path) -> None:
    """Write `figure`; the suffix of `path` chooses PNG, SVG or PDF."""
    write_whole(path, render(figure, path.suffix.lstrip(".").lower()))


def render(figure: Figure, kind: str) -> bytes:
    """Return the bytes of `figure` as `kind` (png, svg or pdf), the same for the same figure."""
    import matplotlib as mpl

    if kind not in ("png", "svg", "pdf"):
        raise InputError(f"plot format '{kind}' is unknown; use png, svg or pdf")
    metadata: dict[str, Any] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "tilewright", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()
