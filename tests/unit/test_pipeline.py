"""Streaming stages and pipelines: closed forms, deadlock reports, the watchdog, bad input."""

from __future__ import annotations

import pytest

from hw_models.streaming.links import Fork, Join, Pad, StreamPool, WidthChange
from hw_models.streaming.stages import MatrixVector, SlidingWindow, Source
from hw_models.streaming.tasks import WindowTask
from sim.pipeline import Channel, Pipeline, chain, run_pipeline, size_fifos
from sim.pipeline.kernel import DeadlockError
from workloads.errors import InfeasibleError, InputError


def residual(depth: int) -> Pipeline:
    return Pipeline(
        "residual",
        (Source("in", 8, 1), Fork("fork", 8), MatrixVector("long", 8, 8, 1, 1), Join("add", 8)),
        (
            Channel("in", "fork"),
            Channel("fork", "long", 2, 0, 0),
            Channel("fork", "add", depth, 1, 1),
            Channel("long", "add", 2, 0, 0),
        ),
    )


def test_a_starved_fifo_is_a_deadlock_that_names_the_waiters() -> None:
    with pytest.raises(DeadlockError) as caught:
        run_pipeline(residual(4))
    text = str(caught.value)
    assert caught.value.exit_code == 3
    assert "'add' waits for a word in FIFO long->add" in text
    assert "'fork' waits for room in FIFO fork->add (depth 4)" in text
    assert "'long' waits for a word in FIFO fork->long" in text
    assert "raise the depth of FIFO fork->add (4)" in text
    assert {who for who, _, _ in caught.value.waiters} == {"in", "fork", "long", "add"}
    assert run_pipeline(residual(8)).interval_cycles >= 64
    sized, run = size_fifos(residual(4))
    assert run.interval_cycles == 64
    assert max(channel.depth for channel in sized.channels) > 4


def test_the_watchdog_stops_a_run_beyond_its_limit() -> None:
    line = chain("line", [Source("in", 4, 1), MatrixVector("u", 4, 4, 1, 1)])
    with pytest.raises(InfeasibleError, match=r"watchdog on simulated cycles needs .* cycles, bound is 20"):
        run_pipeline(line, 3, limit_cycles=20)
    assert run_pipeline(line, 3, limit_cycles=60).interval_cycles == 16


def test_fifo_depth_alone_separates_two_designs_that_closed_forms_call_equal() -> None:
    def line(depth: int) -> Pipeline:
        stages = [
            Source("in", 64, 4),
            MatrixVector("a", 8, 4, 8, 4, 64),
            MatrixVector("b", 64, 512, 1, 8),
            MatrixVector("c", 8, 64, 1, 1),
        ]
        return chain("two", stages, depth)

    assert line(2).interval_bound_cycles == line(64).interval_bound_cycles == 4096
    assert run_pipeline(line(64)).interval_cycles == 4096
    assert run_pipeline(line(2)).interval_cycles > 4096


@pytest.mark.parametrize(("kernel", "stride", "simd"), [(3, 1, 2), (2, 2, 4), (1, 1, 1), (3, 2, 4)])
def test_a_window_unit_that_never_waits_takes_the_published_cycles(kernel: int, stride: int, simd: int) -> None:
    swu = SlidingWindow("swu", 4, 9, 9, kernel, stride, simd)
    sink = MatrixVector("u", 1, kernel**2 * 4, 1, simd, swu.out_height * swu.out_width)
    run = run_pipeline(chain("line", [Source("in", swu.words_in, simd), swu, sink], 0), 4)
    assert swu.words_out == sink.words_in
    # FINN's cost model of the unit: fill, then rows at the pace of the slower of reading and writing.
    pace = max(swu.out_width * kernel**2 * swu.pixel_words, stride * 9 * swu.pixel_words)
    published = swu.fill_cycles + swu.out_height * pace
    done = next(stage.done_cycles[0] for stage in run.stages if stage.name == "swu")
    assert swu.words_out <= done <= published + 9 * swu.pixel_words
    # Images overlap in the line buffer, but not wholly: a row is freed only when its last window has left.
    assert max(stage.cycles for stage in run.stages) <= run.interval_cycles <= published + 9 * swu.pixel_words


def test_words_and_elements_must_agree() -> None:
    with pytest.raises(InputError, match="given 8 words per image and 4 are taken"):
        Pipeline("x", (Source("in", 8, 1), MatrixVector("u", 1, 4, 1, 1)), (Channel("in", "u"),))
    with pytest.raises(InputError, match="carries words of 2 elements, stage 'u' takes 1"):
        Pipeline("x", (Source("in", 4, 2), MatrixVector("u", 1, 4, 1, 1)), (Channel("in", "u"),))
    with pytest.raises(InputError, match="needs exactly one FIFO"):
        Pipeline("x", (Source("in", 4, 1), Join("add", 4)), (Channel("in", "add"),))
    with pytest.raises(InputError, match="names no stage 'v'"):
        Pipeline("x", (Source("in", 4, 1),), (Channel("in", "v"),))
    with pytest.raises(InputError, match="given twice"):
        Pipeline("x", (Source("in", 4, 1), Source("in", 4, 1)), ())
    with pytest.raises(InputError, match="depth -1"):
        Pipeline("x", (Source("in", 4, 1), MatrixVector("u", 1, 4, 1, 1)), (Channel("in", "u", -1),))
    with pytest.raises(InputError, match="one image has no interval"):
        _ = run_pipeline(chain("x", [Source("in", 4, 1), MatrixVector("u", 1, 4, 1, 1)]), 1).interval_cycles
    with pytest.raises(InputError, match="images is 0"):
        run_pipeline(chain("x", [Source("in", 4, 1), MatrixVector("u", 1, 4, 1, 1)]), 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MatrixVector("u", 6, 4, 4, 1), r"pe is 4, it does not divide rows \(6\)"),
        (lambda: MatrixVector("u", 6, 4, 2, 3), r"simd is 3, it does not divide cols \(4\)"),
        (lambda: SlidingWindow("s", 4, 2, 2, 3, 1, 1), "kernel is 3, bound is the image side"),
        (lambda: StreamPool("p", 4, 5, 4, 2), r"window is 2, it does not divide height \(5\)"),
        (lambda: WidthChange("w", 10, 4, 5), r"source word is 4, it does not divide elements \(10\)"),
        (lambda: Pad("p", 4, 2, 2, 1, -1, 0), "padding is"),
        (lambda: WindowTask("t", 2, 2, 3), "kernel is 3"),
        (lambda: Source("s", 0, 1), "words is 0, bound is >= 1"),
        (lambda: WindowTask("t", 2, 2, depth_cycles=0), "depth_cycles is 0"),
    ],
)
def test_a_wrong_stage_is_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()


def test_padding_and_width_change_keep_the_pace() -> None:
    pad = Pad("pad", 4, 3, 3, 2, 1, 1)
    line = chain("line", [Source("in", 18, 2), pad, MatrixVector("u", 1, 100, 1, 4)], 4)
    assert [stage.name for stage in line.stages] == ["in", "pad", "u.width", "u"]
    assert run_pipeline(line, 4).interval_cycles == pad.words_out == 50
