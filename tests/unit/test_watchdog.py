"""No run hangs: a deadlock is reported with its waiters, whatever kind of run, and so is a run without progress."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import simpy

import sim.progress as progress
from hw_models.accelerator import Accelerator
from hw_models.dram import TimedDram, load_standard
from mappers.commands import Program
from mappers.passes.plan import LayerPasses, StageSpec
from sim.machine import run_program
from sim.passes import run_passes
from sim.progress import StuckError, run_watched
from sim.shared_memory import run_shared
from tests.reference.sim_programs import program_of, small_machine, tile


def broken(program: Program, index: int, waits: tuple[tuple[str, int], ...]) -> Program:
    """Return `program` with other waits of one command, past the check that refuses them."""
    commands = list(program.commands)
    commands[index] = replace(commands[index], waits=waits)  # type: ignore[arg-type]
    whole = replace(program)
    object.__setattr__(whole, "commands", tuple(commands))
    return whole


def stuck_program(tiles: int = 3) -> Program:
    """Return a program whose first array command waits for a store that waits, through the vector unit, for it."""
    program = program_of([[tile()] * tiles])
    first = next(i for i, command in enumerate(program.commands) if command.engine == "array")
    return broken(program, first, (("load", 1), ("store", 1)))


@pytest.fixture(params=["fixed", "timed"])
def machine(request: pytest.FixtureRequest) -> Accelerator:
    plain = small_machine()
    if request.param == "fixed":
        return plain
    device = TimedDram(load_standard("DDR4-2400"), 1)
    dram = replace(plain.dram, beat_bytes=64, burst_bytes=64, bytes_per_cycle=Fraction(16), device=device)
    return replace(plain, dram=dram)


@pytest.mark.parametrize("tiles", [3, 90])
def test_commands_that_wait_for_each_other_are_named(machine: Accelerator, tiles: int) -> None:
    with pytest.raises(StuckError) as caught:
        run_program(stuck_program(tiles), machine)
    text = str(caught.value)
    assert "deadlock at cycle" in text and "nothing more happens" in text
    assert "array stands at command 2 of layer 'layer0' in 'toy', which waits for 1 more store command" in text
    assert "vector stands at command 3 of layer 'layer0' in 'toy', which waits for 1 more array command" in text
    assert "store stands at command 4 of layer 'layer0' in 'toy', which waits for 1 more vector command" in text


def test_a_core_that_is_stuck_among_others_is_named(machine: Accelerator) -> None:
    with pytest.raises(StuckError, match="core 0: array stands at command 2") as caught:
        run_shared([stuck_program(), program_of([[tile()] * 3])], [machine, machine])
    assert "core 1" not in str(caught.value)


def test_events_without_progress_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 50)
    env = simpy.Environment()

    def spin() -> Any:
        while True:
            yield env.timeout(1)

    env.process(spin())
    with pytest.raises(StuckError, match="50 events without progress\n  somebody waits for something"):
        run_watched(env, lambda: 7, lambda: ["somebody waits for something"])
    assert 50 <= env.now <= 101


def test_a_timer_that_never_moves_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 50)
    env = simpy.Environment()

    def spin() -> Any:
        while True:
            yield env.timeout(0)

    env.process(spin())
    with pytest.raises(StuckError, match="deadlock at cycle 0"):
        run_watched(env, lambda: 0, list)


def test_a_slow_run_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of([[tile()] * 30])
    full = run_program(program, small_machine())
    monkeypatch.setattr(progress, "PATIENCE", 25)
    assert run_program(program, small_machine()) == full


def test_passes_that_never_end_name_their_stage() -> None:
    stages = (StageSpec("load", "dram", 1), StageSpec("array", "array", 1))
    plan = LayerPasses("conv", 10, stages, ((3, 4),) * 4)
    assert run_passes(plan).cycles >= 16
    starved = replace(plan)
    object.__setattr__(starved, "stages", (StageSpec("load", "dram", 1), replace(stages[1], buffers=1)))
    object.__setattr__(starved.stages[0], "buffers", 0)
    with pytest.raises(StuckError, match=r"stage 'load' \(dram\) stands at pass 0 of 4\n  stage 'array'"):
        run_passes(starved)
