"""What a result leaves out, by machine and fidelity (contract §3.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw_models.accelerator import Accelerator

ALWAYS = (
    "bank and port conflicts of the scratchpads: layouts are taken as conflict-free, without their row padding "
    "(docs/architecture.md section 2)",
    "alignment of channel slices inside a scratchpad word",
    "leakage, clock tree, control and wires in the energy",
    "values: shapes and formats only, no tensor is computed",
)
FIXED_CHANNEL = "DRAM rows, banks and refresh: the channel has a fixed latency and bandwidth"
TIMED_CHANNEL = (
    "DRAM: per-bank and postponed refresh, power-down, commands of more than one tick, energy of termination and of "
    "the controller"
)


def not_modelled(accelerator: Accelerator, fidelity: str) -> tuple[str, ...]:
    """Return what a run of `fidelity` on `accelerator` leaves out."""
    timed = accelerator.dram.device is not None and fidelity == "event"
    return (ALWAYS[0], TIMED_CHANNEL if timed else FIXED_CHANNEL, *ALWAYS[1:])
