"""Plot of the PE regions of a result: a map over the run beside the spread within each layer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tilewright.plots import COLOURS, figure_and_axes, plain
from workloads.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shares(result: dict[str, Any]) -> tuple[list[list[float]], list[list[list[float]]]]:
    """Return the share of used MAC slots of each region over the run, and of each layer over its own window.

    Raises
    ------
    InputError
        If the result has no regions (row-stationary machines, files of earlier versions).
    """
    regions = result.get("pe_regions")
    if regions is None:
        raise InputError("pe_regions: this result has none; simulate again on a machine with folds")
    rows, cols = (list(pairwise(regions[key])) for key in ("row_edges", "col_edges"))
    peak = float(result["manifest"]["machine"]["peak_macs_per_cycle"])
    each = peak / (regions["row_edges"][-1] * regions["col_edges"][-1])
    pes = [[(b - a) * (d - c) * each for c, d in cols] for a, b in rows]

    def of(blocks: list[list[int]], cycles: float) -> list[list[float]]:
        return [
            [macs / (cycles * size) if cycles else 0.0 for macs, size in zip(line, sizes, strict=True)]
            for line, sizes in zip(blocks, pes, strict=True)
        ]

    every = regions["layer_macs"]
    layers = [of(blocks, _window(layer, peak)) for blocks, layer in zip(every, result["layers"], strict=True)]
    total = [[sum(blocks[i][j] for blocks in every) for j in range(len(cols))] for i in range(len(rows))]
    return of(total, result["totals"]["cycles"]), layers


def _window(layer: dict[str, Any], peak: float) -> float:
    """Return the cycles that a layer's utilisation is over: its part of the run, from its first array command on."""
    return float(layer["macs"] / (layer["utilisation"] * peak)) if layer["utilisation"] else 0.0


def draw(result: dict[str, Any]) -> Figure:
    """Return the figure; a result without regions gives one that says so."""
    figure, axes = figure_and_axes(9.0, 4.2)
    if result.get("pe_regions") is None:
        axes.text(0.5, 0.5, "no PE regions in this result", ha="center", va="center")
        axes.set_axis_off()
        return figure
    total, layers = shares(result)
    regions = result["pe_regions"]
    axes.remove()
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    left.imshow(total, cmap="viridis", vmin=0, vmax=1)
    for i, line in enumerate(total):
        for j, share in enumerate(line):
            left.text(
                j, i, f"{share:.1%}", ha="center", va="center", fontsize=8, color="white" if share < 0.6 else "black"
            )
    for axis, key in ((left.set_xticks, "col_edges"), (left.set_yticks, "row_edges")):
        axis(range(len(regions[key]) - 1), [f"{a}-{b - 1}" for a, b in pairwise(regions[key])])
    left.set_xlabel("columns")
    left.set_ylabel("rows")
    left.set_title("MAC slots used over the run", fontsize=9)
    shown = [(layer["name"], blocks) for layer, blocks in zip(result["layers"], layers, strict=True) if layer["macs"]]
    for place, (_, blocks) in enumerate(shown):
        flat = [share for line in blocks for share in line]
        right.plot([place, place], [min(flat), max(flat)], color=COLOURS[6], linewidth=3)
        right.plot(place, sum(flat) / len(flat), "o", color=COLOURS[0], markersize=3)
    right.set_xticks(
        range(len(shown)), [plain(name) for name, _ in shown], rotation=90, fontsize=4 if len(shown) > 30 else 7
    )
    right.set_ylim(0, max(1.02, *right.get_ylim()))
    right.set_ylabel("MAC slots used in the layer's window")
    right.set_title("layers: idlest to busiest region, mean of the array", fontsize=9)
    return figure
