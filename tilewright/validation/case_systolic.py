"""SCALE-Sim golden traces: cycles of folds that do not overlap, to the cycle."""

from __future__ import annotations

from hw_models.scalesim import count
from tilewright.validation.figures import load_figures
from tilewright.validation.rows import Row

NOT_MODELLED = "stalls of the tool's SRAM and DRAM model; folds are counted in the tool's convention, not the cores'"


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("systolic")
    out = []
    for key, (flow, high, wide, m, k, n) in figures.data["jobs"].items():
        counted = count(flow, high, wide, m, k, n)
        machine = f"SCALE-Sim {high}x{wide} {flow}"
        out.append(
            figures.row(key, machine, f"{m}x{k}x{n}", "cycles", counted.compute_cycles, not_modelled=NOT_MODELLED)
        )
        if f"{key} efficiency" in figures.data_ids:
            share = 100 * counted.mapping_efficiency
            out.append(figures.row(f"{key} efficiency", machine, f"{m}x{k}x{n}", "mapping efficiency", share))
    return out
