"""The input-stationary array of the layer engine: values and cycles where folds, jobs and boxes are awkward."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw_models.layer_engine import EngineParams
from hw_models.sparsity import Sparsity
from mappers.commands import ComputeCommand, VectorCommand
from mappers.walk import ArrayWalk
from rtl.engine_words import encode
from rtl.engine_words_is import TURNED, turn_of, turn_words
from tests.cosim.engine_cases import HASTY, INPUTS_STAY, THREE, boxed
from tests.cosim.engine_judge import FOUR_COLUMNS, TALL_FOLDS, engine_bench, engines, judge_engine
from tests.cosim.test_cosim_engine_perturbed import OVERRIDES, judged, refused, write_commands
from tests.reference.profile import examples
from workloads.errors import InputError, MismatchError

pytestmark = pytest.mark.cosim

Span = tuple[int, int]
Box = tuple[Span, Span, Span]


@pytest.mark.parametrize(
    "params", [INPUTS_STAY, THREE, HASTY, FOUR_COLUMNS, TALL_FOLDS], ids=lambda params: params.name
)
def test_engine_is_right_alone_disturbed_and_reset_in_a_burst(params: EngineParams) -> None:
    assert judge_engine(params, engine_bench(params)) == ""
    flows = {
        c.dataflow for one in engines()[params] for c in one.case.program.commands if isinstance(c, ComputeCommand)
    }
    assert flows == set(params.dataflows)


def cut(draw: np.random.Generator, size: int) -> list[Span]:
    """Return pieces (first, size) of an axis, all but the last of one size."""
    piece = int(draw.integers(1, size + 1))
    return [(first, min(piece, size - first)) for first in range(0, size, piece)]


def walk_of(box: Box, tile: tuple[int, int, int, int]) -> ArrayWalk:
    """Return a walk of which only its pixels and their place in the held sums count."""
    (n, y, x) = box
    return ArrayWalk(1, 1, 1, tile[3], (n[1], y[1], x[1]), (1, 1), (1, 1), (1, 1), (1, 1, 1, 1), (0, 0, 0, 0), (1, 1),
                     (0, 0), tile, (n[0], y[0], x[0], 0))  # fmt: skip


def test_turns_that_the_vector_unit_counts_are_those_of_the_columns() -> None:
    """What the words say is held to the columns of every pixel, counted out box by box."""
    like = boxed(INPUTS_STAY, 0)
    draw = np.random.default_rng(0)
    compute = next(c for c in like.program.commands if isinstance(c, ComputeCommand))
    for _ in range(examples(60)):
        cols, tile = int(draw.integers(1, 10)), (*(int(side) for side in draw.integers(1, 8, 3)), 1)
        ys, xs = cut(draw, tile[1]), cut(draw, tile[2])
        grid = [(n, y, x) for n in cut(draw, tile[0]) for y in ys for x in xs]
        commands = tuple(replace(compute, walk=walk_of(box, tile), waits=()) for box in grid)
        last, lines, images, flag = turn_words(
            replace(like.program, commands=commands), compute.writes[0].tag, cols, "x"
        )
        assert flag == TURNED
        for n, y, x in np.ndindex(*tile[:3]):
            far_x, far_y = x >= last & 0xFFFF, y >= last >> 16
            counted = x + y * (lines >> 8 * far_x & 255) + n * (images >> 8 * (2 * far_y + far_x) & 255)
            (box,) = [b for b in grid if all(s <= p < s + w for (s, w), p in zip(b, (n, y, x), strict=True))]
            place = ((n - box[0][0]) * box[1][1] + y - box[1][0]) * box[2][1] + x - box[2][0]
            assert counted % cols == (turn_of(walk_of(box, tile), cols) + place % cols) % cols


def test_sums_that_no_turn_describes_are_refused() -> None:
    case = boxed(INPUTS_STAY, 0)
    commands = list(case.program.commands)
    place = next(i for i, c in enumerate(commands) if isinstance(c, ComputeCommand))
    compute = commands[place]
    assert isinstance(compute, ComputeCommand) and compute.walk is not None
    other = replace(case.program, commands=(replace(compute, dataflow="os", waits=()), *commands))
    tag = compute.writes[0].tag
    with pytest.raises(InputError, match="made under"):
        turn_words(other, tag, 3, "command")
    odd = replace(compute, walk=replace(compute.walk, pixels=(2, 1, 1)), waits=())
    with pytest.raises(InputError, match="pieces of one size and a last one"):
        turn_words(replace(case.program, commands=(odd, *commands)), tag, 3, "command")


def test_a_fold_job_that_is_not_that_of_its_walk_is_refused() -> None:
    case = boxed(INPUTS_STAY, 0)
    commands = tuple(replace(c, dataflow="ws") if isinstance(c, ComputeCommand) else c for c in case.program.commands)
    with pytest.raises(InputError, match="the fold job is ws"):
        encode(replace(case.program, commands=commands), case.params, case.constants)


def test_weights_stream_in_the_order_of_their_tile() -> None:
    """A vector command beside others of the list is the same whatever the array: only its turns are new."""
    case = boxed(INPUTS_STAY, 0)
    words = encode(case.program, case.params, case.constants)
    assert {len(command) for command in words["array"]} == {30}
    vectors = [c for c in case.program.commands if isinstance(c, VectorCommand)]
    assert all(word[16] & TURNED for word in words["vector"]) and len(vectors) == len(words["vector"])


def test_input_stationary_arrays_are_dense() -> None:
    with pytest.raises(InputError, match=r"2:4 sparse and dataflows .*leave out is"):
        replace(INPUTS_STAY, sparsity=Sparsity(2, 4))
    with pytest.raises(InputError, match=r"dataflows are .*bound is ws, os, is"):
        replace(INPUTS_STAY, dataflows=("rs",))


PERTURBED = [
    (INPUTS_STAY, "engine_turn.sv", "wire far_x = x >= x_last;", "wire far_x = 1'b0;"),
    (HASTY, "engine_array_is.sv", "JOBS = 2 + (COLS > 2 ? (COLS - 3) / (ROWS + 1) : 0)", "JOBS = 2"),
    (THREE, "engine_arrays.sv", "flow != last_flow) ? under_way == '0", "flow != last_flow) ? 1'b1"),
]
PERTURBED_BY_NIGHT = [
    (INPUTS_STAY, "engine_array_is.sv", ".DEPTH (ROWS + COLS)", ".DEPTH (ROWS + COLS + 1)"),
    (INPUTS_STAY, "engine_array_is.sv", ".SKEWED       (1)", ".SKEWED       (0)"),
    (INPUTS_STAY, "engine_hop.sv", "y_over ? y_on -", "x_over ? y_on -"),
    (INPUTS_STAY, "layer_engine.sv", "&& (OTHERS == 0 || COLS > ROWS) ? COLS : ROWS;", "&& 0 ? COLS : ROWS;"),
    (HASTY, "engine_array_is.sv", "$clog2(4 + (COLS - 2) / ROWS)", "3"),
]


@pytest.mark.parametrize(
    ("params", "module", "old", "new"),
    [*PERTURBED, *(pytest.param(*each, marks=pytest.mark.nightly) for each in PERTURBED_BY_NIGHT)],
)
def test_a_perturbed_latency_or_width_is_found(params: EngineParams, module: str, old: str, new: str) -> None:
    sources = engine_bench(params)
    assert old in sources[module]
    sources[module] = sources[module].replace(old, new)
    with contextlib.suppress(MismatchError):
        assert judge_engine(params, sources)


@pytest.mark.nightly
def test_changes_of_a_command_list_of_two_dataflows_are_found(tmp_path: Path) -> None:
    path = write_commands(tmp_path, [*OVERRIDES, "core.dataflows=[ws, is]"], 7)
    flows = [c["dataflow"] for c in json.loads(path.read_text())["program"]["commands"] if c["engine"] == "array"]
    assert {*flows} == {"ws", "is"}
    counts = judged(path, 14)
    assert refused(counts) >= 10 and counts["found by the RTL"] >= 4
