"""Programs on a DRAM with timing: every law holds, and neither skipping nor the wake-ups change a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim.dram.memory
from hw_models.accelerator import Accelerator, DramChannel
from hw_models.dram import TimedDram
from hw_models.dram.energy import command_energy
from mappers.commands import Program
from sim.dram.controller import Controller
from sim.dram.memory import runs_of
from sim.machine import run_program
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.reference.dram_cases import drams
from tests.reference.naive_machine import naive_beats
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, programs


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
    return draw(programs(machine.core.array.dataflows)), timed(machine, dram, draw(st.integers(0, 5)))


@settings(max_examples=examples(25), deadline=None)
@given(cases())
def test_every_law_holds_and_skipping_changes_no_time(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, accelerator, {}, notes, {}, [], keep_run=True)
    assert all(check.ok for check in result.checks)

    class Stepped(Controller):
        def __init__(self, dram: TimedDram, directions: tuple[int, ...]) -> None:
            super().__init__(dram, directions, fast=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sim.dram.memory, "Controller", Stepped)
        stepped = run_program(program, accelerator)
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
