"""What is worked out once per kind of command, or for all commands at once, equals the sums made one by one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from mappers.analytic import _busy
from mappers.commands import Program
from mappers.kinds import kinds_of, touches_of
from sim.attribution import attribute
from sim.checks import check_result
from sim.energy import count
from sim.fast_forward.codes import codes_of
from sim.machine import run_program
from sim.painting import Intervals, paint, union
from sim.raw_run import Run
from sim.result import LayerAnnotation, Result
from sim.simulation import bounds_of, build_result, simulate
from sim.span_table import LONGEST, Spans
from sim.spans import Span
from tests.reference.naive_attribution import naive_splits
from tests.reference.naive_kinds import naive_bounds, naive_busy, naive_codes, naive_count, naive_paint
from tests.reference.profile import examples
from tests.reference.sim_programs import machines, program_of, programs, small_machine, tile


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    accelerator = draw(machines())
    program = draw(programs(accelerator.core.array.dataflows))
    return replace(program, commands=program.commands), accelerator


@settings(max_examples=examples(40), deadline=None)
@given(cases())
def test_sums_over_kinds_are_sums_over_commands(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    ledgers, naive = count(program, accelerator), naive_count(program, accelerator)
    assert ledgers == naive
    assert [repr(ledger) for ledger in ledgers] == [repr(ledger) for ledger in naive]  # tensors in the same order
    assert bounds_of(program, accelerator) == naive_bounds(program, accelerator)
    assert [asdict(item) for item in _busy(program, accelerator)] == naive_busy(program, accelerator)
    kinds = kinds_of(program, accelerator.dram.beat_bytes)
    assert sum(kinds.times) == len(program.commands)
    assert kinds.layer.tolist() == [command.layer for command in program.commands]
    touches = touches_of(program)
    slots = [s for c in program.commands for s in (*c.reads, *c.writes, *c.releases)]
    assert touches.tag.tolist() == [slot.tag for slot in slots]
    places: dict[int, Any] = {}
    for number, slot in zip(touches.place.tolist(), slots, strict=True):
        place = (slot.memory, slot.half, slot.offset_bytes, slot.size_bytes)
        assert places.setdefault(number, place) == place


@settings(max_examples=examples(40), deadline=None)
@given(cases())
def test_codes_tell_apart_what_the_naive_keys_tell_apart(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    beat = accelerator.dram.beat_bytes
    pairs = list(zip(codes_of(program, beat).tolist(), naive_codes(program, beat), strict=True))
    assert len({code for code, _ in pairs}) == len({key for _, key in pairs}) == len(set(pairs))


def test_a_tag_in_two_places_is_told_apart() -> None:
    program = program_of([[tile()] * 12])
    at = [i for i, c in enumerate(program.commands) if c.engine == "array"][8]
    command = program.commands[at]
    moved = replace(command, reads=(replace(command.reads[0], offset_bytes=8), *command.reads[1:]))
    wrong = replace(program, commands=(*program.commands[:at], moved, *program.commands[at + 1 :]))
    assert len(set(codes_of(wrong, 8).tolist())) == len(set(naive_codes(wrong, 8)))
    assert len(set(codes_of(wrong, 8).tolist())) > len(set(codes_of(program, 8).tolist()))


disjoint = st.lists(st.integers(0, 40), max_size=14, unique=True).map(
    lambda edges: list(zip(*[iter(sorted(edges))] * 2, strict=False))
)


@settings(max_examples=examples(150))
@given(disjoint, disjoint, st.sampled_from([np.int64, object]))
def test_paint_takes_the_ticks_that_both_have(pieces: list[Any], over: list[Any], kind: Any) -> None:
    def made(intervals: list[Any]) -> Intervals:
        edges = np.array(intervals, dtype=kind).reshape(-1, 2)
        return Intervals(edges[:, 0], edges[:, 1], np.arange(len(intervals)))

    part, left = paint(made(pieces), made(over))
    taken, rest = naive_paint(pieces, over)
    rows = zip(part.starts.tolist(), part.ends.tolist(), part.first.tolist(), part.second.tolist(), strict=True)
    assert sorted((t, i, j) for a, b, i, j in rows for t in range(a, b)) == sorted(taken)
    assert {t for a, b in zip(left.starts, left.ends, strict=True) for t in range(a, b)} == rest
    whose = zip(left.starts, left.ends, left.labels, strict=True)
    assert all(pieces[i][0] <= a < b <= pieces[i][1] for a, b, i in whose)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8))
def test_a_union_is_disjoint_and_in_order(intervals: list[tuple[int, int]]) -> None:
    edges = np.array(intervals, dtype=np.int64).reshape(-1, 2)
    found = union(edges[:, 0], edges[:, 1], 3)
    ticks = [t for a, b in zip(found.starts, found.ends, strict=True) for t in range(a, b)]
    assert ticks == sorted({t for a, b in intervals for t in range(a, b)})
    assert all(found.starts[1:] > found.ends[:-1]) and set(found.labels.tolist()) <= {3}


def built(program: Program, run: Run, machine: Accelerator) -> Result:
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    return build_result(program, run, machine, {}, notes, {}, ())


def broken(program: Program, at: int, **changes: Any) -> Program:
    commands = list(program.commands)
    commands[at] = replace(commands[at], **changes)
    return replace(program, commands=tuple(commands))


@pytest.mark.parametrize("fault", ["macs", "bytes", "release", "unread", "order"])
def test_a_fault_inside_a_group_of_equal_commands_is_found(fault: str) -> None:
    """One of hundreds of equal commands, in the part that the fast-forward leaves out, is wrong in one thing."""
    program, machine = program_of([[tile()] * 60]), small_machine(beat=1)
    run = run_program(program, machine)
    assert run.skipped > 200
    result = built(program, run, machine)
    engine = {"macs": "array", "bytes": "store", "release": "vector", "unread": "array", "order": "array"}[fault]
    at = [i for i, c in enumerate(program.commands) if c.engine == engine][40]
    command: Any = program.commands[at]
    late = list(run.spans)
    late[at] = replace(late[at], ready=late[at].end + 1)
    wrong = {
        "macs": lambda: broken(program, at, macs=command.macs + 1),
        "bytes": lambda: broken(program, at, transfers=(replace(command.transfers[0], run_bytes=17),)),
        "release": lambda: broken(program, at, releases=()),
        "unread": lambda: broken(program, at, reads=command.reads[:1]),
        "order": lambda: program,
    }[fault]()
    run = replace(run, spans=Spans.of(late)) if fault == "order" else run
    red = {check.name for check in check_result(result, wrong, run, machine) if not check.ok}
    name = {
        "macs": "MACs are conserved",
        "bytes": "DRAM bytes of commands, layers and totals agree",
        "release": "every tile written is released once and none is left",
        "unread": "every tile loaded is read",
        "order": "no count is negative and every command's times are in order",
    }[fault]
    assert name in red
    assert all(check.ok for check in check_result(result, program, run_program(program, machine), machine))


def test_times_beyond_64_bits_stay_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bound of 100 cycles for columns of 64 bits, times are Python's integers, and results are the same."""
    program = program_of([[tile()] * 60, [tile(folds=[])]])
    machine, notes = small_machine(beat=1), [LayerAnnotation(None, None, None, None, "core0")] * 2
    usual, short = simulate(program, machine, {}, notes, {}, (), keep_run=True)
    monkeypatch.setattr("sim.span_table.LONGEST", 100)
    monkeypatch.setattr("sim.columns.LONGEST", 100)
    result, run = simulate(program, machine, {}, notes, {}, (), keep_run=True)
    assert isinstance(run.spans, Spans) and run.spans.times.dtype == object and run.skipped > 0
    assert run == short and json.dumps(result.to_json()) == json.dumps(usual.to_json())


