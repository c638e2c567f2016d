"""Plots over time and of the whole run: bandwidth, occupancy, and where all cycles went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tilewright.plots import COLOURS, figure_and_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.over_time import OverTime


def waterfall(result: dict[str, Any]) -> Figure:
    """Return the stall waterfall: compute, then each cause, up to the total cycles of the run."""
    parts = {"compute": sum(layer["compute_cycles"] for layer in result["layers"])}
    for layer in result["layers"]:
        for cause, cycles in layer["stall_cycles"].items():
            parts[cause] = parts.get(cause, 0) + cycles
    compute = parts.pop("compute")
    stalls = ((cause, cycles) for cause, cycles in parts.items() if cycles)
    ordered = [("compute", compute), *sorted(stalls, key=lambda part: (-part[1], part[0]))]
    figure, axes = figure_and_axes(7.0, 4.0)
    start, total = 0, result["totals"]["cycles"]
    for index, (cause, cycles) in enumerate(ordered):
        axes.bar(index, cycles, bottom=start, color=COLOURS[0 if cause == "compute" else 1], width=0.7)
        share = f"{100 * cycles / total:.1f} %" if total else ""
        axes.annotate(share, (index, start + cycles), ha="center", va="bottom", fontsize=8)
        start += cycles
    axes.bar(len(ordered), total, color=COLOURS[6], width=0.7)
    axes.set_xticks(range(len(ordered) + 1), [*(cause for cause, _ in ordered), "total"], rotation=30, ha="right")
    axes.set_ylabel("cycles")
    axes.set_title(f"Where {total:,} cycles went", fontsize=10)
    return figure


def bandwidth(series: OverTime) -> Figure:
    """Return bytes per cycle of each level over time, and the use of array and DRAM bus."""
    figure, axes = figure_and_axes(9.0, 4.4)
    middles = [(index + 0.5) * series.bin_cycles for index in range(len(series.array_share))]
    for index, level in enumerate(series.read_bytes):
        pairs = zip(series.read_bytes[level], series.write_bytes[level], strict=True)
        moved = [(read + write) / series.bin_cycles for read, write in pairs]
        if any(moved):
            axes.plot(middles, moved, label=level, color=COLOURS[index], linewidth=1.2)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("cycle")
    axes.set_ylabel("bytes per cycle, read and written")
    shares = axes.twinx()
    shares.fill_between(middles, series.array_share, step="mid", alpha=0.15, color=COLOURS[6], label="array busy")
    shares.plot(middles, series.bus_share, color="black", linewidth=0.8, linestyle=":", label="DRAM bus busy")
    shares.set_ylim(0, 1.05)
    shares.set_ylabel("share of the bin")
    lines = [*axes.get_legend_handles_labels()[0], *shares.get_legend_handles_labels()[0]]
    labels = [*axes.get_legend_handles_labels()[1], *shares.get_legend_handles_labels()[1]]
    axes.legend(lines, labels, fontsize=7, ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16))
    return figure


def occupancy(series: OverTime) -> Figure:
    """Return the live bytes of each memory over time."""
    figure, axes = figure_and_axes(9.0, 3.6)
    edges = [index * series.bin_cycles for index in range(len(series.array_share))]
    for index, (memory, live) in enumerate(series.occupied_bytes.items()):
        axes.step(edges, [count / 1024 for count in live], where="post", label=memory, color=COLOURS[index])
    axes.set_xlabel("cycle")
    axes.set_ylabel("live KiB, most in the bin")
    axes.legend(fontsize=7, ncols=5, frameon=False)
    return figure
