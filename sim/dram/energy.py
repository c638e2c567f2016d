"""DRAM energy of every layer from the commands that the controllers sent (§3.10: currents and source in the table).

A load or store pays for its bursts and for the activates sent for them. Standby and refresh of all ranks are shared
among the layers by the cycles of their windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from hw_models.accelerator import Accelerator, DramChannel
from mappers.commands import LoadCommand, Program, StoreCommand
from sim.dram.report import ChannelCounts, DramRun


class HasDram(Protocol):
    """An accelerator or a cluster: whatever has one DRAM."""

    @property
    def dram(self) -> DramChannel:
        """Value of its DRAM."""


def standby_pj(run: DramRun, accelerator: HasDram) -> Fraction:
    """Return standby and refresh energy of all ranks and channels over the run, exact."""
    energy = accelerator.dram.command_energy
    assert energy is not None
    total, ranks = run.total, run.ranks * len(run.channels)
    idle = run.ticks * ranks - total.active_rank_ticks
    standby = total.active_rank_ticks * energy.active_pj_per_tick + idle * energy.idle_pj_per_tick
    return standby + total.refreshes * energy.refresh_pj


def counted_pj(counts: ChannelCounts, accelerator: HasDram) -> Fraction:
    """Return the energy of the bursts and activates of a channel, exact."""
    energy = accelerator.dram.command_energy
    assert energy is not None
    return counts.reads * energy.read_pj + counts.writes * energy.write_pj + counts.activates * energy.activate_pj


def layer_energy_pj(
    program: Program, run: DramRun, accelerator: Accelerator, layer_cycles: Sequence[int]
) -> list[Fraction]:
    """Return the energy of every layer, exact; they sum to that of the channels and their standby."""
    energy = accelerator.dram.command_energy
    assert energy is not None
    standby, cycles = standby_pj(run, accelerator), sum(layer_cycles)
    last = len(layer_cycles) - 1
    shares = [
        standby * Fraction(part, cycles) if cycles else standby * (index == last)
        for index, part in enumerate(layer_cycles)
    ]
    streams = [iter(commands) for commands in run.commands]
    per_burst = (energy.read_pj, energy.write_pj)
    for command in program.commands:
        if isinstance(command, LoadCommand | StoreCommand):
            direction = int(isinstance(command, StoreCommand))
            bursts, activates = next(streams[2 * command.dma + direction])
            shares[command.layer] += bursts * per_burst[direction] + activates * energy.activate_pj
    return shares


def summary(run: DramRun, accelerator: HasDram) -> dict[str, object]:
    """Return what the DRAM did as plain data for a result."""
    total, device = run.total, accelerator.dram.device
    assert device is not None
    bursts = total.reads + total.writes
    return {
        "standard": device.standard.name,
        "channels": device.channels,
        "ranks": device.ranks,
        "ticks": run.ticks,
        "tick_mhz": float(device.standard.clock_mhz),
        "read_bursts": total.reads,
        "write_bursts": total.writes,
        "burst_bytes": device.standard.burst_bytes,
        "activates": total.activates,
        "precharges": total.precharges,
        "refreshes": total.refreshes,
        "row_hit_share": float(Fraction(total.row_hits, bursts)) if bursts else 0.0,
        "data_bus_busy_ticks": total.busy_ticks,
        "data_bus_idle_ticks": dict(total.gap_ticks),
    }
