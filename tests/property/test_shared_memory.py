"""Several programs on one memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from mappers.commands import Program
from sim.machine import run_program
from sim.shared_memory import run_shared
from tests.property.test_dram_machine import timed
from tests.reference.dram_cases import drams
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, programs
from workloads.errors import InputError


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Program], Accelerator]:
    machine = draw(machines())
    if draw(st.booleans()):
        machine = timed(machine, draw(drams()), draw(st.integers(0, 3)))
    flows = machine.core.array.dataflows
    return [draw(programs(flows)) for _ in range(draw(st.integers(2, 3)))], machine


@settings(max_examples=examples(20), deadline=None)
@given(pairs())
def test_shared_memory_keeps_each_program_whole(case: tuple[list[Program], Accelerator]) -> None:
    several, machine = case
    shared = run_shared(several, [machine] * len(several))
    alone = [run_program(program, machine) for program in several]
    assert shared.cycles == max(run.cycles for run in shared.runs)
    for run in shared.runs:
        assert all(s.head <= s.ready <= s.issue <= s.begin <= s.last <= s.end for s in run.spans)
    if machine.dram.device is None:
        # one bus: together no faster than all their beats, alone no slower than together
        busy = sum(sum(end - start for _, start, end in run.bus) for run in alone)
        assert sum(end - start for _, start, end in shared.runs[0].bus) == busy
        assert shared.cycles * shared.runs[0].bus_units >= busy
    else:
        assert shared.runs[0].dram is not None
        moved = sum(run.dram.total.reads + run.dram.total.writes for run in alone if run.dram is not None)
        total = shared.runs[0].dram.total
        assert total.reads + total.writes == moved
    assert run_shared(several, [machine] * len(several)) == shared


def test_one_program_is_the_plain_run() -> None:
    from tests.reference.sim_programs import program_of, small_machine, tile

    program = program_of([[tile(), tile()]])
    machine = small_machine()
    assert run_shared([program], [machine]).runs[0] == run_program(program, machine)
    other = replace(machine, dram=load_accelerator("edge_int8").dram)
    with pytest.raises(InputError, match="another memory or clock"):
        run_shared([program, program], [machine, other])
    with pytest.raises(InputError, match="give one of each per core"):
        run_shared([program], [])
