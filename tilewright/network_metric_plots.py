"""Plots of what a saved result of a cluster counts: causes, energy, roofline, PE regions, windows over time.

Every function takes the result as its JSON dictionary (schema ``tilewright.network/1``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tilewright.network_metrics import operator_energies, roofline_points
from tilewright.network_results import network_parts
from tilewright.plots import COLOURS, figure_and_axes, plain, stacked_bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def waterfall(result: dict[str, Any]) -> Figure:
    """Return one waterfall per core: work, then each cause, up to the cycles of the run."""
    names = [core["name"] for core in result["cores"]]
    split = {name: network_parts(result, name) for name in names}
    causes = sorted(
        {cause for parts in split.values() for cause, cycles in parts.items() if cycles} - {"compute", "idle"}
    )
    causes = ["compute", *sorted(causes, key=lambda c: (-sum(p.get(c, 0) for p in split.values()), c)), "idle"]
    figure, axes = figure_and_axes(9.0, 1.6 + 0.62 * len(names))
    shades = (*COLOURS, "#117733", "#dd99bb", "#555555", "#88ccaa", "#ddaa33", "#6699cc")  # a colour for every cause
    shade = {cause: shades[index % len(shades)] for index, cause in enumerate(c for c in causes if c != "idle")}
    shade["idle"] = "#e8e8e8"
    for row, name in enumerate(names):
        start = 0
        for step, cause in enumerate(causes):
            cycles = split[name].get(cause, 0)
            high = row - 0.4 + 0.8 * step / len(causes)
            axes.broken_barh([(start, cycles)], (high, 0.8 / len(causes) + 0.16), color=shade[cause])
            start += cycles
    handles = [axes.plot([], [], color=shade[cause], linewidth=6, label=cause)[0] for cause in causes]
    axes.legend(handles=handles, fontsize=7, ncols=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22))
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(1, result["totals"]["cycles"]))
    axes.set_xlabel("cycles")
    axes.set_title(f"Where the {result['totals']['cycles']:,} cycles of each core went", fontsize=10)
    return figure


def energy(result: dict[str, Any]) -> Figure:
    """Return each operator's energy on its cores by component, in uJ."""
    return _energy(result, "energy_pj", "Energy of operators on their cores, by component")


def operands(result: dict[str, Any]) -> Figure:
    """Return each operator's energy on its cores by operand, in uJ."""
    return _energy(result, "operand_pj", "Energy of operators on their cores, by operand")


def _energy(result: dict[str, Any], key: str, title: str) -> Figure:
    rows = operator_energies(result, key)
    parts = sorted({part for own in rows.values() for part, pj in own.items() if pj})
    bars = {part: [own.get(part, 0.0) / 1e6 for own in rows.values()] for part in parts}
    return stacked_bars(list(rows), bars, "energy (uJ)", title)


def roofline(result: dict[str, Any]) -> Figure:
    """Return MACs per cycle over MACs per byte, of DRAM (all cores) and of a core's port, with the roofs of both."""
    figure, axes = figure_and_axes(9.0, 4.4)
    axes.remove()
    whole, port = figure.subplots(1, 2)
    machine = result["manifest"]["machine"]
    shapes = (
        (
            whole,
            "dram",
            float(machine["peak_macs_per_cycle"]),
            float(machine["dram_bytes_per_cycle"]),
            "DRAM, all cores",
        ),
        (
            *(
                port,
                "port",
                float(max(machine["core_macs_per_cycle"].values())),
                float(machine["port_bytes_per_cycle"]),
            ),
            "port of a core",
        ),
    )
    for axis, level, peak, rate, title in shapes:
        points = [point for point in roofline_points(result) if point[level] is not None]
        xs = [point[level]["macs_per_byte"] for point in points]
        ys = [point[level]["macs_per_cycle"] for point in points]
        low, high = (min(xs) / 3, max(xs) * 3) if xs else (0.1, 1000.0)
        ridge = peak / rate
        grid = sorted({low, ridge, max(high, 2 * ridge)})
        axis.plot(grid, [min(peak, rate * x) for x in grid], color="black", linewidth=1)
        axis.scatter(xs, ys, s=18, alpha=0.65, color=COLOURS[0], edgecolors="none")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(f"MACs per byte, {title}")
        axis.set_title(f"{title}: peak {peak:g} MAC/cycle, {rate:g} B/cycle", fontsize=9)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    whole.set_ylabel("MACs per cycle")
    return figure


