"""Systolic cores against naive twins: triple-loop GEMM, fold-by-fold schedule, beats multiplied back by hand."""

from __future__ import annotations

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.systolic import FoldJob, IntArray, SystolicParams
from rtl.operands import job_beats, pack_beats, result_matrix, unpack_beats
from tests.reference.profile import examples
from workloads.formats import Int

SIZES = st.integers(1, 7)
DATAFLOWS: st.SearchStrategy[Literal["ws", "os"]] = st.sampled_from(("ws", "os"))
JOBS = st.builds(FoldJob, st.integers(1, 12), st.integers(1, 4), st.integers(1, 4))


@st.composite
def cores(draw: st.DrawFn) -> SystolicParams:
    operands = st.builds(Int, st.integers(1, 12), st.booleans())
    i, w = draw(operands), draw(operands)
    accumulator = Int(i.bits + w.bits + draw(st.integers(1, 20)), signed=True)
    return SystolicParams(draw(DATAFLOWS), draw(SIZES), draw(SIZES), i, w, accumulator, 64)


@st.composite
def gemms(draw: st.DrawFn) -> tuple[SystolicParams, IntArray, IntArray]:
    params = draw(cores())
    m, k, n = draw(SIZES), draw(st.integers(1, 20)), draw(SIZES)
    values = np.random.default_rng(draw(st.integers(0, 2**32)))
    i, w = params.input_format, params.weight_format
    a = values.integers(i.min, i.max, (m, k), dtype=np.int64, endpoint=True)
    return params, a, values.integers(w.min, w.max, (k, n), dtype=np.int64, endpoint=True)


def naive_gemm(params: SystolicParams, a: IntArray, w: IntArray) -> list[list[int]]:
    """Return the product by a triple loop over Python integers, wrapped after every addition."""
    bits = params.accumulator_format.bits
    rows = []
    for row in a.tolist():
        sums = []
        for column in w.T.tolist():
            total = 0
            for x, y in zip(row, column, strict=True):
                total = (total + x * y) % 2**bits
            sums.append(total - 2**bits if total >= 2 ** (bits - 1) else total)
        rows.append(sums)
    return rows


@given(gemms())
def test_golden_equals_the_triple_loop(gemm: tuple[SystolicParams, IntArray, IntArray]) -> None:
    params, a, w = gemm
    assert params.golden(a, w).tolist() == naive_gemm(params, a, w)


@given(cores(), st.integers(1, 5000))
def test_required_bits_are_enough_and_least(params: SystolicParams, k: int) -> None:
    bits = params.required_accumulator_bits(k)
    i, w = params.input_format, params.weight_format
    sums = [k * x * y for x in (i.min, i.max) for y in (w.min, w.max)]
    assert all(Int(bits).allowed(total) for total in sums)
    assert bits == 1 or not all(Int(bits - 1).allowed(total) for total in sums)


def naive_ends(params: SystolicParams, jobs: list[FoldJob]) -> list[int]:
    """Return when each job's last result leaves, stepping through loads, streams and drains fold by fold.

    All jobs are offered at time 0.
    """
    free_shadow = stream_free = 0
    last_pair: int | None = None
    ends = []
    for job in jobs:
        end = 0
        for _ in range(job.folds):
            if params.dataflow == "ws":
                loaded = free_shadow + params.rows
                start = max(loaded, stream_free)
                free_shadow = start
                end = start + job.stream
            else:
                end = stream_free + job.stream
                if last_pair is not None:
                    end = max(end, last_pair + params.rows)
                last_pair = end
            stream_free = end
        ends.append(end + params.drain_latency_cycles)
    return ends


@given(DATAFLOWS, SIZES, SIZES, st.lists(JOBS, min_size=1, max_size=5))
def test_stream_end_equals_a_fold_by_fold_schedule(
    dataflow: Literal["ws", "os"], rows: int, cols: int, jobs: list[FoldJob]
) -> None:
    params = SystolicParams(dataflow, rows, cols, Int(8), Int(8), Int(32), 64)
    ends = naive_ends(params, jobs)
    assert params.cycles(jobs[0]) == ends[0]
    previous: int | None = None
    for index, job in enumerate(jobs):
        issue = 0 if previous is None else previous - jobs[index - 1].stream
        previous = params.stream_end_cycle(job, issue, previous)
        assert previous + params.drain_latency_cycles == ends[index]


@given(DATAFLOWS, SIZES, SIZES, JOBS)
def test_cycles_are_at_least_every_bound_and_grow_with_work(
    dataflow: Literal["ws", "os"], rows: int, cols: int, job: FoldJob
) -> None:
    params = SystolicParams(dataflow, rows, cols, Int(8), Int(8), Int(32), 64)
    cycles = params.cycles(job)
    assert cycles >= job.folds * job.stream + params.load_cycles + params.drain_latency_cycles
    for bigger in (
        FoldJob(job.stream + 1, job.row_folds, job.col_folds),
        FoldJob(job.stream, job.row_folds + 1, job.col_folds),
        FoldJob(job.stream, job.row_folds, job.col_folds + 1),
    ):
        assert params.cycles(bigger) > cycles


@given(st.integers(1, 40), st.booleans(), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32))
def test_beats_keep_every_word(bits: int, signed: bool, beats: int, lanes: int, seed: int) -> None:
    form = Int(bits, signed)
    words = np.random.default_rng(seed).integers(form.min, form.max, (beats, lanes), dtype=np.int64, endpoint=True)
    packed = pack_beats(words, bits)
    assert all(0 <= beat < 1 << (bits * lanes) for beat in packed)
    assert unpack_beats(packed, lanes, form).tolist() == words.tolist()


@settings(max_examples=examples(60))
@given(gemms())
def test_streams_multiplied_by_hand_give_the_golden_result(gemm: tuple[SystolicParams, IntArray, IntArray]) -> None:
    """What the interface documents, done with plain sums: the streams alone determine the result."""
    params, a, w = gemm
    beats = job_beats(params, a, w)
    x = unpack_beats(beats.inputs, params.rows, params.input_format)
    y = unpack_beats(beats.weights, params.cols, params.weight_format)
    job, rows = beats.job, params.rows
    results: list[IntArray] = []
    for col in range(job.col_folds):
        folds = range(col * job.row_folds, (col + 1) * job.row_folds)
        if params.dataflow == "ws":
            streams = [x[f * job.stream : (f + 1) * job.stream] @ y[f * rows : (f + 1) * rows] for f in folds]
            results.append(np.sum(streams, axis=0))
        else:
            span = [slice(f * job.stream, (f + 1) * job.stream) for f in folds]
            results += [(x[part].T @ y[part])[::-1] for part in span]
    vectors = params.accumulator_format.wrap(np.concatenate(results))
    assert len(vectors) == beats.results
    words = pack_beats(vectors, params.accumulator_format.bits)
    assert np.array_equal(result_matrix(params, words, a.shape[0], w.shape[1]), params.golden(a, w))
