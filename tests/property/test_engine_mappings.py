"""Whatever is mapped to a machine of the layer engine finds room in its accumulator, however small that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw_models.description import load_accelerator
from hw_models.layer_engine import engine_params
from mappers.legality import check_mapping
from mappers.plan import make_plan
from tests.reference.mapper_example import PROBLEM, mapping
from tests.reference.profile import examples
from tilewright.engine_case import engine_case
from tilewright.engine_draw import draw_machine, draw_network, draw_plan, machine_of
from workloads.errors import InfeasibleError, InputError

ELSEWHERE = (
    "not on the array", "channel terms", "commands, the layer engine holds", "descriptors", "capacity[accumulator]",
)  # fmt: skip
"""Refusals that are right: lone vector layers, more work than a command list takes, and a pooling window of more pixels
than the accumulator has vectors, which the mapper names."""


@settings(max_examples=examples(40))
@example(seed=7, depth=9)  # draws a tile of sums that would be spilled
@given(seed=st.integers(0, (1 << 32) - 1), depth=st.integers(2, 12))
def test_mapped_networks_are_taken_by_the_encoder(seed: int, depth: int) -> None:
    draw = np.random.default_rng(seed)
    params = replace(engine_params(draw_machine(draw)), accumulator_depth=depth)
    refused = []
    try:
        plan = make_plan(draw_network(draw, params.weight_format), machine_of(params))
        for chosen in (plan, draw_plan(draw, plan)):
            engine_case(chosen, 0).run()
    except (InputError, InfeasibleError) as error:
        refused.append(str(error))
    assert all(any(reason in text for reason in ELSEWHERE) for text in refused), refused


def test_a_row_holds_channels_of_one_pixel() -> None:
    lanes = replace(PROBLEM, sum_lanes=24)
    held = {"N": 1, "G": 1, "K": 32, "OD": 1, "OY": 4, "OX": 12}
    assert PROBLEM.sum_room_bytes(held) == 32 * 48 * 4
    assert lanes.sum_room_bytes(held) == 48 * 48 * 4
    array, whole = load_accelerator("edge_int8").core.array, mapping(("K", 32), ("OY", 4), cuts=(0, 1, 2))
    exact = replace(lanes, sum_slot_bytes=48 * 48 * 4)
    assert check_mapping(exact, whole, array) == ()
    (wrong,) = check_mapping(replace(exact, sum_slot_bytes=48 * 48 * 4 - 1), whole, array)
    assert (wrong.demand, wrong.bound, wrong.unit) == (48 * 48 * 4, 48 * 48 * 4 - 1, "bytes")


def test_commands_that_share_held_sums_start_at_rows_of_their_own() -> None:
    array, roomy = load_accelerator("edge_int8").core.array, replace(PROBLEM, sum_lanes=24, sum_slot_bytes=1 << 20)
    inside = mapping(("OY", 4), ("K", 32), cuts=(0, 2, 1))
    assert [str(v) for v in check_mapping(roomy, inside, array)] == [
        "tile K within the held sums is 32 channels, bound is 24 channels; use a multiple of 24 or hold O inside the "
        "loop of K"
    ]
    assert check_mapping(replace(roomy, sum_lanes=16), inside, array) == ()
    assert check_mapping(roomy, mapping(("OY", 4), ("K", 32), cuts=(0, 2, 2)), array) == ()


def test_sums_that_no_dma_reaches_are_not_spilled() -> None:
    array, stay = load_accelerator("edge_int8").core.array, replace(PROBLEM, sums_stay=True)
    loops = (("C", 8), ("K", 32), ("OY", 4))
    spilled = mapping(*loops, cuts=(3, 3, 3))
    assert check_mapping(PROBLEM, spilled, array) == ()
    (wrong,) = check_mapping(stay, spilled, array)
    assert str(wrong) == "visits of a tile of sums is 2 visits, bound is 1 visits; hold O outside the loop of C"
    assert check_mapping(stay, mapping(*reversed(loops), cuts=(3, 3, 2)), array) == ()


def test_an_engine_needs_an_accumulator_of_vectors() -> None:
    machine = load_accelerator("engine_8x8")
    core = replace(machine.core, array=replace(machine.core.array, accumulator_layout=None))
    with pytest.raises(InputError, match=r"array\.accumulator_layout is left out, built is vectors"):
        engine_params(replace(machine, core=core))


def test_a_layout_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="accumulator_layout"):
        load_accelerator("engine_8x8", ["core.accumulator_layout=rows"])
