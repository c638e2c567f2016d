"""A fast-forward changes nothing but the time a run takes: spans, bus, occupancy, results, on one core and several."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.accelerator import Accelerator
from hw_models.clock import own_clock
from mappers.commands import Program
from sim.fast_forward.codes import codes_of
from sim.fast_forward.periods import regions_of
from sim.machine import run_program
from sim.progress import LEAST_COMMANDS
from sim.result import LayerAnnotation
from sim.shared_memory import run_shared
from sim.simulation import simulate
from tests.reference.naive_machine import naive_times
from tests.reference.profile import examples
from tests.reference.sim_programs import Tile, machines, program_of, small_machine, tile


@st.composite
def repeating(draw: st.DrawFn, flows: tuple[str, ...]) -> Program:
    """Return programs of one to three layers, each a pattern of a few tiles many times over, with odd tiles between."""
    fold = st.tuples(st.sampled_from(flows), st.integers(1, 9), st.integers(1, 2), st.integers(1, 2))
    tiles = st.fixed_dictionaries(
        {
            "folds": st.lists(fold, max_size=3),
            "runs": st.integers(1, 3),
            "run_bytes": st.integers(1, 40),
            "pitch": st.sampled_from([16, 24, 40]),
            "share_weight": st.booleans(),
            "rows": st.integers(1, 3),
            "elements": st.integers(1, 9),
            "simple": st.integers(1, 2),
            "special": st.integers(0, 1),
            "operand": st.booleans(),
        }
    )
    layers: list[list[Tile]] = []
    blocks = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 2))):
        pattern = draw(st.lists(tiles, min_size=1, max_size=3))
        odd = draw(st.lists(tiles, max_size=1))
        layers.append(pattern * draw(st.integers(6, 24)) + odd)
    return program_of(layers * blocks)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Program, Accelerator]:
    accelerator = draw(machines())
    return draw(repeating(accelerator.core.array.dataflows)), accelerator


@settings(max_examples=examples(16))
@given(cases())
def test_a_run_is_the_same_with_and_without(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    assert replace(run_program(program, accelerator), skipped=0) == run_program(
        program, accelerator, fast_forward=False
    )


@settings(max_examples=examples(3))
@given(cases())
def test_results_are_the_same_bytes(case: tuple[Program, Accelerator]) -> None:
    program, accelerator = case
    notes = [LayerAnnotation(None, None, None, None, "core0")] * len(program.layers)
    results = [simulate(program, accelerator, {}, notes, {}, [], fast_forward=fast).to_json() for fast in (True, False)]
    assert results[0] == results[1]


@settings(max_examples=examples(4))
@given(st.lists(repeating(("ws",)), min_size=2, max_size=3), machines())
def test_cores_on_one_memory_are_the_same(programs: list[Program], accelerator: Accelerator) -> None:
    fast, full = (run_shared(programs, [accelerator] * len(programs), fast_forward=on) for on in (True, False))
    assert [replace(run, skipped=0) for run in fast.runs] == list(full.runs)


def _long(times: int) -> Program:
    odd = tile(folds=[("ws", 9, 1, 1), ("ws", 3, 2, 1)], share_weight=False, operand=True)
    return program_of([[tile(), tile(folds=[("os", 5, 1, 2)], run_bytes=24, operand=True)] * times, [odd] * times])


def test_most_of_a_long_program_is_left_out_and_its_twin_steps_to_the_same_times() -> None:
    program, machine = _long(40), small_machine(bandwidth=Fraction(40, 7), outstanding=3, beat=1)
    assert len(program.commands) >= LEAST_COMMANDS
    run = run_program(program, machine)
    assert run.skipped > len(program.commands) // 2
    times = [(s.head, s.ready, s.issue, s.begin, s.last, s.end) for s in run.spans]
    assert times == naive_times(program, machine)


Settings = dict[str, Any]


@pytest.mark.parametrize(
    ("own", "machine", "tiles"),
    [
        ({"vector_clock": 560}, {"beat": 8, "latency": 3, "bandwidth": 16, "outstanding": 3, "issue": 0, "lanes": 3,
          "vector_latency": 1}, {"folds": [("ws", 2, 2, 1)], "run_bytes": 2, "rows": 1, "elements": 1, "special": 1}),
        ({"dram_clock": 560}, {"beat": 8, "latency": 7, "bandwidth": 14, "outstanding": 3, "lanes": 3,
          "vector_latency": 1}, {"folds": [("ws", 7, 1, 1)], "run_bytes": 13, "rows": 1, "elements": 8, "special": 2}),
    ],
)  # fmt: skip
def test_periods_are_left_out_where_all_clocks_stand_alike(own: Settings, machine: Settings, tiles: Settings) -> None:
    """All but the edges of one clock repeats sooner than these do: who does not compare them leaves out too much."""
    clocks = {name: own_clock("own", Fraction(mhz), Fraction(400)) for name, mhz in own.items()}
    slow = small_machine(**{**machine, **clocks, "bandwidth": Fraction(machine["bandwidth"])})
    defaults: Settings = {"simple": 1, "share_weight": False}
    program = program_of([[tile(**{**defaults, **tiles})] * 60])
    run = run_program(program, slow)
    assert run.skipped > 0
    assert replace(run, skipped=0) == run_program(program, slow, fast_forward=False)


def test_the_work_left_does_not_grow_with_the_tiles() -> None:
    machine = small_machine(beat=1)
    stepped = [len(p.commands) - run_program(p, machine).skipped for p in (_long(50), _long(400))]
    assert stepped[1] <= stepped[0] + 40


@pytest.mark.parametrize("cores", [2, 3])
def test_cores_in_step_are_left_out_together(cores: int) -> None:
    machine = small_machine(bandwidth=Fraction(12), beat=1)
    run = run_shared([_long(60)] * cores, [machine] * cores)
    full = run_shared([_long(60)] * cores, [machine] * cores, fast_forward=False)
    assert all(one.skipped > 0 for one in run.runs)
    assert [replace(one, skipped=0) for one in run.runs] == list(full.runs)


@settings(max_examples=examples(20))
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.integers(5, 9), st.lists(st.sampled_from("abcd")))
def test_regions_are_what_the_definition_says(pattern: list[str], times: int, rest: list[str]) -> None:
    kinds = {"a": tile(), "b": tile(folds=[]), "c": tile(rows=3), "d": tile(operand=True)}
    program = program_of([[kinds[kind] for kind in pattern * times + rest]])
    codes = codes_of(program, 8)
    for region in regions_of(program, codes):
        assert all(codes[i] == codes[i - region.period] for i in range(region.low, region.high))
        assert region.low <= region.anchor < region.low + region.period
        assert sum(region.counts.values()) == region.period


ONE_THING = [
    {"rows": 5},
    {"elements": 40},
    {"simple": 2},
    {"special": 2},
    {"run_bytes": 15},
    {"folds": [("ws", 7, 2, 1)]},
    {"folds": [("ws", 6, 3, 1)]},
    {"folds": [("os", 6, 2, 1)]},
]


@pytest.mark.parametrize("change", ONE_THING, ids=lambda change: "-".join(change))
def test_a_tile_that_differs_in_one_thing_is_not_taken_for_the_others(change: dict[str, object]) -> None:
    plain = [tile(run_bytes=16)] * 24
    program, machine = program_of([[*plain, tile(**change), *plain]]), small_machine(beat=1)
    run = run_program(program, machine)
    assert run.skipped > 0
    assert replace(run, skipped=0) == run_program(program, machine, fast_forward=False)