def test_long_and_short_times_give_the_same_attribution() -> None:
    program, machine = program_of([[tile(), tile(operand=True)] * 3, [tile(folds=[])]]), small_machine()
    run = run_program(program, machine)
    wide = Spans.of(run.spans)
    wide.put(0, replace(run.spans[0], end=LONGEST))
    wide.put(0, run.spans[0])
    assert wide.times.dtype == object and wide == run.spans
    times = attribute(program, replace(run, spans=wide), machine)
    assert times == attribute(program, run, machine)
    split = [{"compute": time.compute_cycles, **time.stall_cycles} for time in times]
    assert [{k: n for k, n in s.items() if n} for s in split] == naive_splits(program, run, machine)


def test_spans_are_a_sequence() -> None:
    rows = [Span(0, 1, 2, 3, 4, 5, "", 0), Span(1, 2, 3, 4, 5, 6, "load"), Span(2, 3, 4, 5, 6, 7, "store")]
    spans = Spans.of(rows)
    assert list(spans) == rows and spans[1] == rows[1] and spans[::2] == rows[::2] and spans[-1] == rows[-1]
    assert spans == rows and spans == Spans.of(rows) and spans != Spans.of(rows[:2]) and len(spans) == 3
    longer = Spans(6)
    for index, row in enumerate(rows[:2]):
        longer.put(index, row)
    assert longer.missing == 4
    longer.repeat(np.array([0, 1]), 2, 10, 2)
    assert longer.missing == 0 and longer[4] == Span(20, 21, 22, 23, 24, 25, "")
    assert longer[5] == rows[1].moved(20)
