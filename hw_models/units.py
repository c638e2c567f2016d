"""Quantities with unit suffixes, read exactly (§3.2, §6 of the contract).

Every reader takes text such as ``64KiB`` or ``12.8GB/s`` and returns an exact number in the one unit that its name
states. Decimal prefixes are powers of 1000, ``Ki``/``Mi``/``Gi`` powers of 1024, ``B`` is a byte, ``b`` a bit. A bare
number is refused: the unit is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from workloads.errors import InputError

_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)(?:[eE]([+-]?[0-9]{1,2}))?\s*([^\s0-9].*)?")

_BYTES = {
    "B": Fraction(1),
    "KB": Fraction(1000),
    "kB": Fraction(1000),
    "MB": Fraction(1000**2),
    "GB": Fraction(1000**3),
    "KiB": Fraction(1 << 10),
    "MiB": Fraction(1 << 20),
    "GiB": Fraction(1 << 30),
}
_PER_CYCLE = {"B/cycle": Fraction(1)}
_PER_SECOND = {f"{name}/s": scale for name, scale in _BYTES.items()} | {
    "Gb/s": Fraction(1000**3, 8),
    "Mb/s": Fraction(1000**2, 8),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One kind of quantity: its name in messages, the accepted suffixes with their scale, an example."""

    kind: str
    scales: Mapping[str, Fraction]
    example: str

    def parse(self, text: object) -> Fraction:
        """Return the exact value of `text` in the base unit.

        Raises
        ------
        InputError
            If the unit is missing or unknown, or the number is negative or malformed.
        """
        if isinstance(text, bool) or not isinstance(text, int | float | str):
            raise InputError(f"value is {text!r}, {self.kind} is needed; write it like {self.example}")
        match = _QUANTITY.fullmatch(str(text).strip())
        if match is None:
            raise InputError(f"'{text}' is not {self.kind}; write it like {self.example}")
        number, exponent, suffix = match.groups()
        if not suffix:
            raise InputError(f"'{text}' has no unit; add one of {', '.join(self.scales)}, for example {self.example}")
        if suffix not in self.scales:
            near = [name for name in self.scales if name.lower() == suffix.lower()]
            hint = f"did you mean {near[0]}?" if near else f"write it like {self.example}"
            raise InputError(f"'{text}' has the unit '{suffix}', {self.kind} takes {', '.join(self.scales)}; {hint}")
        return Fraction(number) * Fraction(10) ** int(exponent or 0) * self.scales[suffix]


BYTES = Unit("a size in bytes", MappingProxyType(_BYTES), "64KiB")
FREQUENCY_MHZ = Unit(
    "a frequency",
    MappingProxyType({"Hz": Fraction(1, 10**6), "kHz": Fraction(1, 1000), "MHz": Fraction(1), "GHz": Fraction(1000)}),
    "200MHz",
)
BANDWIDTH = Unit("a bandwidth", MappingProxyType(_PER_CYCLE | _PER_SECOND), "12.8GB/s")
BYTES_PER_CYCLE = Unit("a port width", MappingProxyType(_PER_CYCLE), "32B/cycle")
ENERGY_PJ = Unit(
    "an energy",
    MappingProxyType({"fJ": Fraction(1, 1000), "pJ": Fraction(1), "nJ": Fraction(1000), "uJ": Fraction(10**6)}),
    "0.23pJ",
)
LATENCY = Unit(
    "a latency",
    MappingProxyType(
        {
            "cycle": Fraction(1),
            "cycles": Fraction(1),
            "ps": Fraction(1, 1000),
            "ns": Fraction(1),
            "us": Fraction(1000),
            "ms": Fraction(10**6),
        }
    ),
    "40cycles",
)
NODE_NM = Unit("a technology node", MappingProxyType({"nm": Fraction(1)}), "45nm")


def _whole(value: Fraction, text: object, what: str) -> int:
    if value.denominator != 1:
        raise InputError(f"'{text}' is {float(value):g} {what}, a whole number is needed; round it")
    return value.numerator


def parse_bytes(text: object) -> int:
    """Return a size in bytes: ``64KiB``, ``1MiB``, ``128B``; ``KB`` is 1000 bytes."""
    return _whole(BYTES.parse(text), text, "bytes")


def parse_frequency_mhz(text: object) -> Fraction:
    """Return a frequency in MHz, exact: above 0 and up to 1000 GHz."""
    value = FREQUENCY_MHZ.parse(text)
    if not 0 < value <= 10**6:
        raise InputError(f"'{text}' is {float(value):g} MHz, bound is above 0 and up to 1000 GHz; write it like 200MHz")
    return value


def parse_energy_pj(text: object) -> Fraction:
    """Return an energy in pJ, exact."""
    return ENERGY_PJ.parse(text)


def parse_node_nm(text: object) -> int:
    """Return a technology node in nm."""
    return _whole(NODE_NM.parse(text), text, "nm")


def parse_port_bytes_per_cycle(text: object) -> int:
    """Return a port width in bytes per cycle: ``32B/cycle``."""
    return _whole(BYTES_PER_CYCLE.parse(text), text, "bytes per cycle")


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes per cycle, or bytes per second until a clock is known."""

    value: Fraction
    per_second: bool

    def bytes_per_cycle(self, clock_mhz: Fraction) -> Fraction:
        """Return the bandwidth in bytes per cycle of `clock_mhz`, exact."""
        return self.value / (clock_mhz * 10**6) if self.per_second else self.value


def parse_bandwidth(text: object) -> Bandwidth:
    """Return a bandwidth: ``12.8GB/s`` or ``32B/cycle``."""
    value = BANDWIDTH.parse(text)
    return Bandwidth(value, per_second=str(text).rstrip().endswith("/s"))


@dataclass(frozen=True, slots=True)
class Latency:
    """Cycles, or nanoseconds until a clock is known."""

    value: Fraction
    in_ns: bool

    def cycles(self, clock_mhz: Fraction) -> int:
        """Return the latency in cycles of `clock_mhz`.

        Raises
        ------
        InputError
            If a time is not a whole number of cycles (§3.1: no silent rounding).
        """
        cycles = self.value * clock_mhz / 1000 if self.in_ns else self.value
        if cycles.denominator != 1:
            near = -(-cycles.numerator // cycles.denominator)
            raise InputError(
                f"latency is {float(cycles):g} cycles of {float(clock_mhz):g} MHz, a whole number is needed; "
                f"write {near}cycles"
            )
        return cycles.numerator


def parse_latency(text: object) -> Latency:
    """Return a latency: ``40cycles`` or ``100ns``."""
    value = LATENCY.parse(text)
    return Latency(value, in_ns=str(text).rstrip().endswith("s") and not str(text).rstrip().endswith("cycles"))
