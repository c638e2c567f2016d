"""The time-stamped pipeline model against a cycle-stepped twin: same last cycle, same deadlocks."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw_models.streaming.links import Fork, Join
from hw_models.streaming.stages import MatrixVector, Source, Stage
from sim.pipeline import Channel, Pipeline, chain, run_pipeline, size_fifos
from sim.pipeline.kernel import DeadlockError
from tests.reference.naive_pipeline import last_cycle
from tests.reference.profile import examples


@st.composite
def lines(draw: st.DrawFn) -> Pipeline:
    """Return a source and up to four matrix-vector units whose words fit one another."""
    width = draw(st.sampled_from([1, 2, 4]))
    size = width * draw(st.integers(1, 4))
    vectors = draw(st.integers(1, 3))
    stages: list[Stage] = [Source("in", size // width * vectors, width, draw(st.integers(1, 3)))]
    for index in range(draw(st.integers(1, 4))):
        pe = draw(st.sampled_from([1, 2, 3]))
        rows = pe * draw(st.integers(1, 4))
        stages.append(MatrixVector(f"u{index}", rows, size, pe, width, vectors))
        size, width = rows, pe
    line = chain("line", stages)
    return line.with_depths({c.name: draw(st.integers(0, 4)) for c in line.channels})


@given(lines(), st.integers(1, 3))
@settings(max_examples=examples(60), deadline=None)
def test_a_chain_ends_in_the_twins_cycle(line: Pipeline, images: int) -> None:
    assert max(run_pipeline(line, images).done_cycles) == last_cycle(line, images)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 6), st.integers(1, 3), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_a_residual_branch_ends_or_stops_as_the_twin(
    cols: int, rows: int, depth: int, vectors: int, free: bool
) -> None:
    words = cols * vectors
    net = Pipeline(
        "residual",
        (
            Source("in", words, 1),
            Fork("fork", words),
            MatrixVector("long", cols, cols, 1, 1, vectors),
            Join("add", words),
        ),
        (
            Channel("in", "fork", 2),
            Channel("fork", "long", rows, 0, 0),
            Channel("fork", "add", 0 if free else depth, 1, 1),
            Channel("long", "add", 2, 0, 0),
        ),
    )
    twin = last_cycle(net, 2, 20_000)
    if twin is None:
        with pytest.raises(DeadlockError) as caught:
            run_pipeline(net, 2)
        assert {who for who, _, _ in caught.value.waiters} >= {"fork", "long", "add"}
    else:
        assert max(run_pipeline(net, 2).done_cycles) == twin


PLACE_MORE = Pipeline(
    "line",
    (
        Source("in", 1, 1),
        *(MatrixVector(f"u{n}", rows, cols, 1, 1, 1) for n, (rows, cols) in enumerate(((2, 1), (4, 2), (2, 4)))),
    ),
    (Channel("in", "u0", 0), Channel("u0", "u1", 0), Channel("u1", "u2", 0)),
)
"""With as many places as words were held at most, a word waits a cycle for the place of the one just read."""


@given(lines())
@example(PLACE_MORE)
@settings(max_examples=examples(25), deadline=None)
def test_sized_fifos_keep_the_interval_of_unlimited_ones(line: Pipeline) -> None:
    free = run_pipeline(line.with_depths({c.name: 0 for c in line.channels}), 4)
    sized, run = size_fifos(line, 4)
    assert all(channel.depth >= 2 for channel in sized.channels)
    assert run.interval_cycles <= free.interval_cycles
    assert run.result_cycles[0] >= free.result_cycles[0]