def pe_regions(result: dict[str, Any]) -> Figure:
    """Return the share of MAC slots used by each block of PEs of each core, over the run."""
    cores = [core for core in result["cores"] if core.get("pe_regions")]
    figure, axes = figure_and_axes(9.0, 0.6 + 2.4 * -(-max(1, len(cores)) // 4))
    if not cores:
        axes.text(0.5, 0.5, "no PE regions in this result", ha="center", va="center")
        axes.set_axis_off()
        return figure
    axes.remove()
    grid = figure.subplots(-(-len(cores) // 4), min(4, len(cores)), squeeze=False).ravel()
    for axis in grid[len(cores) :]:
        axis.set_axis_off()
    for axis, core in zip(grid, cores, strict=False):
        regions, cycles = core["pe_regions"], max(1, result["totals"]["cycles"])
        shares = [
            [macs / (cycles * slots) for macs, slots in zip(*lines, strict=True)]
            for lines in zip(regions["macs"], regions["multipliers"], strict=True)
        ]
        axis.imshow(shares, cmap="viridis", vmin=0, vmax=1)
        for i, line in enumerate(shares):
            for j, share in enumerate(line):
                shade = "white" if share < 0.6 else "black"
                axis.text(j, i, f"{share:.0%}", ha="center", va="center", fontsize=7, color=shade)
        for ticks, key in ((axis.set_xticks, "col_edges"), (axis.set_yticks, "row_edges")):
            ticks(range(len(regions[key]) - 1), [f"{a}-{b - 1}" for a, b in pairwise(regions[key])], fontsize=6)
        axis.set_title(plain(f"{core['name']}: {core['utilisation']:.1%}"), fontsize=9)
    figure.suptitle("MAC slots used over the run, rows down, columns across", fontsize=10)
    return figure


def bandwidth(result: dict[str, Any]) -> Figure:
    """Return bytes per cycle of each level over time, and the share of cores and channel that work."""
    series = result["over_time"]
    size, figure_parts = series["window_cycles"], figure_and_axes(9.0, 4.4)
    figure, axes = figure_parts
    middles = [(index + 0.5) * size for index in range(len(series["bus_cycles"]))]
    for index, level in enumerate(series["read_bytes"]):
        pairs = zip(series["read_bytes"][level], series["write_bytes"][level], strict=True)
        moved = [(read + write) / size for read, write in pairs]
        if any(moved):
            axes.plot(middles, moved, label=level, color=COLOURS[index % len(COLOURS)], linewidth=1.2)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, max(1, result["totals"]["cycles"]))
    axes.set_xlabel("cycles")
    axes.set_ylabel("bytes per cycle, read and written, all cores")
    shares = axes.twinx()
    count = max(1, len(series["busy_cycles"]))
    busy = [sum(own) / (size * count) for own in zip(*series["busy_cycles"].values(), strict=True)]
    shares.fill_between(middles, busy, step="mid", alpha=0.3, color=COLOURS[6], label="cores busy", linewidth=0)
    used = [cycles / size for cycles in series["bus_cycles"]]
    shares.plot(middles, used, color="black", linewidth=0.8, linestyle=":", label="DRAM bus busy")
    shares.set_ylim(0, 1.05)
    shares.set_ylabel("share of the window")
    lines = [*axes.get_legend_handles_labels()[0], *shares.get_legend_handles_labels()[0]]
    labels = [*axes.get_legend_handles_labels()[1], *shares.get_legend_handles_labels()[1]]
    axes.legend(lines, labels, fontsize=7, ncols=5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    return figure


def scratchpads(result: dict[str, Any]) -> Figure:
    """Return the most live bytes of the scratchpads of each core over time, stacked."""
    inside = {name: own for name, own in result["over_time"].get("core_bytes", {}).items() if own}
    figure, axes = figure_and_axes(9.0, 0.9 + 1.3 * max(1, len(inside)))
    if not inside:
        axes.text(0.5, 0.5, "the commands of no core were run", ha="center", va="center")
        axes.set_axis_off()
        return figure
    axes.remove()
    size = result["over_time"]["window_cycles"]
    memories = sorted({memory for own in inside.values() for memory in own})
    grid = figure.subplots(len(inside), 1, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, (name, own) in zip(grid, inside.items(), strict=True):
        edges = [index * size for index in range(len(result["over_time"]["bus_cycles"]))]
        heights = [[held / 1024 for held in own.get(memory, [0] * len(edges))] for memory in memories]
        axis.stackplot(edges, heights, labels=memories, colors=COLOURS[: len(memories)], step="post", linewidth=0)
        axis.set_ylabel(f"{plain(name)}\nKiB live", fontsize=8)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    grid[0].legend(fontsize=7, ncols=5, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    grid[-1].set_xlim(0, max(1, result["totals"]["cycles"]))
    grid[-1].set_xlabel("cycles")
    return figure


METRIC_PLOTS = {
    "waterfall": waterfall,
    "bandwidth": bandwidth,
    "roofline": roofline,
    "energy": energy,
    "operands": operands,
    "pe_regions": pe_regions,
    "scratchpads": scratchpads,
}
