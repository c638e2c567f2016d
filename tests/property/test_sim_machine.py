"""The event model against its cycle-stepped twin, and the laws that hold for every program."""

from __future__ import annotations

from dataclasses import astuple

from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from mappers.commands import Program
from sim.attribution import attribute, windows
from sim.checks import check_result
from sim.machine import Run, run_program
from sim.result import LayerAnnotation
from sim.simulation import simulate
from tests.reference.naive_machine import naive_times
from tests.reference.sim_programs import machines, programs


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    accelerator = draw(machines())
    return draw(programs(accelerator.core.array.dataflows)), accelerator


@settings(max_examples=150, deadline=None)
@given(cases())
def test_every_time_equals_the_stepped_twin(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    run = run_program(program, accelerator)
    assert [astuple(span)[:6] for span in run.spans] == naive_times(program, accelerator)


@settings(max_examples=80, deadline=None)
@given(cases())
def test_attribution_accounts_for_every_tick_once(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    run = run_program(program, accelerator)
    times = attribute(program, run, accelerator)
    assert sum(time.cycles for time in times) == run.cycles
    for time, (start, end) in zip(times, windows(program, run), strict=True):
        assert (time.window_start_cycle, time.end_cycle) == (start, end)
        assert time.compute_cycles + sum(time.stall_cycles.values()) == end - start
    assert sum(time.compute_cycles for time in times) == _computing_ticks(program, accelerator, run)


def _computing_ticks(program: Program, accelerator: Accelerator, run: Run) -> int:
    """Count the ticks of compute one by one: an operand enters, or the vector unit works for a vector layer."""
    rows = accelerator.core.array.rows
    streaming, vector, arrays = set(), set(), set()
    for command, span in zip(program.commands, run.spans, strict=True):
        if command.engine == "array":
            arrays.add(command.layer)
            for fold in range(command.job.folds):
                first = span.begin + fold * max(command.job.stream, rows)
                streaming.update(range(first, first + command.job.stream))
        elif command.engine == "vector":
            vector.update(range(span.issue, span.end))
    ticks = 0
    for layer, (start, end) in enumerate(windows(program, run)):
        busy = streaming if layer in arrays else streaming | vector
        ticks += sum(tick in busy for tick in range(start, end))
    return ticks


@settings(max_examples=80, deadline=None)
@given(cases())
def test_every_law_holds_and_the_result_is_reproducible(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    result, run = simulate(program, accelerator, {}, notes, {}, [], keep_run=True)
    assert all(check.ok for check in result.checks) and len(result.checks) == 10
    assert check_result(result, program, run, accelerator) == result.checks
    assert simulate(program, accelerator, {}, notes, {}, []).to_json() == result.to_json()
