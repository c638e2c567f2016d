"""tilewright: accelerator co-design simulator, the front door.

>>> import tilewright as tw                                     # doctest: +SKIP
>>> result = tw.simulate("resnet50", arch="edge_int8")          # doctest: +SKIP
>>> result.totals.cycles                                        # doctest: +SKIP

Everything is imported on first use, so that ``import tilewright`` and ``tilewright --help`` stay fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tilewright.api import Simulation, check, load_result, load_workload, map_network, simulate, sweep, verify
    from tilewright.placing import place

__version__ = "0.1.0"

_API = ("Simulation", "check", "load_result", "load_workload", "map_network", "simulate", "sweep", "verify")

__all__ = [
    "Simulation",
    "__version__",
    "check",
    "load_result",
    "load_workload",
    "map_network",
    "place",
    "simulate",
    "sweep",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _API:
        from tilewright import api

        return getattr(api, name)
    if name == "place":
        from tilewright.placing import place

        return place
    raise AttributeError(f"module 'tilewright' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
