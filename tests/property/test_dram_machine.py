"""Programs on a DRAM with timing: every law holds, and neither skipping nor the wake-ups change a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator, DramChannel
from hw_models.dram import TimedDram, load_standard
from hw_models.dram.energy import command_energy
from mappers.commands import Program, Transfer
from sim.dram.memory import TimedChannel, runs_of
from sim.machine import run_program
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.reference.dram_cases import drams
from tests.reference.naive_machine import naive_beats
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, program_of, programs, small_machine, tile
from workloads.errors import InfeasibleError


def timed(machine: Accelerator, dram: TimedDram, latency: int) -> Accelerator:
    """Return `machine` with `dram` behind its DMA."""
    burst = dram.standard.burst_bytes
    rate = dram.peak_bytes_per_s / (machine.clock_mhz * 10**6)
    channel = DramChannel(
        "dram0", rate, latency, burst, burst, Fraction(1), "test", dram, command_energy(dram.standard)
    )
    pads = {name: replace(getattr(machine.core, name), write_bytes_per_cycle=1 << 20) for name in ("input", "weight")}
    return replace(machine, dram=channel, core=replace(machine.core, **pads))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    machine = replace(draw(machines()), clock_mhz=Fraction(draw(st.sampled_from([300, 400, 1200, 1700, 3000]))))
    dram = replace(draw(drams()), channels=draw(st.sampled_from([1, 1, 2, 4])))
    program = replace(draw(programs(machine.core.array.dataflows)), dram_bytes=64)  # the toy memories wrap
    return program, timed(machine, dram, draw(st.integers(0, 5)))


@settings(max_examples=examples(25), deadline=None)
@given(cases())
def test_every_law_holds_and_skipping_changes_no_time(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, accelerator, {}, notes, {}, [], keep_run=True)
    assert all(check.ok for check in result.checks)

    stepped = run_program(program, accelerator, fast_forward=False)
    assert (stepped.spans, stepped.bus, stepped.dram) == (run.spans, run.bus, run.dram)
    assert simulate(program, accelerator, {}, notes, {}, []).to_json() == result.to_json()


@settings(max_examples=examples(25), deadline=None)
@given(cases())
def test_bursts_are_those_of_the_descriptors_and_each_is_on_one_channel(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    dram = accelerator.dram.device
    assert dram is not None
    size = dram.standard.burst_bytes
    for command in program.commands:
        if command.engine not in ("load", "store"):
            continue
        transfers: Any = command.transfers  # type: ignore[union-attr]
        runs = [run for transfer in transfers for run in runs_of(transfer, size)]
        assert sum(count for _, count in runs) == naive_beats(command, size)  # type: ignore[arg-type]
        for first, count in runs:
            whole = []
            for channel in range(dram.channels):
                start, number = dram.map.split(first, count, channel)
                whole += [dram.map.burst_of(dram.map.place(b), channel) for b in range(start, start + number)]
            limit = dram.capacity_bytes // size
            assert sorted(whole) == sorted(b % limit for b in range(first, first + count))


def test_an_image_beyond_the_capacity_is_refused() -> None:
    program = replace(program_of([[tile()]]), dram_bytes=1 << 34)
    machine = timed(small_machine(), TimedDram(load_standard("DDR4-2400"), 1), 0)
    with pytest.raises(InfeasibleError, match="8589934592"):
        run_program(program, machine)


@pytest.mark.parametrize(("clock_mhz", "cycles"), [(400, 13), (1200, 38), (1000, 32), (1700, 54)])
def test_a_lone_read_crosses_the_clocks_at_the_first_edge(clock_mhz: int, cycles: int) -> None:
    """38 ticks of 1200 MHz from a closed bank; asked for at cycle 1, as the first tick allows."""
    env = simpy.Environment()
    channel = TimedChannel(env, TimedDram(load_standard("DDR4-2400"), 1), Fraction(clock_mhz))
    ends: list[int] = []
    channel.submit(0, 1, (Transfer(0, 64),), lambda _: None, ends.append)
    env.run()
    first = -(-1200 // clock_mhz)
    assert ends == [-(-(first + 38) * clock_mhz // 1200)]
    assert abs(ends[0] - 1 - cycles) <= 1
