"""Gemmini's default configuration: the bound of ResNet-50, and how far the network stays below it."""

from __future__ import annotations

from tilewright.api import Simulation, simulate
from tilewright.validation.figures import load_figures
from tilewright.validation.rows import Row

ARCH = "gemmini_16x16"
NOT_MODELLED = (
    "the host core that issues every instruction, the L2 between scratchpad and DRAM, address translation; the figure "
    "is recalled, and of another memory"
)


def _frames_per_s(run: Simulation) -> float:
    return 1 / run.totals.time_s


def rows() -> list[Row]:
    """Return the rows; only the bound gates."""
    figures = load_figures("gemmini")
    machine = "Gemmini 16x16, 1 GHz"
    resnet, mobile = (simulate(name, arch=ARCH) for name in ("resnet50", "mobilenet_v2"))
    peak = resnet.result.manifest["machine"]["peak_macs_per_cycle"]
    ideal = peak * resnet.result.manifest["machine"]["reference_clock_mhz"] * 1e6 / resnet.totals.macs
    return [
        figures.row("ideal", machine, "ResNet-50", "bound of the array", ideal),
        figures.row("resnet50", machine, "ResNet-50", "rate", _frames_per_s(resnet), not_modelled=NOT_MODELLED),
        figures.row(
            "mobilenet ratio",
            machine,
            "MobileNet V2 by ResNet-50",
            "rate",
            _frames_per_s(mobile) / _frames_per_s(resnet),
            not_modelled=NOT_MODELLED,
        ),
    ]
