"""DRAM standards, energies from currents by hand, descriptions with a standard, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hw_models.description import load_accelerator
from hw_models.dram import TimedDram, load_standard, standard_names
from hw_models.dram.energy import command_energy
from hw_models.layer_engine import engine_params
from workloads.errors import InputError


@pytest.mark.parametrize(
    ("name", "gb_per_s", "burst_bytes", "row_bytes"),
    [
        ("DDR3-1600", 12.8, 64, 16384), ("DDR4-2400", 19.2, 64, 8192), ("DDR4-3200", 25.6, 64, 8192),
        ("LPDDR4-2400", 19.2, 128, 8192), ("LPDDR5-6400", 12.8, 32, 2048), ("HBM2-2000", 32.0, 64, 1024),
    ],
)  # fmt: skip
def test_rates_and_sizes_follow_from_the_table(name: str, gb_per_s: float, burst_bytes: int, row_bytes: int) -> None:
    standard = load_standard(name)
    assert float(standard.peak_bytes_per_s) == gb_per_s * 1e9
    assert (standard.burst_bytes, standard.row_bytes) == (burst_bytes, row_bytes)


def test_every_standard_has_a_source_and_makes_a_memory() -> None:
    for name in standard_names():
        standard = load_standard(name)
        assert standard.source
        assert TimedDram(standard, standard.channels).capacity_bytes == standard.channels * standard.rank_bytes


def test_energy_of_ddr4_2400_by_hand() -> None:
    """Eight devices at 1.2 V and 1/1.2 ns per tick: 8 pJ per mA and tick."""
    energy = command_energy(load_standard("DDR4-2400"))
    assert energy is not None
    assert energy.activate_pj == 8 * (48 * 56 - 43 * 39 - 34 * 17)
    assert (energy.read_pj, energy.write_pj) == (8 * (135 - 43) * 4, 8 * (123 - 43) * 4)
    assert (energy.refresh_pj, energy.active_pj_per_tick, energy.idle_pj_per_tick) == (8 * 207 * 420, 8 * 43, 8 * 34)
    assert command_energy(load_standard("LPDDR5-6400")) is None


def test_a_standard_replaces_the_fixed_channel() -> None:
    fixed, timed = load_accelerator("edge_int8"), load_accelerator("edge_ddr4")
    assert fixed.dram.device is None
    assert timed.dram.device is not None
    assert (timed.dram.bytes_per_cycle, timed.dram.beat_bytes, timed.dram.latency_cycles) == (48, 64, 8)
    assert timed.dram.command_energy is not None
    overridden = load_accelerator("edge_int8", ["dram.standard=DDR4-2400", "dram.latency=20ns"])
    assert overridden.dram == timed.dram
    stated = load_accelerator("edge_ddr4", ["dram.energy.per_byte=100pJ"])
    assert (stated.dram.energy_pj_per_byte, stated.dram.command_energy) == (Fraction(100), None)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dram.standard=DDR4-2401"], "DRAM standard 'DDR4-2401' is unknown; did you mean 'DDR4-2400'"),
        (["dram.standard=LPDDR5-6400"], "'LPDDR5-6400' lists no currents, give per_byte with source"),
        (["dram.channels=2"], "key 'channels' goes with dram.standard; add that or remove the key"),
        (["dram.standard=DDR4-2400", "dram.bandwidth=1GB/s"], "key 'bandwidth' follows from dram.standard"),
        (["dram.standard=DDR4-2400", "dram.ranks=3"], "field 'ra' has 3 values, a power of two is needed; use 2 or 4"),
        (["dram.standard=DDR4-2400", "dram.channels=6"], "field 'ch' has 6 values, a power of two is needed"),
        (["dram.standard=DDR4-2400", "dram.map=ro-ba-co-bg-ra-ro"], "each of ro, ra, ba, bg, co, ch is needed once"),
        (["dram.standard=DDR4-2400", "dram.queue=5000"], "queue is 5000, bound is 1..1024"),
        (["dram.standard=DDR4-2400", "clocks.frequency=399.999999999999MHz"], "common tick .* bound is 2.63"),
        (["dram.bandwidth=0GB/s"], "bandwidth is 0 bytes per cycle"),
    ],
)
def test_a_mistake_is_refused_with_its_remedy(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_accelerator("edge_int8", overrides)


def test_the_engine_in_rtl_is_not_built_for_a_timed_dram() -> None:
    with pytest.raises(InputError, match=r"dram\.standard is set, built is a channel of fixed latency"):
        engine_params(load_accelerator("engine_8x8", ["dram.standard=DDR4-2400"]))
