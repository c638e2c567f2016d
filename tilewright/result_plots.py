"""The plots of one result as methods, each drawn when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plots:
    """Plots of one result, each a matplotlib figure."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def _draw(self, name: str) -> Figure:
        from tilewright.plots import RESULT_PLOTS

        return RESULT_PLOTS[name](self._data)

    def cycles(self) -> Figure:
        """Return stacked bars of cycles by cause."""
        return self._draw("cycles")

    def energy(self) -> Figure:
        """Return stacked bars of energy by component."""
        return self._draw("energy")

    def roofline(self) -> Figure:
        """Return the roofline."""
        return self._draw("roofline")

    def timeline(self) -> Figure:
        """Return the layers over time."""
        return self._draw("timeline")

    def dram(self) -> Figure:
        """Return DRAM traffic per layer."""
        return self._draw("dram")

    def pe_regions(self) -> Figure:
        """Return the use of the regions of the PE array."""
        return self._draw("pe_regions")
