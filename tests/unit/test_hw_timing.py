"""Closed forms of the adder tree and of the array accesses against step-by-step twins; what an array refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.accelerator import PEArray
from hw_models.array_timing import AdderTreeParams, accesses_of, timing_of
from hw_models.description import load_accelerator
from hw_models.systolic import FoldJob, SystolicParams
from workloads.errors import InputError
from workloads.formats import Int

SMALL = st.integers(1, 9)


def tree_twin(rows: int, latency: int, job: FoldJob) -> int:
    """Walk the folds: a load of `rows` cycles starts when the fold before starts to stream."""
    load_end, stream_end = rows, 0
    for _ in range(job.folds):
        start = max(load_end, stream_end)
        stream_end = start + job.stream
        load_end = start + rows
    return stream_end + latency


@given(SMALL, SMALL, st.integers(1, 5), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_adder_tree_cycles(rows: int, cols: int, latency: int, m: int, k: int, n: int) -> None:
    core = AdderTreeParams(rows, cols, latency)
    job = core.job_for(m, k, n)
    assert (job.row_folds, job.col_folds) == (len(range(0, k, rows)), len(range(0, n, cols)))
    assert core.cycles(job) == tree_twin(rows, latency, job)


def array(kind: str = "systolic", dataflows: tuple[str, ...] = ("ws", "os"), rows: int = 4, cols: int = 3) -> PEArray:
    return PEArray(kind, rows, cols, dataflows, Int(8), Int(8), Int(32), "window", Fraction(1, 5), "test")  # type: ignore[arg-type]


@given(
    SMALL, SMALL, st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.sampled_from(["ws", "os"])
)
def test_accesses_by_walking_the_folds(
    rows: int, cols: int, stream: int, row_folds: int, col_folds: int, accumulate: bool, dataflow: str
) -> None:
    inputs = weights = reads = writes = 0
    for _ in range(col_folds):
        for row_fold in range(row_folds):
            if dataflow == "ws":
                weights += rows * cols
            else:
                writes += rows * cols
                reads += rows * cols if accumulate else 0
            for _ in range(stream):
                inputs += rows
                if dataflow == "ws":
                    writes += cols
                    reads += cols if accumulate or row_fold else 0
                else:
                    weights += cols
    got = accesses_of(array(rows=rows, cols=cols), dataflow, FoldJob(stream, row_folds, col_folds), accumulate)  # type: ignore[arg-type]
    assert (got.input_reads, got.weight_reads, got.accumulator_reads, got.accumulator_writes) == (
        inputs,
        weights,
        reads,
        writes,
    )


def test_timing_of_picks_the_core() -> None:
    timing = timing_of(array(), "os", 16)
    assert isinstance(timing, SystolicParams)
    assert (timing.dataflow, timing.rows, timing.cols, timing.accumulator_depth) == ("os", 4, 3, 16)
    nvdla = load_accelerator("nvdla_small").core.array
    assert timing_of(nvdla, "ws", 16) == AdderTreeParams(8, 8, nvdla.tree_latency_cycles)


def test_a_missing_dataflow_is_named() -> None:
    with pytest.raises(InputError, match=r"dataflow 'os' is not one of \['ws'\]"):
        timing_of(load_accelerator("tpu_v1").core.array, "os", 16)


def test_row_stationary_loads_but_is_refused_when_timed() -> None:
    eyeriss = load_accelerator("eyeriss_v1").core.array
    assert (eyeriss.kind, eyeriss.dataflows, eyeriss.pes) == ("row_stationary", ("rs",), 168)
    with pytest.raises(InputError, match=r"row stationary\) has no folds: it runs in passes"):
        timing_of(eyeriss, "rs", 16)


@pytest.mark.parametrize(
    ("kind", "dataflows"),
    [
        ("systolic", ()),
        ("systolic", ("ws", "ws")),
        ("systolic", ("rs",)),
        ("systolic", ("ws", "rs")),
        ("row_stationary", ("ws",)),
        ("row_stationary", ("rs", "ws")),
        ("adder_tree", ("os",)),
    ],
)
def test_kinds_and_dataflows_that_do_not_go_together(kind: str, dataflows: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="array: "):
        array(kind, dataflows)


def test_write_ports_keep_up_with_the_channel() -> None:
    machine = load_accelerator("edge_int8")
    for key in ("input", "weight"):
        pad = replace(getattr(machine.core, key), write_bytes_per_cycle=31)
        with pytest.raises(InputError, match=f"'{key}'.*write port takes 31.*delivers up to 32"):
            replace(machine, core=replace(machine.core, **{key: pad}))  # type: ignore[arg-type]


def test_ports_too_narrow_for_their_reader() -> None:
    core = load_accelerator("edge_int8").core
    cases = [
        ({"input": replace(core.input, read_bytes_per_cycle=31)}, "'input'.*read port gives 31.*array needs 32"),
        ({"weight": replace(core.weight, read_bytes_per_cycle=16)}, "'weight'.*16.*needs 32"),
        ({"accumulator": replace(core.accumulator, write_bytes_per_cycle=64)}, "'accumulator'.*write port.*64.*128"),
        ({"vector": replace(core.vector, lanes=64)}, "'accumulator'.*vector unit needs 256"),
    ]
    for change, message in cases:
        with pytest.raises(InputError, match=message):
            replace(core, **change)  # type: ignore[arg-type]
