"""Plots of network-level runs: Gantt of cores and DMA, occupancy of the shared scratchpad with its capacity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mappers.network.program import Compute, Load
from tilewright.plots import COLOURS, figure_and_axes, plain, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.network.result import NetworkResult

WAITING = "#e8e8e8"
SHADES = tuple(shade for shade in COLOURS if shade != "#bbbbbb")
"""Colours of operators and tensors: none that looks like waiting."""


def gantt(result: NetworkResult) -> Figure:
    """Return cores, load and store engine over time; a new colour per operator, waits of a core in grey."""
    figure, axes = figure_and_axes(9.0, 1.0 + 0.5 * (len(result.cores) + 3))
    lanes = [row.name for row in result.cores] + ["load", "store", "channel"]
    colour: dict[str, str] = {}
    for task, span in zip(result.program.tasks, result.run.spans, strict=True):
        if isinstance(task, Compute):
            lane = lanes.index(task.core)
            shade = colour.setdefault(task.operator, SHADES[len(colour) % len(SHADES)])
            if span.start > span.ready:
                axes.broken_barh([(span.ready, span.start - span.ready)], (lane - 0.4, 0.8), color=WAITING)
            axes.broken_barh([(span.start, max(1, span.end - span.start))], (lane - 0.4, 0.8), color=shade)
        else:
            lane = lanes.index("load" if isinstance(task, Load) else "store")
            shade = {"fetch": "#4477aa", "retrieve": "#ee6677", "spill": "#ee6677", "output": "#228833"}[task.kind]
            axes.broken_barh([(span.start, max(1, span.end - span.start))], (lane - 0.4, 0.8), color=shade)
    for way, shade in ((0, "#4477aa"), (1, "#228833")):
        busy = [(a / result.run.bus_units, (b - a) / result.run.bus_units) for w, a, b in result.run.bus if w == way]
        axes.broken_barh(_joined(busy, result.run.cycles / 4000), (len(lanes) - 1.4, 0.8), color=shade)
    axes.set_yticks(range(len(lanes)), [plain(lane) for lane in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(0, result.run.cycles)
    axes.set_xlabel("cycles")
    title = plain(f"{result.program.workload} on {result.program.cluster}: {result.run.cycles:,} cycles")
    axes.set_title(
        f"{title}\nload: fetch blue, retrieve red; store: output green, spill red; channel: reads blue, writes green; "
        "grey: a core waits",
        fontsize=9,
    )
    return figure


def occupancy(result: NetworkResult) -> Figure:
    """Return the bytes live in the shared scratchpad over time, and its capacity."""
    title = f"{result.program.workload} on {result.program.cluster}"
    return draw_occupancy(result.run.memory.timeline, result.run.cycles, result.program.capacity_bytes, title)


def draw_occupancy(points: Sequence[Sequence[int]], end_cycle: int, capacity_bytes: int, title: str) -> Figure:
    """Return bytes over time from (cycle, bytes live) points, with the capacity line."""
    figure, axes = figure_and_axes(9.0, 3.2)
    last = {point[0]: point[1] for point in points}
    live = [*(size / 1024 for size in last.values()), 0.0]
    axes.fill_between([*last, end_cycle], live, step="post", color="#4477aa", alpha=0.6, linewidth=0)
    capacity = capacity_bytes / 1024
    axes.axhline(capacity, color="#ee6677", linewidth=1.2)
    axes.annotate("capacity", (end_cycle, capacity), ha="right", va="bottom", color="#ee6677", fontsize=9)
    axes.set_xlim(0, end_cycle)
    axes.set_ylim(0, capacity * 1.12)
    axes.set_xlabel("cycles")
    axes.set_ylabel("KiB live")
    axes.set_title(plain(f"shared scratchpad, {title}"), fontsize=9)
    return figure


def addresses(result: NetworkResult) -> Figure:
    """Return every stay in the shared scratchpad as a box: time across, addresses up; tiles of streams in grey."""
    from matplotlib.patches import Rectangle

    figure, axes = figure_and_axes(9.0, 4.2)
    colour: dict[str, str] = {}
    for number, (start, end) in sorted(result.run.memory.stays.items()):
        region = result.program.regions[number]
        shade = WAITING if region.staging else colour.setdefault(region.tensor, SHADES[len(colour) % len(SHADES)])
        corner, width, height = (start, region.address / 1024), max(1, end - start), region.size_bytes / 1024
        axes.add_patch(Rectangle(corner, width, height, facecolor=shade, edgecolor="white", linewidth=0.3))
    capacity = result.program.capacity_bytes / 1024
    axes.axhline(capacity, color="#ee6677", linewidth=1.2)
    axes.set_xlim(0, result.run.cycles)
    axes.set_ylim(0, capacity * 1.05)
    axes.set_xlabel("cycles")
    axes.set_ylabel("address (KiB)")
    title = f"stays in the shared scratchpad, {result.program.workload} on {result.program.cluster}"
    axes.set_title(plain(title), fontsize=9)
    return figure


def _joined(spans: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Return (start, length) intervals with those closer than `gap` joined, which no eye could part."""
    made: list[tuple[float, float]] = []
    for start, length in spans:
        if made and start <= made[-1][0] + made[-1][1] + gap:
            made[-1] = (made[-1][0], start + length - made[-1][0])
        else:
            made.append((start, length))
    return made


NETWORK_PLOTS = {"gantt": gantt, "occupancy": occupancy, "addresses": addresses}


def save_network_plots(result: NetworkResult, folder: Path) -> list[Path]:
    """Write every plot into `folder` as PNG and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in NETWORK_PLOTS.items():
        path = folder / f"{name}.png"
        save(draw(result), path)
        paths.append(path)
    return paths
