"""Input-stationary core on paper: folds, cycles, streams written out beat by beat, transposed results, refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.scalesim import count
from hw_models.systolic import FoldJob, SystolicParams
from rtl.operands import job_beats, pack_beats, result_matrix
from tests.reference.profile import examples
from workloads.errors import InputError
from workloads.formats import Int

SIDE, DIM = st.integers(1, 5), st.integers(1, 12)


def core(rows: int, cols: int, depth: int = 16) -> SystolicParams:
    return SystolicParams("is", rows, cols, Int(8, signed=False), Int(5), Int(24), depth)


@settings(max_examples=examples(100), deadline=None)
@given(rows=SIDE, cols=SIDE, m=DIM, k=DIM, n=DIM, seed=st.integers(0, 1 << 32))
def test_streams_are_the_folds_written_out(rows: int, cols: int, m: int, k: int, n: int, seed: int) -> None:
    params = core(rows, cols)
    rng = np.random.default_rng(seed)
    a, w = rng.integers(0, 256, (m, k)), rng.integers(-16, 16, (k, n))
    beats = job_beats(params, a, w)
    held: list[int] = []
    streamed: list[int] = []
    for col_fold, row_fold in product(range(-(-m // cols)), range(-(-k // rows))):
        places = [row_fold * rows + r for r in range(rows)]
        for place in places:  # one activation row of the array per load beat, a word per output row
            lanes = [col_fold * cols + c for c in range(cols)]
            held.append(sum(int(a[x, place]) << (8 * c) for c, x in enumerate(lanes) if x < m and place < k))
        streamed += [
            sum((int(w[place, column]) & 31) << (5 * r) for r, place in enumerate(places) if place < k)
            for column in range(n)
        ]
    assert beats.inputs == tuple(held)
    assert beats.weights == tuple(streamed)
    assert beats.job == FoldJob(stream=n, row_folds=-(-k // rows), col_folds=-(-m // cols))
    assert beats.results == n * -(-m // cols)
    golden = params.golden(a, w)
    assert np.array_equal(golden, a @ w)
    out = np.zeros((-(-m // cols) * cols, n), np.int64)
    out[:m] = golden
    vectors = [out[fold * cols : (fold + 1) * cols, column] for fold in range(-(-m // cols)) for column in range(n)]
    assert np.array_equal(result_matrix(params, pack_beats(np.array(vectors), 24), m, n), golden)


@settings(max_examples=examples(100), deadline=None)
@given(rows=SIDE, cols=SIDE, m=DIM, k=DIM, n=DIM)
def test_times_are_those_of_the_exchanged_ws_core(rows: int, cols: int, m: int, k: int, n: int) -> None:
    params = core(rows, cols)
    twin = SystolicParams("ws", rows, cols, Int(5), Int(8, signed=False), Int(24), 16)
    job = params.job_for(m, k, n)
    assert job == twin.job_for(n, k, m)
    assert params.cycles(job) == twin.cycles(job)
    assert params.load_cycles == twin.load_cycles
    assert params.drain_latency_cycles == twin.drain_latency_cycles
    assert params.stream_end_cycle(job, 3, 9) == twin.stream_end_cycle(job, 3, 9)
    assert params.required_accumulator_bits(k) == twin.required_accumulator_bits(k)


def test_cycles_of_a_case_counted_by_hand() -> None:
    # load 4, ten weight columns for each of three activation folds, wavefront 3 + 1, four registers
    params = core(4, 2)
    assert params.name == "systolic_is_uint8xint5"
    assert params.cycles(params.job_for(m=5, k=4, n=10)) == 4 + 3 * 10 + 4 + 4
    a, w = np.zeros((5, 4), np.int64), np.zeros((4, 10), np.int64)
    assert params.cycles(params.job_for(5, 4, 10), (a, w)) == 42
    with pytest.raises(InputError, match="are not those of FoldJob"):
        params.cycles(params.job_for(10, 4, 5), (a, w))


def test_folds_are_those_of_scalesim() -> None:
    """SCALE-Sim's `is` puts the reduction on rows and output rows on columns too; it has no shadow."""
    params = core(4, 4)
    for m, k, n in ((1, 1, 1), (9, 13, 5), (4, 8, 30)):
        job = params.job_for(m, k, n)
        assert job.folds == -(-k // 4) * -(-m // 4)
        assert count("is", 4, 4, m, k, n).compute_cycles >= job.folds * job.stream


def test_accumulator_memory_holds_weight_columns() -> None:
    params = core(2, 2, depth=4)
    params.check_job(params.job_for(m=99, k=4, n=4))
    with pytest.raises(InputError, match=r"streams 5 vectors, its accumulator_depth is 4; split the job along N or"):
        params.check_job(params.job_for(m=1, k=4, n=5))
