"""N:M sparse arrays on paper: folds, cycles, golden against loops, streams written out, widths, refusals."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.systolic import FoldJob, SystolicParams
from hw_models.systolic_nm import SystolicNMParams
from rtl.emit import emit
from rtl.operands import job_beats
from rtl.systolic_top import systolic_constants
from sim.array_queue import simulate_jobs
from tests.cosim.systolic_nm_cases import core, random_operands
from tests.reference.profile import examples
from tilewright.cores import core_params
from workloads.errors import InputError
from workloads.formats import Int

FLOWS = st.sampled_from(("ws", "os"))
SIDE, DIM = st.integers(1, 4), st.integers(1, 40)
PATTERN = st.integers(1, 16).flatmap(lambda m: st.tuples(st.integers(1, m), st.just(m)))


@settings(max_examples=examples(60), deadline=None)
@given(FLOWS, SIDE, SIDE, PATTERN, st.integers(1, 6), DIM, st.integers(1, 6), st.integers(0, 1 << 32))
def test_golden_is_the_dense_product_written_out(
    flow: Literal["ws", "os"], rows: int, cols: int, pattern: tuple[int, int], m: int, k: int, n: int, seed: int
) -> None:
    params = core(flow, rows, cols, *pattern)
    data = random_operands(params, (m, k, n), seed)
    golden = params.golden(data.a, data.w)
    for row, col in product(range(m), range(n)):
        assert golden[row, col] == sum(int(data.a[row, place]) * int(data.w[place, col]) for place in range(k))


@settings(max_examples=examples(60), deadline=None)
@given(FLOWS, SIDE, SIDE, PATTERN, st.integers(1, 6), DIM, st.integers(1, 6), st.integers(0, 1 << 32))
def test_streams_are_the_groups_written_out(
    flow: Literal["ws", "os"], rows: int, cols: int, pattern: tuple[int, int], m: int, k: int, n: int, seed: int
) -> None:
    params = core(flow, rows, cols, *pattern, formats=(Int(5), Int(4), Int(20)))
    data = random_operands(params, (m, k, n), seed)
    beats, group = job_beats(params, data.a, data.w), params.group
    groups = -(-k // group)

    def activation_word(row: int, at: int) -> int:
        places = range(at * group, min((at + 1) * group, k)) if row < m else ()
        return sum((int(data.a[row, place]) & 31) << (5 * (place - at * group)) for place in places)

    def weight_word(at: int, col: int) -> int:
        places = range(at * group, min((at + 1) * group, k)) if col < n else ()
        kept = [(place - at * group, int(data.w[place, col])) for place in places if data.w[place, col]]
        width = 4 + params.index_bits
        return sum((value & 15 | index << 4) << (slot * width) for slot, (index, value) in enumerate(kept))

    inputs, weights = [], []
    for col_fold, row_fold in product(range(beats.job.col_folds), range(beats.job.row_folds)):
        columns = [col_fold * cols + c for c in range(cols)]
        if flow == "ws":
            held = [row_fold * rows + r for r in range(rows)]
            inputs += [[activation_word(row, at) for at in held] for row in range(m)]
            weights += [[weight_word(at, col) for col in columns] for at in held]
        else:
            lines = [row_fold * rows + r for r in range(rows)]
            inputs += [[activation_word(row, at) for row in lines] for at in range(groups)]
            weights += [[weight_word(at, col) for col in columns] for at in range(groups)]
    a_bits, w_bits = 5 * group, params.kept * (4 + params.index_bits)
    assert beats.inputs == tuple(sum(word << (a_bits * i) for i, word in enumerate(row)) for row in inputs)
    assert beats.weights == tuple(sum(word << (w_bits * i) for i, word in enumerate(row)) for row in weights)


@settings(max_examples=examples(60), deadline=None)
@given(FLOWS, SIDE, SIDE, PATTERN, DIM, DIM, DIM)
def test_timing_is_that_of_the_dense_core_on_groups(
    flow: Literal["ws", "os"], rows: int, cols: int, pattern: tuple[int, int], m: int, k: int, n: int
) -> None:
    params = core(flow, rows, cols, *pattern)
    twin = SystolicParams(flow, rows, cols, Int(8), Int(8), Int(32), 24)
    job = params.job_for(m, k, n)
    assert job == twin.job_for(m, -(-k // params.group), n)
    assert params.cycles(job) == twin.cycles(job)
    assert simulate_jobs(params, [job, job]) == simulate_jobs(twin, [job, job])  # the event model's fold rule


def test_cycles_of_a_case_counted_by_hand() -> None:
    # load 4; K = 32 in 2 folds of 4 groups of 4 places, 10 vectors each; wavefront 3 + 3; four registers
    params = core("ws", 4, 4, 2, 4)
    assert params.job_for(10, 32, 4) == FoldJob(stream=10, row_folds=2, col_folds=1)
    assert params.cycles(params.job_for(10, 32, 4)) == 4 + 20 + 6 + 4
    # 33 places begin a third fold, as 5 begin a second group
    assert params.job_for(10, 33, 4).row_folds == 3
    assert core("os", 4, 4, 2, 4).job_for(4, 5, 4).stream == 2


def test_accumulator_counts_kept_weights_only() -> None:
    params = core("ws", 4, 4, 2, 4)
    dense = SystolicParams("ws", 4, 4, Int(8), Int(8), Int(32), 24)
    assert [params.required_accumulator_bits(k) for k in (1, 2, 3, 4, 5, 8)] == [
        dense.required_accumulator_bits(terms) for terms in (1, 2, 2, 2, 3, 4)
    ]
    assert core("ws", 1, 1, 1, 4, (Int(8), Int(8), Int(16))).required_accumulator_bits(4) == 16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kept": 5}, r"^systolic core N:M: 5 of 4 weights kept, bound is 1 <= N <= M <= 16; choose a pattern in it$"),
        ({"kept": 0}, r"^systolic core N:M: 0 of 4 weights kept"),
        ({"group": 17}, r"^systolic core N:M: 2 of 17 weights kept"),
        ({"group": 0}, r"^systolic core N:M: 2 of 0 weights kept"),
        ({"dataflow": "is"}, r"^systolic core N:M: dataflow is 'is', bound is 'ws' or 'os'; choose one$"),
        ({"rows": 0}, r"^systolic core: rows is 0, bound is 1\.\.1024"),
        ({"accumulator_format": Int(15)}, r"one product of int8 and int8 needs 16; widen the accumulator$"),
    ],
)
def test_bad_parameters_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(core("ws", 4, 4, 2, 4), **changes)  # type: ignore[arg-type]


def test_weights_that_break_the_pattern_are_refused() -> None:
    params = core("ws", 4, 4, 2, 4)
    w = np.array([[0], [1], [1], [0], [1], [1]])  # two in each group, aligned to multiples of four
    assert params.golden(np.ones((1, 6), np.int64), w).tolist() == [[4]]
    w[0] = 1
    with pytest.raises(InputError, match=r"a group of 4 has 3 weights that are not zero, bound is 2; prune to the pa"):
        params.golden(np.ones((1, 6), np.int64), w)
    with pytest.raises(InputError, match=r"^core 'systolic_ws_nm2of4_int8': weights span 0\.\.200, int8 holds"):
        params.golden(np.ones((1, 1), np.int64), np.array([[0, 200]]))


def test_all_empty_groups_give_zero_words_and_zero_sums() -> None:
    params = core("ws", 2, 2, 2, 4)
    a, w = np.ones((3, 9), np.int64), np.zeros((9, 2), np.int64)
    assert set(job_beats(params, a, w).weights) == {0}
    assert not params.golden(a, w).any()


@pytest.mark.parametrize("change", [{"kept": 3}, {"group": 8}, {"group": 3}])
def test_pattern_reaches_the_rtl(change: dict[str, int]) -> None:
    params = core("ws", 4, 4, 2, 4)
    other = replace(params, **change)  # type: ignore[arg-type]
    assert systolic_constants(other) != systolic_constants(params)
    assert emit(other)[f"{other.name}.sv"] != emit(params)[f"{params.name}.sv"]


def test_listed_core_takes_a_size() -> None:
    sized = core_params("systolic_os_nm2of4_int8", rows=2, cols=3)
    assert isinstance(sized, SystolicNMParams)
    assert (sized.rows, sized.cols, sized.kept, sized.group) == (2, 3, 2, 4)
