"""The event model against its cycle-stepped twin, and the laws that hold for every program."""

from __future__ import annotations

from dataclasses import astuple

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from sim.attribution import attribute, windows
from sim.checks import check_result
from sim.machine import run_program
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.reference.naive_attribution import naive_splits
from tests.reference.naive_machine import naive_times
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, programs


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    accelerator = draw(machines())
    return draw(programs(accelerator.core.array.dataflows)), accelerator


@settings(max_examples=examples(150))
@given(cases())
def test_every_time_equals_the_stepped_twin(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    run = run_program(program, accelerator)
    assert [astuple(span)[:6] for span in run.spans] == naive_times(program, accelerator)


@settings(max_examples=examples(80))
@given(cases())
def test_attribution_accounts_for_every_tick_once(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    run = run_program(program, accelerator)
    times = attribute(program, run, accelerator)
    assert sum(time.cycles for time in times) == run.cycles
    for time, (start, end) in zip(times, windows(program, run, accelerator), strict=True):
        assert (time.window_start_cycle, time.end_cycle) == (start, end)
        assert time.compute_cycles + sum(time.stall_cycles.values()) == end - start
    split = [{"compute": time.compute_cycles, **time.stall_cycles} for time in times]
    assert [{k: n for k, n in s.items() if n} for s in split] == naive_splits(program, run, accelerator)


@settings(max_examples=examples(80))
@given(cases())
def test_every_law_holds_and_the_result_is_reproducible(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, accelerator, {}, notes, {}, [], keep_run=True)
    assert all(check.ok for check in result.checks) and len(result.checks) == 11
    assert check_result(result, program, run, accelerator) == result.checks
    assert simulate(program, accelerator, {}, notes, {}, []).to_json() == result.to_json()
