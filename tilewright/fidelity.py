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
    return (
        *_banks(accelerator, fidelity),
        *_transfers(accelerator, fidelity),
        *_clocks(accelerator, fidelity),
        TIMED_CHANNEL if timed else FIXED_CHANNEL,
        *ALWAYS[1:],
    )


def _transfers(accelerator: Accelerator, fidelity: str) -> tuple[str, ...]:
    """Return what closed forms leave out of DMA engines, hosts and links that have limits."""
    dma = accelerator.core.dma
    parts = [
        name
        for name, stated in (
            ("requests in flight, bursts and descriptors of the DMA", dma.sends_requests),
            ("the time of the host between commands", dma.host is not None),
            ("the link between core and memory", accelerator.core.link is not None),
        )
        if stated
    ]
    if not parts:
        return ()
    counted = "" if fidelity == "analytic" else ", the event model counts them"
    return (f"{' and '.join(parts)}: closed forms and the mapper's bounds leave them out{counted}",)


def _clocks(accelerator: Accelerator, fidelity: str) -> tuple[str, ...]:
    """Return what is left out between clock domains."""
    if not accelerator.own_clocks():
        return ()
    phases = "" if fidelity == "event" else " and waits for the next edge"
    return (f"synchronisers{phases} between the clock domains ({', '.join(accelerator.own_clocks())} on their own)",)


def _banks(accelerator: Accelerator, fidelity: str) -> tuple[str, ...]:
    """Return what is left out of the banks of the scratchpads."""
    core = accelerator.core
    if not core.has_banks:
        return (ALWAYS[0],)
    without = [pad.name for pad in (core.input, core.weight, core.accumulator) if pad.banks is None]
    first = (f"bank conflicts of the scratchpads that state no banks: {', '.join(without)}",) if without else ()
    closed = "bank conflicts: closed forms and the mapper's bounds leave them out"
    if fidelity == "analytic":
        return (*first, closed)
    return (
        *first,
        f"{closed}, the event model counts them",
        "bank conflicts of writes by DMA and vector unit and of the staging memories; banks in the energy of an access",
    )
