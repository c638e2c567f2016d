"""DRAM standards: organisation, timing and currents of a speed bin, read from `standards.json` with their sources.

Times are integers of the command clock, whose frequency is the exact rate of the bin, never a rounded period.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any

from workloads.errors import InputError
from workloads.nearest import nearest


@dataclass(frozen=True, slots=True)
class Timing:
    """Constraints between commands, JEDEC names, all in ticks of the command clock.

    Parameters
    ----------
    burst : int
        Data bus time of one burst (BL/2 on a bus of two transfers per tick).
    cl, cwl : int
        From a read or write command to its first data.
    rcd_read, rcd_write, rp, ras : int
        Activate to column command, precharge to activate, activate to precharge of one bank. tRC is ras + rp.
    rfc, refi : int
        Refresh to the next command of the rank, and the mean interval of refreshes.
    rrd_s, rrd_l, faw : int
        Activate to activate in another and in the same bank group, and the window of any four activates of a rank.
    ccd_s, ccd_l : int
        Column to column command of one direction, other and same bank group.
    wtr_s, wtr_l : int
        End of write data to a read command of the rank, other and same bank group.
    wr, rtp : int
        End of write data to precharge, and read command to precharge, of one bank.
    rank_switch, read_to_write : int
        Idle ticks of the data bus between ranks, and from read to write data.
    """

    burst: int
    cl: int
    cwl: int
    rcd_read: int
    rcd_write: int
    rp: int
    ras: int
    rfc: int
    refi: int
    rrd_s: int
    rrd_l: int
    faw: int
    ccd_s: int
    ccd_l: int
    wtr_s: int
    wtr_l: int
    wr: int
    rtp: int
    rank_switch: int
    read_to_write: int

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0 < value < 1 << 20:
                raise InputError(f"DRAM timing: {item.name} is {value} ticks, bound is 1..{(1 << 20) - 1}; correct it")
        if self.ccd_l < self.ccd_s or self.rrd_l < self.rrd_s or self.wtr_l < self.wtr_s:
            raise InputError("DRAM timing: a same-group time is below its other-group time; correct it")
        if self.cl + self.burst + self.read_to_write <= self.cwl:
            raise InputError(
                f"DRAM timing: cwl is {self.cwl} ticks, bound is below cl + burst + read_to_write; correct it"
            )

    @property
    def rc(self) -> int:
        """Value of the activate to activate time of one bank."""
        return self.ras + self.rp

    @property
    def column_ticks(self) -> int:
        """Value of the least time between two column commands of one direction."""
        return max(self.ccd_s, self.burst)


@dataclass(frozen=True, slots=True)
class Currents:
    """Currents of one device in mA at `vdd_v` volts, IDD names of the data sheets."""

    vdd_v: Fraction
    idd0: Fraction
    idd2n: Fraction
    idd3n: Fraction
    idd4r: Fraction
    idd4w: Fraction
    idd5: Fraction


@dataclass(frozen=True, slots=True)
class DramStandard:
    """One speed bin of one device, and how many devices share a channel's bus.

    Parameters
    ----------
    columns : int
        Column addresses of a row; each holds `device_bits` per device.
    devices : int
        Devices of a rank in lockstep.
    channels : int
        Channels of one stack or module.
    separate_row_commands : bool
        Row and column commands have a bus each (HBM); else they share one, a command per tick.
    power : Currents or None
        None where the source lists none; energy must then be given in the description.
    """

    name: str
    protocol: str
    source: str
    clock_mhz: Fraction
    bank_groups: int
    banks_per_group: int
    rows: int
    columns: int
    burst_length: int
    device_bits: int
    devices: int
    channels: int
    separate_row_commands: bool
    timing: Timing
    power: Currents | None

    @property
    def burst_bytes(self) -> int:
        """Value of the bytes of one burst over all devices of a rank."""
        return self.burst_length * self.device_bits * self.devices // 8

    @property
    def row_bytes(self) -> int:
        """Value of the bytes of one open row over all devices of a rank."""
        return self.columns * self.device_bits * self.devices // 8

    @property
    def bursts_per_row(self) -> int:
        """Value of the bursts of one row."""
        return self.columns // self.burst_length

    @property
    def peak_bytes_per_s(self) -> Fraction:
        """Value of the data bus rate of one channel."""
        return self.burst_bytes * self.clock_mhz * 10**6 / self.timing.burst

    @property
    def rank_bytes(self) -> int:
        """Value of the capacity of one rank."""
        return self.rows * self.bank_groups * self.banks_per_group * self.row_bytes


@cache
def _table() -> dict[str, DramStandard]:
    text = (resources.files("hw_models.dram") / "standards.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["standards"]
    return {row["name"]: _standard(row) for row in rows}


def _standard(row: dict[str, Any]) -> DramStandard:
    power = row["power"]
    currents = None if power is None else Currents(**{key: Fraction(value) for key, value in power.items()})
    changed = {"clock_mhz": Fraction(row["clock_mhz"]), "timing": Timing(**row["timing"]), "power": currents}
    return DramStandard(**(row | changed))


def standard_names() -> tuple[str, ...]:
    """Return the names of the known standards, in the order of the table."""
    return tuple(_table())


def load_standard(name: str) -> DramStandard:
    """Return the standard `name`.

    Raises
    ------
    InputError
        If the table has no such standard.
    """
    table = _table()
    if name not in table:
        raise InputError(f"DRAM standard '{name}' is unknown{nearest(name, table)}; use one of {', '.join(table)}")
    return table[name]
