"""Legality rules, one by one, and the smallest tile that does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hw_models.description import load_accelerator
from mappers.legality import check_mapping, job_of, require_legal
from mappers.mapping import TileLoop
from mappers.search import Found, search
from tests.reference.mapper_example import LEGAL, PROBLEM, SIZES, mapping
from workloads.errors import Infeasible, InputError
from workloads.window import Window

EDGE = load_accelerator("edge_int8")
ARRAY = EDGE.core.array


def test_a_legal_mapping_breaks_nothing() -> None:
    assert check_mapping(PROBLEM, LEGAL, ARRAY) == ()
    require_legal(PROBLEM, LEGAL, ARRAY)


@pytest.mark.parametrize(
    ("changes", "memory", "demand"),
    [
        ({"input_slot_bytes": 2303}, "input", 12 * 12 * 16),
        ({"weight_slot_bytes": 4863}, "weight", 32 * (16 * 9 + 8)),
        ({"sum_slot_bytes": 6143}, "accumulator", 32 * 4 * 12 * 4),
        ({"operand_slot_bytes": 1535}, "operand", 32 * 4 * 12),
        ({"output_slot_bytes": 1535}, "output", 32 * 4 * 12),
    ],
)
def test_each_slot_is_checked_to_the_byte(changes: dict[str, int], memory: str, demand: int) -> None:
    (wrong,) = check_mapping(replace(PROBLEM, **changes), LEGAL, ARRAY)  # type: ignore[arg-type]
    assert f"'{memory}'" in wrong.constraint and (wrong.demand, wrong.bound) == (demand, demand - 1)
    exact = {key: value + 1 for key, value in changes.items()}
    assert check_mapping(replace(PROBLEM, **exact), LEGAL, ARRAY) == ()  # type: ignore[arg-type]


def test_resident_tensors_need_no_slot() -> None:
    tight = replace(PROBLEM, input_slot_bytes=1, output_slot_bytes=1, operand_slot_bytes=1)
    assert len(check_mapping(tight, LEGAL, ARRAY)) == 3
    on_chip = replace(tight, input_place="resident", output_place="resident", residual="resident")
    assert check_mapping(on_chip, LEGAL, ARRAY) == ()


def test_loops_of_another_layer_are_refused_first() -> None:
    alien = replace(LEGAL, loops=(TileLoop("K", 65, 32), TileLoop("OY", 11, 4)))
    assert [(v.demand, v.bound) for v in check_mapping(PROBLEM, alien, ARRAY)] == [(65, 64), (11, 12)]


def test_fused_windows_must_be_whole() -> None:
    pooled = replace(PROBLEM, pool=(3, 2))
    assert [v.bound for v in check_mapping(pooled, LEGAL, ARRAY)] == [3]
    assert check_mapping(pooled, mapping(("K", 32), ("OY", 3), ("OX", 4), cuts=(0, 1, 3)), ARRAY) == ()
    plane = replace(PROBLEM, whole_plane=True)
    assert "global pooling" in str(check_mapping(plane, LEGAL, ARRAY)[0])
    assert check_mapping(plane, mapping(("K", 32), cuts=(0, 1, 1)), ARRAY) == ()


def test_dataflow_and_message() -> None:
    only_os = replace(ARRAY, dataflows=("os",))
    with pytest.raises(InputError, match=r"mapping of 'conv' on 'core0': dataflow 'ws'.*use one of os"):
        require_legal(PROBLEM, LEGAL, only_os)


def test_job_counters_bound_a_command() -> None:
    big = dict.fromkeys(SIZES, 1) | {"K": 1 << 30}
    problem = replace(
        PROBLEM, sizes=tuple(big.items()), windows=(Window(1, 1),) * 3, residual="", sum_slot_bytes=1 << 40,
        weight_slot_bytes=1 << 40, output_slot_bytes=1 << 40,
    )  # fmt: skip
    (wrong,) = check_mapping(problem, replace(LEGAL, loops=(), cuts=(("I", 0), ("W", 0), ("O", 0))), ARRAY)
    assert wrong.constraint == "compute command: col_folds" and wrong.demand == 1 << 25


def test_jobs_by_dataflow_and_unroll() -> None:
    tile = {"N": 1, "G": 2, "K": 40, "C": 20, "OD": 1, "OY": 4, "OX": 12}
    assert str(job_of(LEGAL, ARRAY, 9, tile)) == "FoldJob(stream=48, row_folds=6, col_folds=4)"
    by_channel = replace(ARRAY, reduction_unroll="channel")
    assert str(job_of(LEGAL, by_channel, 9, tile)) == "FoldJob(stream=48, row_folds=9, col_folds=4)"
    assert str(job_of(replace(LEGAL, dataflow="os"), ARRAY, 9, tile)) == "FoldJob(stream=180, row_folds=2, col_folds=4)"


@pytest.mark.parametrize(
    ("changes", "memory", "demand"),
    [
        ({"input_slot_bytes": 8}, "input", 9),
        ({"weight_slot_bytes": 16}, "weight", 17),
        ({"sum_slot_bytes": 3}, "accumulator", 4),
    ],
)
def test_infeasible_names_the_memory_and_the_gap(changes: dict[str, int], memory: str, demand: int) -> None:
    answer = search(replace(PROBLEM, **changes), EDGE)  # type: ignore[arg-type]
    assert isinstance(answer, Infeasible)
    assert answer.constraint == f"capacity[{memory}]" and answer.gap == 1 and answer.unit == "bytes"
    assert f"core.{memory}.half" in answer.levers[0]
    room = {key: value + 1 for key, value in changes.items()}
    found = search(replace(PROBLEM, **room), EDGE)  # type: ignore[arg-type]
    assert isinstance(found, Found) and answer.demand == demand


def test_unknown_objective_is_refused() -> None:
    with pytest.raises(InputError, match="objective is 'speed', bound is latency, energy, edp"):
        search(PROBLEM, EDGE, "speed")
