"""Energy of DRAM commands from data-sheet currents (Micron TN-40-07, "Calculating Memory Power for DDR4 SDRAM").

The background current is taken out of every command, so that background and commands add up without counting twice.
Termination and I/O energy, and the pump supply (VPP), are not in these currents.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hw_models.dram.standard import DramStandard


@dataclass(frozen=True, slots=True)
class CommandEnergy:
    """Exact energy of all devices of a rank, in pJ.

    Parameters
    ----------
    activate_pj : Fraction
        An activate and its precharge.
    read_pj, write_pj : Fraction
        One burst.
    refresh_pj : Fraction
        One refresh of all banks.
    active_pj_per_tick, idle_pj_per_tick : Fraction
        Standby of a rank with at least one open bank, and with none.
    """

    activate_pj: Fraction
    read_pj: Fraction
    write_pj: Fraction
    refresh_pj: Fraction
    active_pj_per_tick: Fraction
    idle_pj_per_tick: Fraction


def command_energy(standard: DramStandard) -> CommandEnergy | None:
    """Return the energies of `standard`, or None if it lists no currents.

    With tick time T in ns, mA x V x ns = pJ:

    * activate: VDD x (IDD0 tRC - IDD3N tRAS - IDD2N tRP) T
    * read, write: VDD x (IDD4R - IDD3N) burst T, VDD x (IDD4W - IDD3N) burst T
    * refresh: VDD x (IDD5 - IDD3N) tRFC T
    * standby: VDD x IDD3N T with an open bank, VDD x IDD2N T with none
    """
    p, t = standard.power, standard.timing
    if p is None:
        return None
    scale = p.vdd_v * standard.devices * 1000 / standard.clock_mhz
    return CommandEnergy(
        activate_pj=scale * (p.idd0 * t.rc - p.idd3n * t.ras - p.idd2n * t.rp),
        read_pj=scale * (p.idd4r - p.idd3n) * t.burst,
        write_pj=scale * (p.idd4w - p.idd3n) * t.burst,
        refresh_pj=scale * (p.idd5 - p.idd3n) * t.rfc,
        active_pj_per_tick=scale * p.idd3n,
        idle_pj_per_tick=scale * p.idd2n,
    )


def stream_pj_per_byte(standard: DramStandard) -> Fraction | None:
    """Return the energy of one byte of a long sequential transfer, standby and refresh excluded.

    What a mapper may weigh before anything is simulated: the dearer direction plus one activate per row.
    """
    energy = command_energy(standard)
    if energy is None:
        return None
    return max(energy.read_pj, energy.write_pj) / standard.burst_bytes + energy.activate_pj / standard.row_bytes
