"""Zero skipping: the Eyeriss v2 PE from densities and from drawn masks, and a dual-side core."""

from __future__ import annotations

import numpy as np

from hw_models.broadcast_row import BroadcastRow
from hw_models.skip_pe import DualSideCore, SkipPE
from tilewright.validation.figures import load_figures
from tilewright.validation.rows import Row

SEED = 20
DENSITY = "zeros are taken to lie independently; the network's own masks are not published"
DRAWN = DENSITY + "; masks drawn here at the published densities"
EIE = "padding zeros of the 4-bit column index and pipeline bubbles; masks drawn here, densities recalled"
DUAL = "memory side; the tile and piece sizes are recalled"


def rows() -> list[Row]:
    """Return the rows."""
    figures = load_figures("sparse")
    data = figures.data
    pe = SkipPE(**data["pe"])
    machine, out = "Eyeriss v2 PE", []
    generator = np.random.default_rng(SEED)
    for name, kernels, high, wide, channels, dense_in, dense_w, sparseloop, chip in data["layers"]:
        macs = kernels * high * wide * channels
        workload = f"MobileNet-0.5 {name}"
        expected = pe.expected_cycles(macs, dense_in, dense_w)
        drawn = pe.cycles(
            generator.random((high * wide, channels)) < dense_in, generator.random((kernels, channels)) < dense_w
        )
        out += [
            figures.row("sparseloop", machine, workload, "cycles against Sparseloop", expected, published=sparseloop),
            figures.row(
                "chip", machine, workload, "cycles from densities", expected, published=chip, not_modelled=DENSITY
            ),
            figures.row(
                "chip", machine, workload, "cycles from drawn masks", drawn, published=chip, gates=False,
                not_modelled=DRAWN,
            ),
        ]  # fmt: skip
    row = BroadcastRow(data["eie"]["pes"], data["eie"]["queue"])
    for name, high, wide, dense_w, dense_in, actual, even in data["eie"]["layers"]:
        live = int((generator.random(wide) < dense_in).sum())
        drawn_weights = generator.random((high, live), dtype=np.float32) < dense_w
        taken, least = row.cycles(np.ones(live, dtype=np.bool_), drawn_weights)
        out.append(
            figures.row(
                "eie", "EIE, 64 PEs", name, "time over evenly spread work", taken / least,
                published=round(actual / even, 3), gates=False, not_modelled=EIE,
            )
        )  # fmt: skip
    dual = data["dual_side"]
    core = DualSideCore(*dual["tile"], *dual["piece"])
    dense = core.expected_cycles(1, 1.0, 1.0)
    for a, b, ratio in dual["ratios"]:
        out.append(
            figures.row(
                "dual", "dual-side core", f"4096^3, densities {a} and {b}", "speed over dense",
                dense / core.expected_cycles(1, a, b), published=ratio, not_modelled=DUAL,
            )
        )  # fmt: skip
    return out
