"""From the `dram` part of a description with a `standard` to the channel with its timed device."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hw_models.accelerator import DramChannel
from hw_models.description_schema import DramNode
from hw_models.dram.address import DEFAULT_MAP
from hw_models.dram.channel import TimedDram
from hw_models.dram.energy import CommandEnergy, command_energy, stream_pj_per_byte
from hw_models.dram.standard import DramStandard, load_standard
from hw_models.units import Latency
from hw_models.yaml_edge import YamlPath

if TYPE_CHECKING:
    from hw_models.description_build import _Builder

FIXED_KEYS = ("bandwidth", "latency", "beat", "burst")
TIMED_KEYS = ("channels", "ranks", "map", "hashed", "page", "queue", "batch", "bypass_limit", "refresh")


def timed_channel(builder: _Builder, node: DramNode, path: YamlPath) -> DramChannel | None:
    """Return the channel of a node with a `standard`, or None with the mistakes noted in `builder`."""
    for key in ("bandwidth", "beat", "burst", "arbitration", "clock"):
        if getattr(node, key) is not None:
            builder.mistakes.append(((*path, key), f"key '{key}' follows from dram.standard; remove one of the two"))
    standard = builder.part((*path, "standard"), lambda: load_standard(node.standard or ""))
    if standard is None:
        return None
    device = builder.part(path, lambda: _device(node, standard))
    delay = node.latency or Latency(Fraction(0), in_ns=False)
    latency = builder.part((*path, "latency"), lambda: delay.cycles(builder.clock_mhz))
    if device is None or latency is None:
        return None
    ratio = builder.part((*path, "standard"), lambda: device.ticks_per_cycle(builder.clock_mhz))
    if ratio is None:
        return None
    pj, counted = _energy(builder, node, standard, path)
    rate = device.peak_bytes_per_s / (builder.clock_mhz * 10**6)
    burst = standard.burst_bytes
    source = builder.sources_at((*path, "energy"))
    return builder.part(path, lambda: DramChannel(node.name, rate, latency, burst, burst, pj, source, device, counted))


def _device(node: DramNode, standard: DramStandard) -> TimedDram:
    stated = {key: getattr(node, key) for key in TIMED_KEYS if getattr(node, key) is not None}
    order = stated.pop("map", DEFAULT_MAP)
    return TimedDram(standard, stated.pop("channels", standard.channels), order=order, **stated)


def _energy(
    builder: _Builder, node: DramNode, standard: DramStandard, path: YamlPath
) -> tuple[Fraction, CommandEnergy | None]:
    """Return the energy of a byte, and of the commands where no byte energy is stated."""
    where = (*path, "energy")
    per_byte = stream_pj_per_byte(standard)
    if node.energy is not None:
        return builder.dram_energy(node, path), None
    if per_byte is None:
        builder.mistakes.append(
            (where, f"energy is missing; '{standard.name}' lists no currents, give per_byte with source")
        )
        return Fraction(0), None
    builder.given(where, f"currents of {standard.name}; {standard.source}")
    return per_byte, command_energy(standard)
