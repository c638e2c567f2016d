"""A wrong lowering aborts the run: each slot rule, broken on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappers.commands import AnyCommand, LoadCommand, Program
from sim.machine import run_program
from tests.reference.sim_programs import program_of, small_machine, tile
from workloads.errors import InternalError

MACHINE = small_machine()
TILES = program_of([[tile(), tile(), tile()]])


def _change(index: int, **changes: object) -> Program:
    commands: list[AnyCommand] = list(TILES.commands)
    commands[index] = replace(commands[index], **changes)  # type: ignore[arg-type]
    return replace(TILES, commands=tuple(commands))


def _index(engine: str, number: int) -> int:
    return [i for i, command in enumerate(TILES.commands) if command.engine == engine][number]


def test_the_program_itself_runs() -> None:
    assert run_program(TILES, MACHINE).cycles > 0


def test_overwriting_a_live_tile() -> None:
    """The third weight tile goes where the first one lies, and does not wait for it to be released."""
    third = [i for i, c in enumerate(TILES.commands) if isinstance(c, LoadCommand) and c.tensor == "weight_data"][2]
    with pytest.raises(InternalError, match="overwrites live"):
        run_program(_change(third, waits=()), small_machine(outstanding=8))


def test_reading_before_the_tile_is_complete() -> None:
    """The job waits for its weights, not for its inputs."""
    compute = _index("array", 0)
    with pytest.raises(InternalError, match="is read while it is written"):
        run_program(_change(compute, waits=TILES.commands[compute].waits[:1]), MACHINE)


def test_reading_before_the_tile_is_begun() -> None:
    with pytest.raises(InternalError, match="is read but not live"):
        run_program(_change(_index("array", 0), waits=()), small_machine(outstanding=1))


def test_reading_after_release() -> None:
    stale, vector = TILES.commands[_index("array", 0)].reads[0], TILES.commands[_index("vector", 1)]
    with pytest.raises(InternalError, match="read but not live"):
        run_program(_change(_index("vector", 1), reads=(*vector.reads, stale)), MACHINE)


def test_releasing_another_place_than_the_tile_has() -> None:
    compute = _index("array", 0)
    released = TILES.commands[compute].releases
    assert released
    elsewhere = replace(released[0], half=1 - released[0].half)
    with pytest.raises(InternalError, match="is released but not live"):
        run_program(_change(compute, releases=(elsewhere, *released[1:])), MACHINE)


def test_more_than_the_half_holds() -> None:
    load = TILES.commands[0]
    big = replace(load.writes[0], offset_bytes=MACHINE.core.weight.half_bytes - 1)
    with pytest.raises(InternalError, match="two halves of 256 bytes"):
        run_program(_change(0, writes=(big,)), MACHINE)


def test_a_third_half() -> None:
    slot = replace(TILES.commands[0].writes[0], half=2)
    with pytest.raises(InternalError, match="half 2"):
        run_program(_change(0, writes=(slot,)), MACHINE)


def test_a_tile_that_is_never_released() -> None:
    with pytest.raises(InternalError, match="is never released"):
        run_program(_change(_index("store", 2), releases=()), MACHINE)


def test_a_tile_that_is_never_read() -> None:
    with pytest.raises(InternalError, match="before it was complete and read"):
        run_program(_change(_index("store", 0), reads=()), MACHINE)


def test_releasing_twice() -> None:
    gone = TILES.commands[_index("vector", 0)].releases
    store = TILES.commands[_index("store", 0)]
    with pytest.raises(InternalError, match="released but not live"):
        run_program(_change(_index("store", 0), releases=(*store.releases, *gone)), MACHINE)


def test_one_tag_for_two_places() -> None:
    compute = _index("array", 0)
    slot = TILES.commands[compute].writes[0]
    moved = replace(slot, offset_bytes=128)
    with pytest.raises(InternalError, match="names two places"):
        run_program(_change(compute, writes=(slot, moved)), MACHINE)


def test_waits_name_earlier_commands_only() -> None:
    with pytest.raises(InternalError, match="only 0 stand before it"):
        _change(0, waits=(("array", 1),))
