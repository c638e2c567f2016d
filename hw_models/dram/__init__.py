"""DRAM devices as data: standards with their timing and currents, address mapping, energy per command."""

from __future__ import annotations

from hw_models.dram.address import AddressMap
from hw_models.dram.channel import TimedDram
from hw_models.dram.standard import DramStandard, Timing, load_standard, standard_names

__all__ = ["AddressMap", "DramStandard", "TimedDram", "Timing", "load_standard", "standard_names"]
