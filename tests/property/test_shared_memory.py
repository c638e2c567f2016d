"""Several programs on one memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.description import load_accelerator
from hw_models.dma import LoadEngine
from mappers.commands import LoadCommand, Program
from mappers.plan import make_plan
from sim.machine import run_program
from sim.shared_memory import SharedRun, run_shared
from tests.property.test_dram_machine import timed
from tests.reference.dram_cases import drams
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, programs
from workloads.builder import NetworkBuilder
from workloads.errors import InputError


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Program], Accelerator]:
    machine = draw(machines())
    if draw(st.booleans()):
        machine = timed(machine, draw(drams()), draw(st.integers(0, 3)))
    flows = machine.core.array.dataflows
    return [replace(draw(programs(flows)), dram_bytes=64) for _ in range(draw(st.integers(2, 3)))], machine


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
    with pytest.raises(InputError, match="has 2 load or store engines, 'toy' 1; give every core the same number"):
        run_shared([program, program], [machine, small_machine(store_engines=2)])
    with pytest.raises(InputError, match="give one of each per core"):
        run_shared([program], [])


@settings(max_examples=examples(20), deadline=None)
@given(pairs(), st.integers(0, 2))
def test_multicast_moves_what_it_joins_once(case: tuple[list[Program], Accelerator], copies: int) -> None:
    several, machine = case
    assume(machine.dram.device is None)
    several = [several[0]] * copies + several
    same = [0] * len(several)
    apart = run_shared(several, [machine] * len(several), same)
    joined = run_shared(several, [machine] * len(several), same, multicast=True)
    units = machine.dram.beats_cycles(1) * apart.runs[0].bus_units

    def moved_beats(run: SharedRun) -> int:
        return sum(end - start for _, start, end in run.runs[0].bus) // int(units)

    assert moved_beats(joined) + joined.joined_beats == moved_beats(apart)
    for run, program in zip(joined.runs, several, strict=True):
        assert len(run.spans) == len(program.commands)
        assert all(s.head <= s.ready <= s.issue <= s.begin <= s.last <= s.end for s in run.spans)


def test_two_cores_in_step_read_their_weights_once() -> None:
    b = NetworkBuilder("layer", "test")
    network = b.build(b.conv(b.input("x", (1, 32, 16, 16)), 64, 3, padding=1, name="conv"))
    machine = load_accelerator("edge_int8", ["dram.bandwidth=4B/cycle", "dram.beat=4B", "dram.burst=64B"])
    engines = (LoadEngine("w", ("weight",), 4), LoadEngine("d", ("input", "accumulator", "operand"), 4))
    own = replace(machine, core=replace(machine.core, dma=replace(machine.core.dma, engines=engines)))
    shares = []
    for each in (machine, own):
        program = make_plan(network, each).program
        weights = sum(c.bytes for c in program.commands if isinstance(c, LoadCommand) and c.part is not None)
        plain, cast = (
            run_shared([program] * 2, [each] * 2, multicast=cast, one_copy_of_weights=True) for cast in (False, True)
        )
        assert plain.joined_beats == 0
        assert cast.cycles < plain.cycles
        shares.append(cast.joined_beats * 4 / weights)
    # behind inputs of its own a core falls out of step; an engine for weights keeps it
    assert 0 < shares[0] < shares[1] == 1


def test_what_multicast_refuses() -> None:
    from tests.reference.sim_programs import program_of, small_machine, tile

    program, timing = program_of([[tile()]]), load_accelerator("edge_ddr4")
    with pytest.raises(InputError, match="multicast on 'dram0', which has timing"):
        run_shared([program], [timing], multicast=True)
    with pytest.raises(InputError, match="first image at 64; let it start at 0"):
        run_shared([program], [small_machine()], [64], one_copy_of_weights=True)


def test_priority_serves_the_first_core_first() -> None:
    from tests.reference.sim_programs import program_of, small_machine, tile

    program = program_of([[tile(runs=4, run_bytes=40, pitch=40)] * 6])
    alone = run_program(program, small_machine(arbitration="priority")).cycles
    fair, first = (
        run_shared([program] * 3, [small_machine(arbitration=how)] * 3)  # type: ignore[arg-type]
        for how in ("round_robin", "priority")
    )
    assert alone <= first.runs[0].cycles < fair.runs[0].cycles
    assert first.runs[0].cycles < first.runs[1].cycles < first.runs[2].cycles
